"""Losses of bits against plain loops from their papers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import losses
from tests.models.formulas import B, D, cosine, dot, drawn, mean, uniform

FEATURES, SOURCE = drawn(B, D), drawn(B, 12, seed=1)


def test_zero_is_a_one_and_gradients_pass_unchanged() -> None:
    features = torch.tensor([-2.0, -0.0, 0.0, 1e-30, 0.3], requires_grad=True)
    bits = losses.sign(features)
    assert bits.tolist() == [-1, 1, 1, 1, 1]
    (gradient,) = torch.autograd.grad(bits @ torch.arange(5.0), features)
    assert gradient.tolist() == [0, 1, 2, 3, 4]


def test_bits_are_drawn_with_their_probabilities() -> None:
    chances = torch.tensor([0.0, 0.2, 0.7, 1.0]).repeat(20_000, 1)
    noise = torch.rand(chances.shape, generator=torch.Generator().manual_seed(0))
    bits = losses.sampled_bits(chances, noise)
    assert set(bits.flatten().tolist()) == {-1.0, 1.0}
    assert torch.allclose((bits + 1).mean(dim=0) / 2, chances[0], atol=0.01)


def test_the_gradient_of_drawn_bits_is_that_of_their_probabilities() -> None:
    chances = uniform(B, D).requires_grad_()
    bits = losses.sampled_bits(chances, uniform(B, D, seed=1))
    (gradient,) = torch.autograd.grad((bits * SOURCE[:, :D]).sum(), chances)
    assert torch.equal(gradient, SOURCE[:, :D])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(1, 9))
def test_the_upper_half_of_a_batch_is_one(seed: int, count: int) -> None:
    features = drawn(count, D, seed=seed)
    bits = losses.half_bits(features)
    for k in range(D):
        ranked = sorted(range(count), key=lambda i: -float(features[i, k]))
        upper = set(ranked[: count // 2])
        assert [float(x) for x in bits[:, k]] == [1.0 if i in upper else -1.0 for i in range(count)]


def test_half_bits_of_equal_features_are_still_balanced() -> None:
    assert losses.half_bits(torch.zeros(8, 3)).sum(dim=0).tolist() == [0, 0, 0]


def test_bihalf_is_its_formula() -> None:
    bits = losses.half_bits(FEATURES)
    apart = [
        (cosine(bits[i], bits[j]) - cosine(SOURCE[i], SOURCE[j])) ** 2
        for i in range(B)
        for j in range(B)
        if i != j
    ]
    gaps = [
        (float(u) - float(b)) ** 2 for u, b in zip(FEATURES.flatten(), bits.flatten(), strict=True)
    ]
    wanted = mean(apart) + 3 * mean(gaps)
    assert losses.bihalf(FEATURES, SOURCE).item() == pytest.approx(wanted)


def test_the_gradient_of_bihalf_is_the_paper_s() -> None:
    """That of the bits, plus gamma (U - B) / |B|."""
    features = FEATURES.clone().requires_grad_()
    (passed,) = torch.autograd.grad(losses.bihalf(features, SOURCE, 6.0), features)
    bits = losses.half_bits(FEATURES).requires_grad_()
    unit = torch.nn.functional.normalize(bits)
    source = torch.nn.functional.normalize(SOURCE)
    apart = (unit @ unit.T - source @ source.T).square().sum() / (B * (B - 1))
    (own,) = torch.autograd.grad(apart, bits)
    assert torch.allclose(passed, own + 6 * (FEATURES - bits.detach()) / bits.numel())


def test_the_source_of_bihalf_learns_nothing() -> None:
    features, source = FEATURES.clone().requires_grad_(), SOURCE.clone().requires_grad_()
    loss = losses.bihalf(features, source)
    passed, none = torch.autograd.grad(loss, (features, source), allow_unused=True)
    assert passed.abs().sum() > 0
    assert none is None


def test_bihalf_vanishes_for_balanced_codes_as_similar_as_their_source() -> None:
    codes = torch.tensor([[1.0, 1, 1, 1], [1, 1, -1, -1], [-1, -1, 1, 1], [-1, -1, -1, -1]])
    assert losses.bihalf(codes, 3 * codes).item() == pytest.approx(0)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_quantisation_is_its_formula(power: int) -> None:
    wanted = mean([abs(abs(float(x)) - 1) ** power for x in FEATURES.flatten()])
    assert losses.quantisation(FEATURES, power).item() == pytest.approx(wanted)
    assert losses.quantisation(FEATURES.sign(), power).item() == 0


def test_imbalance_and_correlation_are_their_formulas() -> None:
    columns = [FEATURES[:, k] for k in range(D)]
    balance = mean([mean(column.tolist()) ** 2 for column in columns])
    assert losses.imbalance(FEATURES).item() == pytest.approx(balance)
    products = [
        (dot(columns[k], columns[j]) / B) ** 2 for k in range(D) for j in range(D) if k != j
    ]
    assert losses.correlation(FEATURES).item() == pytest.approx(mean(products))


def test_all_codes_of_three_bits_are_balanced_and_uncorrelated_and_a_copy_is_not() -> None:
    codes = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)
    assert losses.imbalance(codes).item() == 0
    assert losses.correlation(codes).item() == 0
    copied = torch.cat([codes, codes[:, :1]], dim=1)
    assert losses.correlation(copied).item() == pytest.approx(1 / 6)  # one pair of six


def test_bernoulli_divergence_is_its_formula_and_takes_a_prior() -> None:
    p, q = uniform(B, D), uniform(B, D, seed=1)

    def divergence(a: float, b: float) -> float:
        return a * math.log(a / b) + (1 - a) * math.log((1 - a) / (1 - b))

    for other in (q, torch.full((B, D), 0.5).double()):
        rows = [
            sum(divergence(float(a), float(b)) for a, b in zip(p[i], other[i], strict=True))
            for i in range(B)
        ]
        assert losses.bernoulli_divergence(p, other).item() == pytest.approx(mean(rows))
    assert losses.bernoulli_divergence(p, 0.5).item() == pytest.approx(mean(rows))
    assert losses.bernoulli_divergence(p, p).item() == pytest.approx(0)


@pytest.mark.parametrize("other", [0.0, 0.5, 1.0])
def test_the_divergence_of_bits_that_are_quite_sure_is_finite(other: float) -> None:
    """As those are whose sigmoid is 0 or 1 in float32, of one view or of both."""
    sure = torch.tensor([[0.0, 1.0, 0.5]], requires_grad=True)
    for divergence in (
        losses.bernoulli_divergence(sure, other),
        losses.bernoulli_divergence(sure, torch.full((1, 3), other)),
        losses.bernoulli_divergence(torch.full((1, 3), other), sure),
    ):
        (gradient,) = torch.autograd.grad(divergence, sure)
        assert torch.isfinite(divergence)
        assert torch.isfinite(gradient).all()
