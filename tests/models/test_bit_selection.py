"""The order of bits: what a prefix is worth, and who finds the better order."""

import itertools
import math

import pytest
import torch

from models import bit_selection
from models.bit_selection import forward_order, log_chance, policy_order, worth
from models.metrics import average_precision


def toy(seed: int, count: int = 36, bits: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes of four classes, which two pairs of bits say by halves; and who is alike.

    All other bits are noise.
    """
    lots = torch.Generator().manual_seed(seed)
    classes = torch.arange(count) % 4
    codes = torch.rand(count, bits, generator=lots) < 0.5
    for bit, flaws in ((3, 0.02), (4, 0.04), (8, 0.1), (9, 0.12)):
        said = (classes // (1 if bit in (3, 4) else 2)) % 2 == 1
        codes[:, bit] = said ^ (torch.rand(count, generator=lots) < flaws)
    return codes, classes[:, None] == classes


def test_what_bits_are_worth_is_the_mean_average_precision_over_all_orders_of_ties() -> None:
    codes, alike = toy(0, count=6, bits=10)
    bits = torch.tensor([3, 8])
    total, asked = 0.0, 0
    for i in range(6):
        others = [
            (int((codes[i, bits] != codes[j, bits]).sum()), bool(alike[i, j]))
            for j in range(6)
            if j != i
        ]
        if not any(hit for _, hit in others):
            continue
        asked += 1
        orders = [
            order
            for order in itertools.permutations(others)
            if all(a[0] <= b[0] for a, b in itertools.pairwise(order))
        ]
        hits = torch.tensor([[hit for _, hit in order] for order in orders]).numpy()
        relevant = hits.sum(axis=1)
        total += float(average_precision(hits, relevant, "R").mean())
    assert 0 < asked < 6
    assert worth(codes, alike, bits) == pytest.approx(total / asked)


def test_codes_of_which_no_two_are_alike_are_refused() -> None:
    with pytest.raises(ValueError, match="No two of these codes are alike"):
        worth(torch.ones(3, 2, dtype=torch.bool), torch.eye(3, dtype=torch.bool), torch.tensor([0]))


def test_each_bit_of_the_greedy_order_is_the_best_there_is() -> None:
    codes, alike = toy(1, bits=10)
    order = forward_order(codes, alike, 4).tolist()
    for place in range(4):
        before, rest = order[:place], set(range(10)) - set(order[:place])
        found = {bit: worth(codes, alike, torch.tensor([*before, bit])) for bit in rest}
        assert found[order[place]] == max(found.values())
    assert {order[0], order[1]} & {8, 9}, "one of the two that say the half of the classes"
    assert {order[0], order[1]} & {3, 4}, "and not the other, which says the same"


def test_the_chance_of_an_order_is_its_formula_and_all_together_are_1() -> None:
    scores = torch.tensor([0.3, -1.0, 2.0, 0.7], dtype=torch.float64)
    total = 0.0
    for order in itertools.permutations(range(4), 2):
        chance, rest = 1.0, set(range(4))
        for bit in order:
            chance *= math.exp(float(scores[bit])) / sum(math.exp(float(scores[b])) for b in rest)
            rest.remove(bit)
        assert float(log_chance(scores, torch.tensor(order)).exp()) == pytest.approx(chance)
        total += chance
    assert total == pytest.approx(1)


@pytest.mark.parametrize("seed", [2, 3])
def test_a_policy_s_bits_beat_bits_by_lot_and_are_worth_what_greedy_ones_are(seed: int) -> None:
    codes, alike = toy(seed)
    lengths = (2, 4)

    def earned(order: torch.Tensor) -> float:
        return sum(worth(codes, alike, order[:length]) for length in lengths) / len(lengths)

    order = policy_order(codes, alike, lengths, steps=15, samples=4, seed=seed)
    assert sorted(order.tolist()) == list(range(12))
    assert torch.equal(order, policy_order(codes, alike, lengths, steps=15, samples=4, seed=seed))
    lots = torch.Generator().manual_seed(seed)
    by_lot = [earned(torch.randperm(12, generator=lots)) for _ in range(20)]
    greedy = forward_order(codes, alike, 4)
    assert earned(order) > max(by_lot)
    assert earned(order) >= earned(greedy) - 0.02
    rest = torch.tensor([bit for bit in range(12) if bit not in greedy.tolist()])
    mended = policy_order(codes, alike, lengths, torch.cat([greedy, rest]), steps=5, samples=2)
    assert earned(mended) >= earned(greedy)


def test_from_a_poor_start_the_policy_finds_bits_that_are_worth_much_more() -> None:
    codes, alike = toy(4)
    poor = torch.tensor([0, 1, 2, 5, 6, 7, 10, 11, 9, 8, 4, 3])  # noise first
    lengths = (2,)
    found = policy_order(codes, alike, lengths, poor, steps=40, samples=6, seed=1)
    assert worth(codes, alike, found[:2]) > worth(codes, alike, poor[:2]) + 0.2


@pytest.mark.parametrize("best", range(5))
def test_the_best_order_that_was_met_is_the_answer_drawn_or_not(
    best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start, and in each of two steps the order of the scores and one that is drawn."""
    codes, alike = toy(6)
    met: list[list[int]] = []

    def told(codes: torch.Tensor, alike: torch.Tensor, bits: torch.Tensor) -> float:
        met.append(bits.tolist())
        return 0.9 if len(met) == best + 1 else 0.1 * len(met)

    monkeypatch.setattr(bit_selection, "worth", told)
    found = policy_order(codes, alike, (12,), torch.arange(12), steps=2, samples=1, rate=3.0)
    assert len(met) == 5
    assert found.tolist() == met[best]
    assert met[0] == met[1] != met[3]


def test_the_seed_says_which_orders_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, alike = toy(6)
    met: list[list[int]] = []

    def seen(codes: torch.Tensor, alike: torch.Tensor, bits: torch.Tensor) -> float:
        met.append(bits.tolist())
        return 0.0

    monkeypatch.setattr(bit_selection, "worth", seen)
    drawn = []
    for seed in (1, 1, 2):
        met.clear()
        policy_order(codes, alike, (5,), torch.arange(12), steps=1, samples=4, seed=seed)
        drawn.append(met[2:])
    assert drawn[0] == drawn[1] != drawn[2]


def test_lengths_that_no_code_has_are_refused() -> None:
    codes, alike = toy(5)
    for lengths in ((), (0, 2), (13,)):
        with pytest.raises(ValueError, match="prefixes of 1 to 12"):
            policy_order(codes, alike, lengths)
