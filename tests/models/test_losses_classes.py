"""Losses of class labels against plain loops from their papers."""

import math
from collections.abc import Callable

import pytest
import torch

from models import losses
from tests.models.formulas import B, C, D, cosine, cross_entropy, dot, drawn, mean, targets

FEATURES, PROXIES = drawn(B, D), drawn(C, D, seed=1)
CENTRES = losses.hash_centres(C, D, seed=0).double()
TIES = losses.codebook(1, D, seed=1)[0].double()
KINDS = pytest.mark.parametrize(
    "wanted", [targets(), targets(several=True), targets(several=True, unlabelled=(2, 3))]
)


def labelled(wanted: torch.Tensor) -> list[int]:
    return [row for row in range(B) if wanted[row].sum()]


def shares(row: torch.Tensor) -> list[float]:
    return [float(value) / float(row.sum()) for value in row]


@KINDS
def test_orthohash_is_its_formula(wanted: torch.Tensor) -> None:
    costs = []
    for row in labelled(wanted):
        logits = [
            (cosine(FEATURES[row], CENTRES[c]) - 0.2 * float(wanted[row, c])) * 8 for c in range(C)
        ]
        costs.append(cross_entropy(logits, shares(wanted[row])))
    loss = losses.orthohash(FEATURES, CENTRES, wanted, 1 / 8, 0.2)
    assert loss.item() == pytest.approx(mean(costs))


def turned(likeness: float, margin: float) -> float:
    """The cosine of an angle that is larger by MARGIN, falling on linearly beyond pi."""
    angle = math.acos(likeness) + margin
    return math.cos(angle) if angle < math.pi else likeness - margin * math.sin(margin)


@pytest.mark.parametrize("margin", [0.0, 0.2, 1.5, [0.1, 0.5, 0.3, 1.0]])
@KINDS
def test_arcface_is_its_formula(wanted: torch.Tensor, margin: float | list[float]) -> None:
    margins = margin if isinstance(margin, list) else [margin] * C
    costs = []
    for row in labelled(wanted):
        near = [cosine(FEATURES[row], PROXIES[c]) for c in range(C)]
        logits = [turned(near[c], margins[c]) if wanted[row, c] else near[c] for c in range(C)]
        costs.append(cross_entropy([logit * 16 for logit in logits], shares(wanted[row])))
    given = torch.tensor(margin) if isinstance(margin, list) else margin
    loss = losses.arcface(FEATURES, PROXIES, wanted, 1 / 16, given)
    assert loss.item() == pytest.approx(mean(costs), rel=1e-5)


def test_a_target_opposite_to_its_proxy_still_pulls() -> None:
    proxies = torch.eye(2, dtype=torch.float64)
    for angle in (2.8, 3.0, 3.1):
        features = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
        features.requires_grad_()
        loss = losses.arcface(features, proxies, torch.tensor([[1.0, 0.0]]).double(), 0.1, 0.5)
        (gradient,) = torch.autograd.grad(loss, features)
        assert gradient.norm() > 1e-3


def test_of_several_centres_of_a_class_the_nearest_counts() -> None:
    centres = drawn(C, 3, D, seed=2)
    costs = []
    for row in range(B):
        near = [max(cosine(FEATURES[row], one) for one in centres[c]) for c in range(C)]
        logits = [turned(near[c], 0.3) if targets()[row, c] else near[c] for c in range(C)]
        costs.append(cross_entropy([logit * 30 for logit in logits], targets()[row].tolist()))
    loss = losses.arcface(FEATURES, centres, targets(), 1 / 30, 0.3)
    assert loss.item() == pytest.approx(mean(costs), rel=1e-5)
    single = losses.arcface(FEATURES, PROXIES[:, None], targets(), 0.1, 0.3)
    assert single.item() == pytest.approx(
        losses.arcface(FEATURES, PROXIES, targets(), 0.1, 0.3).item()
    )


@KINDS
def test_csq_is_its_formula(wanted: torch.Tensor) -> None:
    costs = []
    for row in labelled(wanted):
        total = 0.0
        for k in range(D):
            votes = sum(float(CENTRES[c, k]) for c in range(C) if wanted[row, c])
            bit = (math.copysign(1, votes if votes else float(TIES[k])) + 1) / 2
            chance = (math.tanh(float(FEATURES[row, k])) + 1) / 2
            total -= bit * math.log(chance) + (1 - bit) * math.log(1 - chance)
        costs.append(total / D)
    gaps = [(abs(math.tanh(float(x))) - 1) ** 2 for x in FEATURES.flatten()]
    loss = losses.csq(FEATURES, CENTRES, wanted, TIES, weight=0.01)
    assert loss.item() == pytest.approx(mean(costs) + 0.01 * mean(gaps))


def test_csq_vanishes_where_all_bits_are_right_and_does_not_overflow_where_all_are_wrong() -> None:
    right = 50 * targets() @ CENTRES
    assert losses.csq(right, CENTRES, targets(), TIES).item() == pytest.approx(0, abs=1e-12)
    assert losses.csq(-right, CENTRES, targets(), TIES).item() == pytest.approx(100)


@KINDS
def test_greedyhash_is_its_formula(wanted: torch.Tensor) -> None:
    costs = []
    for row in labelled(wanted):
        bits = [1.0 if x >= 0 else -1.0 for x in FEATURES[row]]
        costs.append(cross_entropy([dot(bits, PROXIES[c]) for c in range(C)], shares(wanted[row])))
    gaps = [abs(abs(float(x)) - 1) ** 3 for x in FEATURES.flatten()]
    loss = losses.greedyhash(FEATURES, PROXIES, wanted, weight=0.1)
    assert loss.item() == pytest.approx(mean(costs) + 0.1 * mean(gaps))


def test_the_gradient_of_greedyhash_passes_the_sign_unchanged() -> None:
    features = FEATURES.clone().requires_grad_()
    loss = losses.greedyhash(features, PROXIES, targets(), weight=0.0)
    (passed,) = torch.autograd.grad(loss, features)
    bits = torch.where(FEATURES >= 0, 1.0, -1.0).double().requires_grad_()
    (wanted,) = torch.autograd.grad(
        torch.nn.functional.cross_entropy(bits @ PROXIES.T, targets()), bits
    )
    assert torch.allclose(passed, wanted)


@KINDS
def test_proxy_anchor_is_its_formula(wanted: torch.Tensor) -> None:
    pulled, pushed = [], []
    for c in range(C):
        mine = [cosine(FEATURES[x], PROXIES[c]) for x in labelled(wanted) if wanted[x, c]]
        others = [cosine(FEATURES[x], PROXIES[c]) for x in labelled(wanted) if not wanted[x, c]]
        if mine:
            pulled.append(math.log(1 + sum(math.exp(-32 * (s - 0.1)) for s in mine)))
        pushed.append(math.log(1 + sum(math.exp(32 * (s + 0.1)) for s in others)))
    loss = losses.proxy_anchor(FEATURES, PROXIES, wanted)
    assert loss.item() == pytest.approx(mean(pulled) + mean(pushed))


def test_soft_targets_are_shares() -> None:
    logits, wanted = FEATURES[:, :C], torch.tensor([[0.2, 0.0, 0.6, 0.0]] * B).double()
    costs = [cross_entropy(list(row), [0.25, 0, 0.75, 0]) for row in logits]
    assert losses.soft_cross_entropy(logits, wanted).item() == pytest.approx(mean(costs))


@pytest.mark.parametrize(
    "loss",
    [
        lambda proxies: losses.orthohash(FEATURES, proxies, targets(several=True), 0.2, 0.2),
        lambda proxies: losses.arcface(FEATURES, proxies, targets(several=True), 0.2, 0.3),
        lambda proxies: losses.greedyhash(FEATURES, proxies, targets(several=True)),
        lambda proxies: losses.proxy_anchor(FEATURES, proxies, targets(several=True)),
    ],
    ids=["orthohash", "arcface", "greedyhash", "proxy_anchor"],
)
def test_what_stands_for_a_class_learns_too(loss: Callable[..., torch.Tensor]) -> None:
    assert torch.autograd.gradcheck(loss, (PROXIES.clone().requires_grad_(),))


@pytest.mark.parametrize("loss", [losses.orthohash, losses.arcface])
def test_a_larger_margin_never_costs_less(loss: Callable[..., torch.Tensor]) -> None:
    costs = [loss(FEATURES, CENTRES, targets(), 0.2, m / 10).item() for m in range(8)]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]
