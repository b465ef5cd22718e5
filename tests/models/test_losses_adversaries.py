"""Losses of a discriminator and its generator against plain loops from their papers."""

import math

import pytest
import torch

from models import losses
from tests.models.formulas import B, D, cosine, dot, drawn, mean

FEATURES, WIDE = drawn(B, D), drawn(B, 20, seed=1)
PAIRS = [(i, j) for i in range(B) for j in range(B) if i != j]


def softened(row: torch.Tensor, softness: float) -> list[float]:
    return [float(x) / (abs(float(x)) + softness) for x in row]


def signs(row: torch.Tensor) -> list[float]:
    return [math.copysign(1, float(x)) for x in row]


def test_hinges_are_their_formulas() -> None:
    real, fake = drawn(B), drawn(B, seed=1)
    wanted = mean([max(0, 1 - float(x)) for x in real]) + mean([max(0, 1 + float(x)) for x in fake])
    assert losses.hinge_discriminator(real, fake).item() == pytest.approx(wanted)
    assert losses.hinge_generator(fake).item() == pytest.approx(-mean(fake.tolist()))


def test_a_discriminator_that_is_sure_and_right_has_nothing_to_learn() -> None:
    real, fake = torch.full((B,), 1.5), torch.full((B,), -1.5)
    assert losses.hinge_discriminator(real, fake).item() == 0
    assert losses.hinge_discriminator(fake, real).item() == 5


@pytest.mark.parametrize("softness", [1e-3, 0.5])
def test_distance_matching_is_its_formula(softness: float) -> None:
    gaps = []
    for i, j in PAIRS:
        near = dot(softened(FEATURES[i], softness), softened(FEATURES[j], softness)) / D
        gaps.append(abs(near - dot(signs(WIDE[i]), signs(WIDE[j])) / 20))
    loss = losses.distance_matching(FEATURES, WIDE, softness)
    assert loss.item() == pytest.approx(mean(gaps))


def test_a_code_as_similar_as_the_wide_layer_costs_nothing_and_that_layer_learns_nothing() -> None:
    features = FEATURES.clone().requires_grad_()
    doubled = torch.cat([FEATURES, FEATURES], dim=1).requires_grad_()
    loss = losses.distance_matching(features, doubled, softness=0.0)
    assert loss.item() == pytest.approx(0, abs=1e-12)
    gradients = torch.autograd.grad(loss, (features, doubled), allow_unused=True)
    assert gradients[1] is None


def test_cosine_matching_is_its_formula() -> None:
    gaps = [abs(cosine(FEATURES[i], FEATURES[j]) - cosine(WIDE[i], WIDE[j])) for i, j in PAIRS]
    features, wide = FEATURES.clone().requires_grad_(), WIDE.clone().requires_grad_()
    loss = losses.cosine_matching(features, wide)
    assert loss.item() == pytest.approx(mean(gaps))
    assert torch.autograd.grad(loss, (features, wide), allow_unused=True)[1] is None
    assert losses.cosine_matching(WIDE, WIDE * 3).item() == pytest.approx(0, abs=1e-12)


def test_representation_entropy_is_its_formula() -> None:
    soft = [softened(row, 0.01) for row in FEATURES]
    means = [mean([row[k] for row in soft]) ** 2 for k in range(D)]
    products = []
    for i, j in PAIRS:
        weight = math.exp(-abs(dot(signs(WIDE[i]), signs(WIDE[j]))) / 20 / 0.5)
        products.append(weight * abs(dot(soft[i], soft[j])) / D)
    loss = losses.representation_entropy(FEATURES, WIDE, softness=0.01)
    assert loss.item() == pytest.approx(mean(means) + mean(products))


def test_balanced_orthogonal_codes_have_maximal_entropy() -> None:
    codes = losses.hash_centres(8, 8, seed=0).T[:, 1:]  # (8, 7), every column balanced
    wide = drawn(8, 20).float()
    best = losses.representation_entropy(codes, wide, softness=0.0)
    worst = losses.representation_entropy(torch.ones(8, 7), wide, softness=0.0)
    assert best.item() < 0.2 < 1 < worst.item()
