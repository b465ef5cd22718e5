"""Losses of the structure of the data against plain loops from their papers."""

import math

import pytest
import torch

from models import losses
from tests.models.formulas import B, D, cosine, drawn, softmax

FEATURES, SOURCE = drawn(B, D), drawn(B, 12, seed=1)


def test_neighbourhoods_are_their_formula() -> None:
    wanted = 0.0
    for i in range(B):
        others = [j for j in range(B) if j != i]
        p = softmax([cosine(SOURCE[i], SOURCE[j]) / 0.2 for j in others])
        q = softmax([cosine(FEATURES[i], FEATURES[j]) / 0.2 for j in others])
        wanted += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) / B
    assert losses.neighbourhoods(FEATURES, SOURCE, 0.2).item() == pytest.approx(wanted)


def test_what_has_the_same_neighbours_costs_nothing() -> None:
    turned = torch.linalg.qr(drawn(12, 12, seed=2)).Q
    assert losses.neighbourhoods(3 * SOURCE @ turned, SOURCE).item() == pytest.approx(0, abs=1e-9)
    assert losses.neighbourhoods(FEATURES, SOURCE).item() > 1


def test_the_source_of_neighbourhoods_learns_nothing() -> None:
    source = SOURCE.clone().requires_grad_()
    features = FEATURES.clone().requires_grad_()
    torch.autograd.backward(losses.neighbourhoods(features, source))
    assert source.grad is None
    assert features.grad is not None
