"""Losses of views against plain loops from their papers."""

import math
from collections.abc import Collection

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import losses
from tests.models.formulas import (
    B,
    D,
    cosine,
    cross_entropy,
    drawn,
    mean,
    sigmoid,
    softmax,
    uniform,
)

FIRST, SECOND = drawn(B, D), drawn(B, D, seed=1)


def naive_ntxent(
    first: torch.Tensor,
    second: torch.Tensor,
    temperature: float,
    alike: Collection[tuple[int, int]] = (),
) -> float:
    views = [*first, *second]
    total = 0.0
    for i, view in enumerate(views):
        twin = (i + len(first)) % len(views)
        others = [
            math.exp(cosine(view, other) / temperature)
            for k, other in enumerate(views)
            if k == twin or (k != i and (i, k) not in alike)
        ]
        total -= math.log(math.exp(cosine(view, views[twin]) / temperature) / sum(others))
    return total / len(views)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_ntxent_is_its_formula(temperature: float) -> None:
    loss = losses.ntxent(FIRST, SECOND, temperature).item()
    assert loss == pytest.approx(naive_ntxent(FIRST, SECOND, temperature))


def test_what_shows_the_same_is_not_told_apart() -> None:
    pairs = {(0, 3), (3, 0), (1, B), (B, 1), (2, 2 + B), (2 + B, 2), (4, 4)}
    alike = torch.zeros(2 * B, 2 * B, dtype=torch.bool)
    for i, k in pairs:
        alike[i, k] = True
    wanted = naive_ntxent(FIRST, SECOND, 0.3, pairs)
    assert losses.ntxent(FIRST, SECOND, 0.3, alike).item() == pytest.approx(wanted)
    assert wanted < naive_ntxent(FIRST, SECOND, 0.3)
    twins_alone = torch.eye(B, dtype=torch.bool).repeat(2, 2)
    assert torch.equal(
        losses.ntxent(FIRST, SECOND, 0.3, twins_alone), losses.ntxent(FIRST, SECOND, 0.3)
    )
    noise = uniform(2, B, D, seed=2)
    told = [losses.cibhash(FIRST, SECOND, noise, 0.3, 0.0, known) for known in (None, alike)]
    assert told[1] < told[0]


def test_cibhash_is_its_formula() -> None:
    noise = uniform(2, B, D, seed=2)
    codes, chances = [], []
    for view, draw in ((FIRST, noise[0]), (SECOND, noise[1])):
        p = [[sigmoid(float(x)) for x in row] for row in view]
        chances.append(p)
        codes.append(
            torch.tensor(
                [[1.0 if p[i][k] > draw[i, k] else -1.0 for k in range(D)] for i in range(B)]
            )
        )
    divergence = 0.0
    for p, q in (chances, chances[::-1]):
        for i in range(B):
            for k in range(D):
                a, b = p[i][k], q[i][k]
                divergence += a * math.log(a / b) + (1 - a) * math.log((1 - a) / (1 - b))
    apart, divergence = naive_ntxent(codes[0], codes[1], 0.3), divergence / B / 2
    found = losses.cibhash(FIRST, SECOND, noise, 0.3, 0.01).item()
    assert found == pytest.approx(apart + 0.01 * divergence, rel=1e-5)
    found = losses.cibhash(FIRST, SECOND, noise, 0.3).item()
    assert found == pytest.approx(apart + 0.001 * divergence, rel=1e-5)


def test_bits_pass_their_gradient_straight_to_the_probabilities() -> None:
    first = FIRST.clone().requires_grad_()
    noise = torch.full((2, B, D), 0.5, dtype=torch.float64)
    (passed,) = torch.autograd.grad(losses.cibhash(first, SECOND, noise, 0.3, 0.0), first)
    codes = ((FIRST > 0).double() * 2 - 1).requires_grad_()
    twins = (SECOND > 0).double() * 2 - 1
    (wanted,) = torch.autograd.grad(losses.ntxent(codes, twins, 0.3), codes)
    slope = torch.sigmoid(FIRST) * (1 - torch.sigmoid(FIRST))
    assert torch.allclose(passed, wanted * slope)


def test_moco_is_its_formula() -> None:
    queue = drawn(9, D, seed=2)
    costs = []
    for query, key in zip(FIRST, SECOND, strict=True):
        logits = [cosine(query, other) / 0.2 for other in [key, *queue]]
        costs.append(cross_entropy(logits, [1.0] + [0.0] * 9))
    assert losses.moco(FIRST, SECOND, queue).item() == pytest.approx(mean(costs))


def test_only_the_query_of_moco_and_the_student_of_dino_learn() -> None:
    first, second, queue = (drawn(B, D, seed=seed).requires_grad_() for seed in range(3))
    gradients = torch.autograd.grad(
        losses.moco(first, second, queue), (first, second, queue), allow_unused=True
    )
    assert gradients[0] is not None
    assert gradients[1] is None
    assert gradients[2] is None
    student, teacher = (drawn(2, B, D, seed=seed).requires_grad_() for seed in range(2))
    loss = losses.dino(student, teacher, torch.zeros(D))
    gradients = torch.autograd.grad(loss, (student, teacher), allow_unused=True)
    assert gradients[0] is not None
    assert gradients[1] is None


@pytest.mark.parametrize(("crops", "whole"), [(2, 1), (2, 2), (5, 2)])
def test_dino_is_its_formula(crops: int, whole: int) -> None:
    student, teacher, centre = drawn(crops, B, D), drawn(whole, B, D, seed=1), drawn(D, seed=2)
    costs = []
    for u in range(whole):
        for v in range(crops):
            if u == v:
                continue
            for i in range(B):
                answer = softmax([float(t) / 0.04 for t in teacher[u, i] - centre])
                costs.append(cross_entropy([float(s) / 0.1 for s in student[v, i]], answer))
    assert losses.dino(student, teacher, centre).item() == pytest.approx(mean(costs))


def test_dino_refuses_a_single_crop() -> None:
    with pytest.raises(ValueError, match="the student saw 1"):
        losses.dino(FIRST[None], FIRST[None], torch.zeros(D))


def test_the_centre_moves_towards_the_mean_of_the_teacher() -> None:
    centre, teacher = drawn(D), drawn(2, B, D, seed=1).requires_grad_()
    moved = losses.moved_centre(centre, teacher, 0.8)
    for p in range(D):
        mean_of_all = sum(float(teacher[u, i, p].detach()) for u in range(2) for i in range(B)) / (
            2 * B
        )
        assert moved[p].item() == pytest.approx(0.8 * float(centre[p]) + 0.2 * mean_of_all)
    assert not moved.requires_grad


def test_swapped_is_its_formula() -> None:
    one, two = (torch.softmax(drawn(B, D, seed=seed), dim=1) for seed in (2, 3))
    costs = []
    for scores, code in ((FIRST, two), (SECOND, one)):
        for row, shares in zip(scores, code, strict=True):
            costs.append(cross_entropy([float(x) / 0.1 for x in row], shares.tolist()))
    loss = losses.swapped(FIRST, SECOND, one, two)
    assert loss.item() == pytest.approx(mean(costs))
    assert losses.swapped(SECOND, FIRST, two, one).item() == pytest.approx(loss.item())


def test_sinkhorn_is_its_algorithm() -> None:
    weights = [[math.exp(float(x) / 0.5) for x in row] for row in FIRST]
    for _ in range(3):
        for p in range(D):
            total = sum(row[p] for row in weights)
            for row in weights:
                row[p] /= total
        weights = [[x / sum(row) for x in row] for row in weights]
    codes = losses.sinkhorn(FIRST, 0.5)
    assert torch.allclose(codes, torch.tensor(weights).double())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), hot=st.floats(0, 100))
def test_sinkhorn_uses_every_prototype_about_alike_however_sure_the_scores(
    seed: int, hot: float
) -> None:
    """Also where all images like the first prototype best, by far."""
    scores = torch.tanh(drawn(64, 8, seed=seed))
    scores[:, 0] += hot
    codes = losses.sinkhorn(scores, epsilon=0.5, iterations=100)
    assert torch.allclose(codes.sum(dim=1), torch.ones(64).double())
    assert torch.allclose(codes.sum(dim=0), torch.full((8,), 8.0).double(), atol=1e-3)


def test_consistency_is_one_minus_the_cosine() -> None:
    wanted = mean([1 - cosine(a, b) for a, b in zip(FIRST, SECOND, strict=True)])
    assert losses.consistency(FIRST, SECOND).item() == pytest.approx(wanted)
    assert losses.consistency(FIRST, 3 * FIRST).item() == pytest.approx(0)
    assert losses.consistency(FIRST, -FIRST).item() == pytest.approx(2)


@pytest.mark.parametrize("threshold", [0.0, 0.4, 0.6, 1.0])
def test_pseudo_label_is_its_formula(threshold: float) -> None:
    total = 0.0
    for weak, strong in zip(FIRST, SECOND, strict=True):
        chances = softmax(weak.tolist())
        if max(chances) >= threshold:
            total -= math.log(softmax(strong.tolist())[chances.index(max(chances))])
    loss = losses.pseudo_label(FIRST, SECOND, threshold)
    assert loss.item() == pytest.approx(total / B)


def test_the_weak_view_learns_nothing_and_a_higher_threshold_never_costs_more() -> None:
    weak, strong = (drawn(B, D, seed=seed).requires_grad_() for seed in range(2))
    loss = losses.pseudo_label(weak, strong, 0.3)
    gradients = torch.autograd.grad(loss, (weak, strong), allow_unused=True)
    assert gradients[0] is None
    costs = [losses.pseudo_label(weak, strong, n / 10).item() for n in range(11)]
    assert costs == sorted(costs, reverse=True)


def test_what_says_what_is_right_learns_nothing_from_it() -> None:
    one, two, three, four = (drawn(B, D, seed=seed).requires_grad_() for seed in range(4))
    for loss, teachers in (
        (losses.swapped(one, two, three, four), (three, four)),
        (losses.pseudo_label(one, two, 0.0), (one,)),
        (losses.reinforce(one, two, three[:, 0], four[:, 0]), (two, three, four)),
    ):
        found = torch.autograd.grad(loss, teachers, allow_unused=True)
        assert all(gradient is None for gradient in found)


def test_a_view_is_sure_that_reaches_the_threshold() -> None:
    weak, strong = torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    sure = losses.pseudo_label(weak, strong, 0.5)
    wanted = torch.nn.functional.cross_entropy(strong, torch.zeros(2, dtype=torch.long))
    assert sure.item() == pytest.approx(wanted.item())
    assert losses.pseudo_label(weak, strong, 0.501).item() == 0
