"""Rewards of codes, and the policy's loss, against plain loops and against all codes there are."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import losses
from tests.models.formulas import B, D, drawn, mean, pairs_of, sigmoid, targets, uniform


def codes(seed: int, bits: int = 4) -> torch.Tensor:
    return losses.sign(drawn(B, bits, seed=seed))


def hamming(a: torch.Tensor, b: torch.Tensor) -> int:
    return sum(float(x) != float(y) for x, y in zip(a, b, strict=True))


def test_reinforce_is_its_formula() -> None:
    logits, bits, rewards, baseline = drawn(B, D), codes(1, D), uniform(B), uniform(B, seed=1)
    costs = []
    for i in range(B):
        chance, entropy = 0.0, 0.0
        for k in range(D):
            p = sigmoid(float(logits[i, k]))
            chance += math.log(p if bits[i, k] > 0 else 1 - p)
            entropy -= p * math.log(p) + (1 - p) * math.log(1 - p)
        costs.append(-(float(rewards[i] - baseline[i])) * chance - 0.01 * entropy)
    loss = losses.reinforce(logits, bits, rewards, baseline)
    assert loss.item() == pytest.approx(mean(costs))


@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_its_gradient_is_that_of_the_expected_reward_whatever_the_baseline(
    baseline: float,
) -> None:
    """Over all 2^3 codes, each with its probability."""
    logits = drawn(1, 3).requires_grad_()
    every = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=3))).double()  # (8, 3)
    rewards = uniform(8, seed=2)
    chances = torch.sigmoid(every * logits).prod(dim=1)  # (8,)
    (wanted,) = torch.autograd.grad(-(chances * rewards).sum(), logits)
    expected = torch.zeros(1, 3).double()
    for code, reward, chance in zip(every, rewards, chances.detach(), strict=True):
        loss = losses.reinforce(
            logits, code[None], reward[None], torch.tensor([baseline]).double(), bonus=0.0
        )
        expected += chance * torch.autograd.grad(loss, logits)[0]
    assert torch.allclose(expected, wanted)


def test_the_bonus_draws_bits_to_be_undecided() -> None:
    logits = torch.tensor([[2.0, -3.0]], requires_grad=True)
    nothing = torch.zeros(1)
    loss = losses.reinforce(logits, torch.ones(1, 2), nothing, nothing, bonus=1.0)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient[0, 0] > 0 > gradient[0, 1]


def average_precision(found: list[bool]) -> float:
    hits, total = 0, 0.0
    for rank, hit in enumerate(found, start=1):
        hits += hit
        total += hits / rank if hit else 0.0
    return total / hits if hits else 0.0


@pytest.mark.parametrize("wanted", [targets(), targets(several=True, unlabelled=(2,))])
@pytest.mark.parametrize("seed", range(3))
def test_the_reward_is_the_mean_precision_over_all_orders_of_ties(
    wanted: torch.Tensor, seed: int
) -> None:
    bits = codes(seed)
    rewards = losses.average_precision_reward(bits, losses.Pairs.of(wanted))
    alike, unlike = pairs_of(wanted)
    for i in range(B):
        others = [(hamming(bits[i], bits[j]), (i, j) in alike) for a, j in alike + unlike if a == i]
        orders = [
            average_precision([hit for _, hit in order])
            for order in itertools.permutations(others)
            if all(a[0] <= b[0] for a, b in itertools.pairwise(order))
        ]
        assert rewards[i].item() == pytest.approx(mean(orders))


def test_codes_that_are_their_class_earn_all_and_no_code_earns_what_it_cannot() -> None:
    words = losses.hash_centres(4, 8, seed=0)
    pairs = losses.Pairs.of(targets())
    perfect = losses.average_precision_reward(targets().float() @ words, pairs)
    assert perfect.tolist() == [1, 1, 0, 1, 1, 1]  # the third image is alone in its class
    assert losses.triplet_reward(targets().float() @ words, pairs, 2.0).tolist() == [0] * B


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), margin=st.sampled_from([0.0, 1.0, 2.5]))
def test_the_triplet_reward_is_its_formula(seed: int, margin: float) -> None:
    bits, wanted = codes(seed), targets(several=True, unlabelled=(2,))
    rewards = losses.triplet_reward(bits, losses.Pairs.of(wanted), margin)
    alike, unlike = pairs_of(wanted)
    for i in range(B):
        short = [
            max(0.0, margin + hamming(bits[i], bits[p]) - hamming(bits[i], bits[n])) / 4
            for a, p in alike
            for b, n in unlike
            if a == b == i
        ]
        assert rewards[i].item() == pytest.approx(-mean(short))


def test_a_code_is_rewarded_for_what_it_finds_among_others() -> None:
    bits, others = codes(3), codes(4)
    pairs = losses.Pairs.of(targets(several=True))
    for i in range(B):
        mixed = others.clone()
        mixed[i] = bits[i]  # a code is no answer to itself: its own place is not looked at
        earned = losses.average_precision_reward(bits, pairs, others)[i]
        assert earned.item() == pytest.approx(
            losses.average_precision_reward(mixed, pairs)[i].item()
        )
        short = losses.triplet_reward(bits, pairs, 1.0, others)[i]
        assert short.item() == pytest.approx(losses.triplet_reward(mixed, pairs, 1.0)[i].item())
