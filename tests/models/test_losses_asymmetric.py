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
    """Codes (N, K), features (3, K) of the sampled rows, and who is alike (3, N)."""
    codes = losses.sign(drawn(N, bits, seed=seed))
    return codes, drawn(3, bits, seed=seed + 1), losses.sign(drawn(3, N, seed=seed + 2))


def cost(codes: torch.Tensor, features: torch.Tensor, similar: torch.Tensor) -> float:
    return losses.adsh(features, codes, similar, codes[ROWS], 3.0).item()


def test_adsh_is_its_formula() -> None:
    codes, features, similar = database(0)
    bits = [[math.tanh(float(x)) for x in row] for row in features]
    total = 0.0
    for i in range(3):
        for j in range(N):
            total += (dot(bits[i], codes[j]) - 4 * float(similar[i, j])) ** 2
        total += 3 * sum((float(v) - u) ** 2 for v, u in zip(codes[ROWS[i]], bits[i], strict=True))
    assert cost(codes, features, similar) == pytest.approx(total / (3 * N))


def test_each_bit_of_the_codes_in_turn_is_the_best_there_is() -> None:
    """Two bits, and all 4^N databases that differ from the first in one bit of every code."""
    codes, features, similar = database(3, bits=2)
    updated = losses.adsh_codes(codes, torch.tanh(features), similar, ROWS, 3.0)
    stage = codes.clone()
    for bit in range(2):
        every = []
        for column in itertools.product([-1.0, 1.0], repeat=N):
            other = stage.clone()
            other[:, bit] = torch.tensor(column)
            every.append((cost(other, features, similar), other))
        stage = min(every, key=lambda pair: pair[0])[1]
    assert torch.equal(updated, stage)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_a_round_of_descent_never_costs_more_and_leaves_the_codes_it_was_given(seed: int) -> None:
    codes, features, similar = database(seed)
    kept = codes.clone()
    costs = [cost(codes, features, similar)]
    stage = codes
    for _ in range(3):
        stage = losses.adsh_codes(stage, torch.tanh(features), similar, ROWS, 3.0)
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
