"""Every loss against plain loops from its paper's formula, its gradient against differences."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import losses

B, D, C = 5, 6, 4


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def targets(several: bool) -> torch.Tensor:
    rows = torch.zeros(B, C, dtype=torch.float64)
    for row in range(B):
        rows[row, row % C] = 1
        if several:
            rows[row, (row * 2 + 1) % C] = 1
    return rows


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    norms = [math.sqrt(sum(float(x) ** 2 for x in v)) for v in (a, b)]
    return dot / (norms[0] * norms[1])


def cross_entropy(logits: list[float], shares: list[float]) -> float:
    total = math.log(sum(math.exp(logit) for logit in logits))
    return -sum(share * (logit - total) for share, logit in zip(shares, logits, strict=True))


@pytest.mark.parametrize("several", [False, True])
def test_orthohash_is_its_formula(several: bool) -> None:
    features, words, wanted = drawn(B, D), drawn(C, D, seed=1).sign(), targets(several)
    total = 0.0
    for row in range(B):
        logits = [
            (cosine(features[row], words[c]) - 0.2 * float(wanted[row, c])) * 8 for c in range(C)
        ]
        count = float(wanted[row].sum())
        total += cross_entropy(logits, [float(wanted[row, c]) / count for c in range(C)])
    assert losses.orthohash(features, words, wanted, 1 / 8, 0.2).item() == pytest.approx(total / B)


@pytest.mark.parametrize("margin", [0.0, 0.2, 1.5])
@pytest.mark.parametrize("several", [False, True])
def test_arcface_is_its_formula(several: bool, margin: float) -> None:
    features, proxies, wanted = drawn(B, D), drawn(C, D, seed=1), targets(several)
    total = 0.0
    for row in range(B):
        logits = []
        for c in range(C):
            likeness = cosine(features[row], proxies[c])
            if wanted[row, c]:
                angle = math.acos(likeness) + margin
                likeness = (
                    math.cos(angle) if angle < math.pi else likeness - margin * math.sin(margin)
                )
            logits.append(likeness * 16)
        count = float(wanted[row].sum())
        total += cross_entropy(logits, [float(wanted[row, c]) / count for c in range(C)])
    loss = losses.arcface(features, proxies, wanted, 1 / 16, margin)
    assert loss.item() == pytest.approx(total / B, rel=1e-5)


def test_a_target_opposite_to_its_proxy_still_pulls() -> None:
    proxies = torch.eye(2, dtype=torch.float64)
    for angle in (2.8, 3.0, 3.1):
        features = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
        features.requires_grad_()
        losses.arcface(features, proxies, torch.tensor([[1.0, 0.0]]).double(), 0.1, 0.5).backward()  # type: ignore[no-untyped-call]
        assert features.grad is not None
        assert features.grad.norm() > 1e-3


def naive_ntxent(first: torch.Tensor, second: torch.Tensor, temperature: float) -> float:
    views = [*first, *second]
    total = 0.0
    for i, view in enumerate(views):
        twin = (i + len(first)) % len(views)
        others = [math.exp(cosine(view, o) / temperature) for k, o in enumerate(views) if k != i]
        total -= math.log(math.exp(cosine(view, views[twin]) / temperature) / sum(others))
    return total / len(views)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_ntxent_is_its_formula(temperature: float) -> None:
    first, second = drawn(B, D), drawn(B, D, seed=1)
    loss = losses.ntxent(first, second, temperature).item()
    assert loss == pytest.approx(naive_ntxent(first, second, temperature))


def test_cibhash_is_its_formula() -> None:
    first, second = drawn(B, D), drawn(B, D, seed=1)
    noise = torch.rand(2, B, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    codes, chances = [], []
    for view, draw in ((first, noise[0]), (second, noise[1])):
        p = [[1 / (1 + math.exp(-float(x))) for x in row] for row in view]
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
    wanted = naive_ntxent(codes[0], codes[1], 0.3) + 0.01 * divergence / B / 2
    assert losses.cibhash(first, second, noise, 0.3, 0.01).item() == pytest.approx(wanted, rel=1e-5)


def test_bits_pass_their_gradient_straight_to_the_probabilities() -> None:
    first, second = drawn(B, D).requires_grad_(), drawn(B, D, seed=1)
    noise = torch.full((2, B, D), 0.5, dtype=torch.float64)
    losses.cibhash(first, second, noise, 0.3, 0.0).backward()  # type: ignore[no-untyped-call]
    codes = ((first.detach() > 0).double() * 2 - 1).requires_grad_()
    losses.ntxent(codes, (second > 0).double() * 2 - 1, 0.3).backward()  # type: ignore[no-untyped-call]
    slope = torch.sigmoid(first.detach()) * (1 - torch.sigmoid(first.detach()))
    assert first.grad is not None
    assert codes.grad is not None
    assert torch.allclose(first.grad, codes.grad * slope)


def test_gradients_are_those_of_differences() -> None:
    features, words = drawn(B, D).requires_grad_(), drawn(C, D, seed=1).requires_grad_()
    wanted = targets(several=True)
    check = torch.autograd.gradcheck
    assert check(lambda f, w: losses.orthohash(f, w, wanted, 0.2, 0.2), (features, words))
    assert check(lambda f, w: losses.arcface(f, w, wanted, 0.2, 0.3), (features, words))
    assert check(lambda f: losses.ntxent(f, drawn(B, D, seed=2), 0.3), (features,))
    other = torch.sigmoid(drawn(B, D, seed=3))
    assert check(
        lambda f: losses.bernoulli_divergence(torch.sigmoid(f), other), (features,), atol=1e-4
    )


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(B)))
def test_losses_do_not_depend_on_the_order_of_a_batch(order: list[int]) -> None:
    features, words, wanted = drawn(B, D), drawn(C, D, seed=1), targets(several=True)
    for loss in (losses.orthohash, losses.arcface):
        moved = loss(features[order], words, wanted[order], 0.2, 0.2)
        assert moved.item() == pytest.approx(loss(features, words, wanted, 0.2, 0.2).item())
    second = drawn(B, D, seed=2)
    alike = losses.ntxent(features, second, 0.3).item()
    assert losses.ntxent(features[order], second[order], 0.3).item() == pytest.approx(alike)


def test_codewords_are_far_apart_and_old_ones_stay_when_a_class_comes() -> None:
    words = losses.codebook(20, 64, seed=0)
    assert set(words.flatten().tolist()) == {-1.0, 1.0}
    hamming = (64 - words @ words.T) / 2
    assert hamming[~torch.eye(20, dtype=torch.bool)].min() >= 20
    assert torch.equal(losses.codebook(21, 64, seed=0)[:20], words)
    assert not torch.equal(losses.codebook(20, 64, seed=1), words)
