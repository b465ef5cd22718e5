"""Losses of two networks, or of a network and free codes, against plain loops from their papers."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import losses
from tests.models.formulas import B, C, D, cosine, cross_entropy, dot, drawn, mean, targets

N = 7
"""Images in the database, of which `ROWS` were sampled."""
ROWS = torch.tensor([4, 0, 6])


def database(seed: int, bits: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Codes (N, K), features (3, K) of the sampled rows, and how alike they are (3, N)."""
    codes = losses.sign(drawn(N, bits, seed=seed))
    alike = torch.where(drawn(3, N, seed=seed + 2) < 0, -0.25, 1.0)
    return codes, drawn(3, bits, seed=seed + 1), alike.to(codes)


def cost(codes: torch.Tensor, features: torch.Tensor, similar: torch.Tensor) -> float:
    """Equation 3 of the paper, gamma 3, in plain loops."""
    bits = [[math.tanh(float(x)) for x in row] for row in features]
    count, total = features.shape[1], 0.0
    for i in range(3):
        for j in range(N):
            total += (dot(bits[i], codes[j]) - count * float(similar[i, j])) ** 2
        total += 3 * sum((float(v) - u) ** 2 for v, u in zip(codes[ROWS[i]], bits[i], strict=True))
    return total / (3 * N)


def descended(codes: torch.Tensor, features: torch.Tensor, similar: torch.Tensor) -> torch.Tensor:
    bits = torch.tanh(features)
    return losses.adsh_codes(codes, bits, similar.T @ bits, ROWS, 3.0)


def test_adsh_is_its_formula() -> None:
    codes, features, similar = database(0)
    each = losses.CodeSums.of(codes, torch.arange(N), N)
    found = losses.adsh(features, each, similar, codes[ROWS], 3.0)
    assert found.item() == pytest.approx(cost(codes, features, similar))


def test_adsh_asks_of_groups_what_it_asks_of_each_of_their_images() -> None:
    codes, features, _ = database(0)
    groups = torch.tensor([1, 0, 2, 1, 1, 0, 2])
    alike = torch.where(drawn(3, 3, seed=8) < 0, -0.25, 1.0).to(codes)
    grouped = losses.CodeSums.of(codes, groups, 3)
    assert grouped.counts.tolist() == [2, 3, 2]
    for group in range(3):
        mine = [codes[j].tolist() for j in range(N) if groups[j] == group]
        assert grouped.sums[group].tolist() == [sum(column) for column in zip(*mine, strict=True)]
    found = losses.adsh(features, grouped, alike, codes[ROWS], 3.0)
    assert found.item() == pytest.approx(cost(codes, features, alike[:, groups]))


def test_images_that_have_no_code_of_their_own_are_held_to_none() -> None:
    codes, features, similar = database(0)
    each = losses.CodeSums.of(codes, torch.arange(N), N)
    free = losses.adsh(features, each, similar)
    assert free.item() == pytest.approx(losses.adsh(features, each, similar, codes[ROWS], 0).item())


def test_each_bit_of_the_codes_in_turn_is_the_best_there_is() -> None:
    """Two bits, and all 4^N databases that differ from the first in one bit of every code."""
    codes, features, similar = database(3, bits=2)
    updated = descended(codes, features, similar)
    stage = codes.clone()
    for bit in range(2):
        every = []
        for column in itertools.product([-1.0, 1.0], repeat=N):
            other = stage.clone()
            other[:, bit] = torch.tensor(column)
            every.append((cost(other, features, similar), other))
        stage = min(every, key=lambda pair: pair[0])[1]
    assert torch.equal(updated, stage)


def test_a_bit_for_which_as_much_speaks_as_against_it_is_a_one() -> None:
    codes, nothing = database(0)[0], torch.zeros(3, 4).double()
    updated = losses.adsh_codes(codes, nothing, torch.zeros(N, 4).double(), ROWS)
    assert torch.equal(updated, torch.ones(N, 4).double())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_round_of_descent_never_costs_more_and_leaves_the_codes_it_was_given(seed: int) -> None:
    codes, features, similar = database(seed)
    kept = codes.clone()
    costs = [cost(codes, features, similar)]
    stage = codes
    for _ in range(3):
        stage = descended(stage, features, similar)
        costs.append(cost(stage, features, similar))
    assert set(stage.flatten().tolist()) <= {-1.0, 1.0}
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(costs))
    assert torch.equal(codes, kept)


def test_teacher_regression_is_one_minus_the_cosine_and_the_teacher_learns_nothing() -> None:
    student, teacher = (drawn(B, D, seed=seed).requires_grad_() for seed in range(2))
    loss = losses.teacher_regression(student, teacher)
    wanted = [1 - cosine(a, b) for a, b in zip(student.detach(), teacher.detach(), strict=True)]
    assert loss.item() == pytest.approx(mean(wanted))
    gradients = torch.autograd.grad(loss, (student, teacher), allow_unused=True)
    assert gradients[0] is not None
    assert gradients[1] is None
    assert losses.teacher_regression(2 * teacher, teacher).item() == pytest.approx(0)


def test_prototypes_are_the_mean_directions_of_their_classes() -> None:
    features, wanted = drawn(B, D), targets(several=True, unlabelled=(1,))
    found = losses.prototypes(features, wanted)
    for c in range(C):
        members = [features[i] / features[i].norm() for i in range(B) if wanted[i, c]]
        summed = [sum(float(row[k]) for row in members) for k in range(D)]
        length = math.sqrt(dot(summed, summed)) or 1.0
        assert found[c].tolist() == pytest.approx([x / length for x in summed])


def test_backward_compatible_is_its_formula_and_the_old_prototypes_stay() -> None:
    features, old = drawn(B, D), drawn(C, D, seed=1).requires_grad_()
    wanted = targets(unlabelled=(1,))
    costs = [
        cross_entropy(
            [cosine(features[i], old[c].detach()) * 16 for c in range(C)], wanted[i].tolist()
        )
        for i in range(B)
        if i != 1
    ]
    loss = losses.backward_compatible(features, old, wanted)
    assert loss.item() == pytest.approx(mean(costs))
    assert not loss.requires_grad
