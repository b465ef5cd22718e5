"""Each measure against plain loops over every order of the ties, and the laws that hold."""

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.measures import measure
from tests.models.rankings import NAMES, levels_of, ranked


def loop(name: str, grades: Sequence[int], within: int = 0) -> tuple[float, float]:
    """The measure NAME of one ranking by loops, as a sum and what divides it.

    WITHIN items are inside the Hamming radius.
    """
    one = measure(name)
    k, hits = one.k, [grade > 0 for grade in grades]
    total = sum(hits)
    kind = name.partition("@")[0].partition("[")[0]
    cut = {"map_at_r": total, "map": k or len(grades)}.get(kind, k)
    if kind in ("map", "map_at_r"):
        found = sum(sum(hits[: i + 1]) / (i + 1) for i in range(min(cut, len(hits))) if hits[i])
        by = {"hits": sum(hits[:cut]), "min": min(cut, total)}.get(name[-5:-1].strip("["), total)
        if name.endswith("[hits]"):
            return found, sum(hits[:cut])
        return found, min(cut, total) if name.endswith("[min]") else by
    if kind == "map_roxf":
        places = [i for i, hit in enumerate(hits) if hit]
        value = 0.0
        for j, rank in enumerate(places):  # revisitop's compute_ap, ranks from 0
            before = j / rank if rank else 1.0
            value += (before + (j + 1) / (rank + 1)) / 2 / len(places)
        return value, 1
    if kind == "mp":
        places = [i + 1 for i, hit in enumerate(hits) if hit]
        last = min(max(places), k)
        return sum(place <= last for place in places) / last, 1
    if kind == "wap":
        gained = [sum(grades[: i + 1]) / (i + 1) for i in range(min(k, len(hits))) if hits[i]]
        return sum(gained), len(gained)
    if kind in ("ndcg", "dcg"):
        worth: Callable[[int], float] = (lambda g: g) if "linear" in name else (lambda g: 2**g - 1)

        def gain(order: Sequence[int]) -> float:
            return sum(worth(g) / math.log2(i + 2) for i, g in enumerate(order[:k]))

        best = gain(sorted(grades, reverse=True))
        return (gain(grades) / best if kind == "ndcg" else 0.01757 * gain(grades)), 1
    if kind == "ahp":
        best_first = sorted(grades, reverse=True)
        return sum(sum(grades[:i]) / sum(best_first[:i]) for i in range(1, k + 1)), k
    simple: dict[str, Callable[[], float]] = {
        "r_precision": lambda: sum(hits[:total]) / total,
        "p": lambda: (
            sum(hits[:within]) / max(within, 1) if name.startswith("p[") else sum(hits[:k]) / k
        ),
        "recall": lambda: sum(hits[:k]) / total,
        "cmc": lambda: float(any(hits[:k])),
        "mrr": lambda: next((1 / (i + 1) for i in range(min(k, len(hits))) if hits[i]), 0.0),
        "acg": lambda: sum(grades[:k]) / k,
        "coverage": lambda: float(within > 0),
        "ns_score": lambda: float(sum(hits[:4])),
    }
    return simple[kind](), 1


def every_order(levels: Sequence[Sequence[int]]) -> list[list[int]]:
    parts = [list(itertools.permutations(level)) for level in levels]
    return [list(itertools.chain(*order)) for order in itertools.product(*parts)]


tied = st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=4).filter(
    lambda levels: any(grade for level in levels for grade in level)
)


@pytest.mark.parametrize("name", NAMES)
@given(levels=tied)
def test_each_measure_is_its_loop_over_every_order_of_the_ties(
    name: str, levels: list[list[int]]
) -> None:
    within = sum(map(len, levels[:2]))
    values = [loop(name, order, within) for order in every_order(levels)]
    if name.startswith("wap") or name.endswith("[hits]"):  # expected sum over expected hits
        total, by = (sum(part) for part in zip(*values, strict=True))
        expected = total / by if by else 0.0
    else:
        expected = float(np.mean([value / by for value, by in values]))
    assert measure(name).of(levels_of(levels))[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@given(levels=tied)
def test_each_measure_stays_within_its_range(name: str, levels: list[list[int]]) -> None:
    one = measure(name)
    value = one.of(levels_of(levels))[0]
    assert -1e-12 <= value <= one.kind.highest + 1e-12


FALLS = ("map@3[hits]", "wap@4", "mp@3", "coverage[h<=1]", "p[h<=1]")
"""What a better ranking may lower, or what does not look at the order."""


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FALLS])
@given(grades=st.lists(st.integers(0, 3), min_size=2, max_size=8), data=st.data())
def test_a_better_item_further_to_the_front_lowers_no_measure(
    name: str, grades: list[int], data: st.DataObject
) -> None:
    if not any(grades):
        return
    place = data.draw(st.integers(0, len(grades) - 2))
    better = grades.copy()
    if better[place + 1] > better[place]:
        better[place], better[place + 1] = better[place + 1], better[place]
    one = measure(name)
    assert one.of(ranked(better))[0] >= one.of(ranked(grades))[0] - 1e-12
