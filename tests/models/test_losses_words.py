"""Losses of images and words against plain loops from their papers."""

import math

import numpy as np
import pytest
import torch

from models import losses
from tests.models.formulas import B, D, cosine, cross_entropy, dot, drawn, mean

IMAGES, WORDS = drawn(B, D), drawn(B, D, seed=1)
SAME = torch.eye(B, dtype=torch.bool)
SAME[0, 3] = SAME[3, 0] = SAME[2, 4] = True


def co_occurrence(rows: torch.Tensor) -> torch.Tensor:
    return rows.T @ rows


TAGS = torch.tensor(
    [[1.0, 1, 0, 0, 0], [1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0]]
)  # the fifth tag is nobody's


def information(together: torch.Tensor) -> list[list[float]]:
    each = [float(row.sum()) for row in together]
    total = sum(each)
    return [
        [
            max(0.0, math.log(float(n) * total / (each[i] * each[j]))) if n else 0.0
            for j, n in enumerate(row)
        ]
        for i, row in enumerate(together)
    ]


def test_the_vectors_of_tags_factorise_their_mutual_information() -> None:
    together = co_occurrence(TAGS)
    vectors = losses.tag_vectors(together, 5).double()
    wanted = torch.tensor(information(together)).double()
    left, values, _ = torch.linalg.svd(wanted)
    assert torch.allclose(vectors.square().sum(dim=0), values, atol=1e-6)
    assert torch.allclose(vectors @ vectors.T, left @ values.diag() @ left.T, atol=1e-6)
    # fewer dimensions are the first ones, more are filled with 0
    assert torch.equal(losses.tag_vectors(together, 2).double(), vectors[:, :2])
    wider = losses.tag_vectors(together, 8).double()
    assert torch.equal(wider, torch.nn.functional.pad(vectors, (0, 3)))


def test_the_sign_of_tag_vectors_is_defined_and_a_tag_of_nobody_is_zero() -> None:
    vectors = losses.tag_vectors(co_occurrence(TAGS), 3)
    assert vectors[4].tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    peaks = vectors.gather(0, vectors.abs().argmax(dim=0, keepdim=True))
    assert (peaks > 0).all()
    assert torch.equal(vectors, losses.tag_vectors(co_occurrence(TAGS), 3))


def test_tags_that_meet_point_the_same_way_and_ones_that_never_do_apart() -> None:
    vectors = losses.tag_vectors(co_occurrence(TAGS), 4)
    assert cosine(vectors[0], vectors[1]) > 0.7 > 0.2 > cosine(vectors[1], vectors[3])
    alone = losses.tag_vectors(torch.tensor([3.0, 2.0, 1.0]).diag(), 3)
    products = alone @ alone.T
    assert torch.allclose(products, products.diagonal().diag(), atol=1e-6)
    assert (products.diagonal() > 0).all()


def test_rarity_is_its_formula() -> None:
    found = losses.rarity(torch.tensor([1, 10, 100, 0]), 100)
    assert found.tolist() == pytest.approx([math.log(100), math.log(10), 0, 0])


def test_the_target_of_tags_is_their_weighted_mean() -> None:
    vectors, rarities = drawn(5, 3), torch.tensor([0.5, 1.0, 2.0, 0.1, 3.0]).double()
    tags = torch.cat([2 * TAGS[:2], TAGS[2:], torch.zeros(1, 5)]).double()
    targets = losses.tag_target(tags, vectors, rarities)
    for row in range(5):
        summed = [
            sum(float(tags[row, t] * rarities[t] * vectors[t, e]) for t in range(5))
            for e in range(3)
        ]
        length = math.sqrt(dot(summed, summed))
        assert targets[row].tolist() == pytest.approx([x / length for x in summed])
    assert targets[5].tolist() == [0, 0, 0]


@pytest.mark.parametrize("untagged", [[], [1, 4], list(range(B))])
def test_wdht_is_its_formula(untagged: list[int]) -> None:
    projected, targets = drawn(B, 3, seed=2), torch.nn.functional.normalize(drawn(B, 3, seed=3))
    targets[untagged] = 0
    tagged = [i for i in range(B) if i not in untagged]
    away = mean([1 - cosine(projected[i], targets[i]) for i in tagged])
    apart = mean(
        [
            (cosine(IMAGES[i], IMAGES[j]) - cosine(targets[i], targets[j])) ** 2
            for i in tagged
            for j in tagged
            if i != j
        ]
    )
    gaps = mean([(abs(float(x)) - 1) ** 2 for x in IMAGES.flatten()])
    loss = losses.wdht(IMAGES, projected, targets, pair_weight=0.7, weight=0.2)
    assert loss.item() == pytest.approx(away + 0.7 * apart + 0.2 * gaps)


@pytest.mark.parametrize("same", [None, SAME])
@pytest.mark.parametrize("clicks", [None, [0, 1, 5, 100, 3, 0]])
def test_infonce_is_its_formula(same: torch.Tensor | None, clicks: list[int] | None) -> None:
    weights = [1.0] * B if clicks is None else [math.log(1 + n) for n in clicks]
    total = 0.0
    for i in range(B):
        for way in (0, 1):
            logits, own = [], []
            for j in range(B):
                row, column = (i, j) if way else (j, i)
                if i == j or same is None or not same[row, column]:
                    logits.append(cosine(IMAGES[row], WORDS[column]) / 0.3)
                    own.append(float(i == j))
            total += weights[i] * cross_entropy(logits, own) / 2
    loss = losses.infonce(
        IMAGES, WORDS, 0.3, None if clicks is None else torch.tensor(clicks), same
    )
    assert loss.item() == pytest.approx(total / sum(weights))


def test_a_batch_without_clicks_costs_nothing() -> None:
    assert losses.infonce(IMAGES, WORDS, 0.3, torch.zeros(B)).item() == 0


def test_a_false_negative_neither_pushes_nor_pulls() -> None:
    """Two images of one query: neither is driven away from the other's words."""
    images = IMAGES[:2].clone().requires_grad_()
    every = torch.ones(2, 2, dtype=torch.bool)
    loss = losses.infonce(images, WORDS[:1].repeat(2, 1), 0.1, same=every)
    assert loss.item() == pytest.approx(0)


@pytest.mark.parametrize("log_scale", [0.0, 2.5, 9.0])
def test_clip_is_infonce_at_a_learned_temperature_that_is_never_too_hot(log_scale: float) -> None:
    scale = torch.tensor(log_scale, dtype=torch.float64, requires_grad=True)
    loss = losses.clip(IMAGES, WORDS, scale)
    wanted = losses.infonce(IMAGES, WORDS, 1 / min(100.0, math.exp(log_scale)))
    assert loss.item() == pytest.approx(wanted.item())
    (gradient,) = torch.autograd.grad(loss, scale)
    assert bool(gradient) == (log_scale < losses.HOTTEST)
    assert torch.autograd.gradcheck(lambda s: losses.clip(IMAGES, WORDS, s), (scale,))


@pytest.mark.parametrize("same", [None, SAME])
def test_vsepp_is_its_formula(same: torch.Tensor | None) -> None:
    costs = []
    for i in range(B):
        right = cosine(IMAGES[i], WORDS[i])
        others = [j for j in range(B) if j != i]
        words = [cosine(IMAGES[i], WORDS[j]) for j in others if same is None or not same[i, j]]
        images = [cosine(IMAGES[j], WORDS[i]) for j in others if same is None or not same[j, i]]
        costs.append(max(0.0, 0.2 + max(words) - right) + max(0.0, 0.2 + max(images) - right))
    assert losses.vsepp(IMAGES, WORDS, same=same).item() == pytest.approx(mean(costs))


def test_vsepp_vanishes_where_all_is_right_and_for_a_single_pair() -> None:
    assert losses.vsepp(torch.eye(B), 2 * torch.eye(B)).item() == 0
    assert losses.vsepp(IMAGES[:1], -IMAGES[:1]).item() == 0


@pytest.mark.parametrize("seed", [0, 1, 2, 4, 5])
def test_of_tags_that_avoid_each_other_the_greatest_singular_values_are_kept_too(seed: int) -> None:
    """Tags that stand with others more than alone make eigenvalues that are negative."""
    lots = torch.Generator().manual_seed(seed)
    counts = torch.randint(0, 9, (6, 6), generator=lots).double().triu(1)
    together = counts + counts.T
    each = together.sum(dim=1)
    ratio = together * together.sum() / (each[:, None] * each)
    information = torch.where(together > 0, ratio, 1.0).log().clamp_min(0).numpy()
    assert np.linalg.eigvalsh(information).min() < -0.1
    left, values, _ = np.linalg.svd(information)
    found = losses.tag_vectors(together, 3).numpy()
    wanted = left[:, :3] * values[:3] @ left[:, :3].T
    assert found @ found.T == pytest.approx(wanted, abs=1e-4)
