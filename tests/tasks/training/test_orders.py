"""Which rows come together in a step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.supervision import Batches
from tasks.training.orders import Rows, steps_of


def steps(
    kind: Batches, classes: list[int], batch: int, each: int = 2, seed: int = 0
) -> list[Rows]:
    rows = np.arange(len(classes)) * 10
    lots = np.random.default_rng(seed)
    return list(
        steps_of(
            rows,
            kind,
            batch,
            lots,
            classes=np.array(classes),
            each=each,
            mates=lambda some, lots: (some + 10 * lots.integers(1, 3)) % (10 * len(rows)),
        )
    )


@given(st.integers(4, 60), st.integers(1, 12), st.integers(0, 5))
def test_shuffled_steps_show_each_row_once(count: int, batch: int, seed: int) -> None:
    found = steps("shuffled", [0] * count, batch, seed=seed)
    assert len(found) == max(1, count // batch)
    shown = np.concatenate(found)
    assert len(set(shown)) == len(shown) == min(count, len(found) * batch)


@given(st.lists(st.integers(-1, 4), min_size=12, max_size=60), st.integers(0, 5))
def test_balanced_steps_hold_so_many_of_each_class(classes: list[int], seed: int) -> None:
    classes = [*classes, 0, 1, 2]
    for step in steps("balanced", classes, 6, each=2, seed=seed):
        mine = [classes[row // 10] for row in step]
        assert sorted(mine.count(one) for one in set(mine)) == [2, 2, 2]
        assert -1 not in mine
        for one in set(mine):
            if classes.count(one) > 1:
                same = [row for row in step if classes[row // 10] == one]
                assert len(set(same)) == 2


def test_every_row_of_a_class_has_its_turn_before_one_comes_again() -> None:
    found = np.concatenate(steps("balanced", [0] * 6 + [1] * 6, 4, each=2))
    assert sorted(found) == [row * 10 for row in range(12)]


def test_mixed_steps_are_a_quarter_of_rows_with_a_class() -> None:
    classes = [3] * 3 + [-1] * 29
    for step in steps("mixed", classes, 8):
        assert [classes[row // 10] for row in step] == [3, 3] + [-1] * 6
    for step in steps("mixed", classes, 12):
        assert [classes[row // 10] for row in step] == [3] * 3 + [-1] * 9
    for one in (0, -1):  # where all have one, and where nobody has
        whole = np.concatenate(steps("mixed", [one] * 16, 8))
        assert sorted(whole) == [row * 10 for row in range(16)]


@given(st.integers(2, 6), st.integers(2, 5), st.integers(2, 9), st.integers(0, 5))
def test_of_few_classes_a_balanced_step_takes_all_evenly(
    names: int, each: int, times: int, seed: int
) -> None:
    batch = each * times
    classes = [row % names for row in range(5 * names)]
    for step in steps("balanced", classes, batch, each=each, seed=seed):
        mine = np.bincount([classes[row // 10] for row in step], minlength=names)
        shown = mine[mine > 0]
        assert len(step) == batch
        assert len(shown) == min(names, times)
        assert shown.max() - shown.min() <= 1
        assert shown.min() >= each


def test_one_class_cannot_be_balanced() -> None:
    with pytest.raises(ValueError, match="two classes at least, and there are 1"):
        steps("balanced", [0, -1] * 8, 8, each=2)


@given(st.integers(4, 60), st.integers(2, 12), st.integers(0, 5))
def test_paired_steps_show_half_of_the_rows_each_with_its_mate(
    count: int, batch: int, seed: int
) -> None:
    found = steps("paired", [0] * count, batch, seed=seed)
    assert len(found) == max(1, count // batch)
    firsts, mates = zip(*(np.split(step, 2) for step in found), strict=True)
    shown = np.concatenate(firsts)
    assert len(set(shown)) == len(shown) == min(count, len(found) * (batch // 2))
    for first, mate in zip(firsts, mates, strict=True):
        assert set((mate - first) % (10 * count)) <= {10, 20}


def test_without_mates_each_row_is_its_own() -> None:
    lots = np.random.default_rng(0)
    for step in steps_of(np.arange(9), "paired", 4, lots, classes=np.zeros(9, int), each=2):
        assert np.array_equal(step[:2], step[2:])


@pytest.mark.parametrize("kind", ["shuffled", "balanced", "mixed", "paired"])
def test_the_seed_decides(kind: Batches) -> None:
    classes = [0, 1, -1, 2, 3] * 8
    same = [np.concatenate(steps(kind, classes, 8, seed=seed)).tolist() for seed in (1, 1, 2)]
    assert same[0] == same[1] != same[2]
