"""The pictures of an epoch: each once, in an order of the seed, shared among workers."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.store import Store
from models.pixels import Transform
from tasks.training import training_set
from tasks.training.selection import Wanted, selected
from tasks.training.training_set import Rows, Share, TrainingSet
from tests.tasks.training.courses import Draw, fill, plan

ROOM = 3 * 16 * 16


def pictures(store: Store, version: int, memory: int, **more: Any) -> TrainingSet:
    wanted: dict[str, Any] = {"labels": "all"}
    own = ("threads", "kind", "each")
    wanted |= {name: more.pop(name) for name in list(more) if name not in own}
    chosen = selected(store, "toy", version, Wanted(**wanted))
    return TrainingSet(store, "toy", chosen, transform=Transform(size=16), memory=memory, **more)


def shown(rows: TrainingSet) -> list[tuple[int, torch.Tensor]]:
    """Each good row and its pixels."""
    some = [(some.rows, some.pixels) for some in rows.each_once(16)]
    return [pair for mine, pixels in some for pair in zip(mine.tolist(), pixels, strict=True)]


@pytest.mark.parametrize("memory", [1000 * ROOM, 7 * ROOM])
def test_an_epoch_shows_each_good_picture_at_most_once_with_its_label(
    store: Store, version: int, draw: Draw, memory: int
) -> None:
    known = {Transform(size=16)(draw(number)).numpy().tobytes(): number % 4 for number in range(39)}
    rows = pictures(store, version, memory)
    rows.prepare(lambda done, total: None)
    assert rows.fits == (memory > 40 * ROOM)
    assert rows.labels is not None
    assert rows.labels.names == ["c0", "c1", "c2", "c3"]
    seen = []
    for images, _, targets, *_ in rows.batches(0, 0, 8, Share()):
        assert targets is not None
        assert targets.sum(dim=1).tolist() == [1] * 8
        for image, target in zip(images, targets, strict=True):
            assert known[image.numpy().tobytes()] == int(target.argmax())
            seen.append(image.numpy().tobytes())
    assert len(seen) == rows.steps(8) * 8 >= 32
    # while streaming, the place of the one that cannot be decoded goes to another
    assert len(set(seen)) >= len(seen) - (0 if rows.fits else 1)


@pytest.mark.parametrize("memory", [1000 * ROOM, 7 * ROOM])
def test_the_order_depends_on_seed_and_epoch_alone(store: Store, version: int, memory: int) -> None:
    def order(epoch: int, seed: int) -> list[bytes]:
        rows = pictures(store, version, memory, threads=2)
        rows.prepare(lambda done, total: None)
        return [some.pixels.numpy().tobytes() for some in rows.batches(epoch, seed, 8, Share())]

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(epoch, seed)) for epoch in (0, 1) for seed in (0, 1)}) == 4


@pytest.mark.parametrize("memory", [1000 * ROOM, 7 * ROOM])
def test_workers_share_each_batch_without_overlap(store: Store, version: int, memory: int) -> None:
    shares = []
    for rank in range(2):
        rows = pictures(store, version, memory)
        rows.prepare(lambda done, total: None)
        batches = list(rows.batches(0, 0, 8, Share(rank, 2)))
        assert [len(some.rows) for some in batches] == [4] * rows.steps(8)
        shares.append({image.numpy().tobytes() for some in batches for image in some.pixels})
    assert not shares[0] & shares[1]


def test_workers_leave_pairs_together(store: Store, version: int) -> None:
    def next_but_bad(rows: Rows, lots: np.random.Generator) -> Rows:
        good = np.setdiff1d(np.arange(40), sorted(whole.bad))
        return good[(np.searchsorted(good, rows) + 1) % len(good)]

    whole = pictures(store, version, 1000 * ROOM, kind="paired")
    whole.prepare(lambda done, total: None)
    assert len(whole.bad) == 1
    for some in zip(
        *(whole.batches(0, 0, 10, Share(rank, 2), mates=next_but_bad) for rank in range(2)),
        strict=True,
    ):
        assert [len(mine.rows) for mine in some] == [6, 4]
        for mine in some:
            first, mates = np.split(mine.rows, 2)
            assert np.array_equal(mates, next_but_bad(first, np.random.default_rng(0)))
            assert mine.targets is not None
            told = {row: pixels.numpy().tobytes() for row, pixels in shown(whole)}
            for row, pixels in zip(mine.rows, mine.pixels, strict=True):
                assert pixels.numpy().tobytes() == told[row]


def test_every_worker_of_a_balanced_step_has_two_of_each_class(store: Store, version: int) -> None:
    rows = pictures(store, version, 1000 * ROOM, kind="balanced", each=5)
    rows.prepare(lambda done, total: None)
    for rank in range(2):
        for some in rows.batches(0, 0, 10, Share(rank, 2)):
            assert some.targets is not None
            counts = some.targets.sum(dim=0)
            assert counts[counts > 0].tolist() in ([2, 3], [3, 2])
    said = {"supervision": "supervised", "network": "siamese_triplet", "workers": 2}
    with pytest.raises(ValueError, match="set each, 2, to 4 at least"):
        plan(each=2, **said)
    with pytest.raises(ValueError, match="set batch, 3, to 4 at least"):
        plan(workers=2, batch=3)
    assert plan(each=4, **said).batches == "balanced"
    assert plan(each=2, **(said | {"workers": 1})).workers == 1


def test_pairs_are_looked_for_in_memory_alone(store: Store, version: int) -> None:
    few = pictures(store, version, 7 * ROOM, kind="paired")
    with pytest.raises(ValueError, match="Steps that are paired are chosen among pictures in mem"):
        next(few.batches(0, 0, 8, Share()))


def test_copies_count_once_and_pictures_without_labels_not_at_all(store: Store, draw: Draw) -> None:
    contents = [draw(n % 6) for n in range(12)]
    version = fill(store, contents, [[] if n % 6 == 5 else [f"c{n % 2}", "all"] for n in range(12)])
    assert len(pictures(store, version, 1 << 20)) == 5
    assert len(pictures(store, version, 1 << 20, labels="none")) == 6


@pytest.mark.parametrize("memory", [1000 * ROOM, 2 * ROOM])
def test_a_label_that_is_said_twice_of_a_picture_is_its_label_once(
    store: Store, draw: Draw, memory: int
) -> None:
    labels = [["a", "a"], ["a", "b"], ["b"], ["b", "b", "b"]]
    rows = pictures(store, fill(store, [draw(n) for n in range(4)], labels), memory)
    rows.prepare(lambda done, total: None)
    (some,) = rows.batches(0, 0, 4, Share())
    assert some.targets is not None
    found = {row: target for row, target in zip(some.rows, some.targets.tolist(), strict=True)}
    said = rows.chosen.rows["labels"].to_pylist()
    assert found == {n: [float("a" in one), float("b" in one)] for n, one in enumerate(said)}


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 40), st.integers(1, 9)), max_size=20))
def test_runs_are_read_at_once_that_are_near_and_not_too_long(
    drawn: list[tuple[int, int, int]],
) -> None:
    """Cut where a shard ends, the gap is wider than 5 or the run would pass 30 bytes."""
    shards, gaps, lengths = (list(column) for column in zip(*drawn, strict=True)) if drawn else (
        [], [], []
    )  # fmt: skip
    shards = sorted(shards)
    ends = np.cumsum(np.array(gaps, np.int64) + np.array(lengths, np.int64))
    offsets = ends - np.array(lengths, np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_set, "GAP_BYTES", 5)
        patch.setattr(training_set, "READ_BYTES", 30)
        every = np.arange(len(drawn))
        runs = [
            run.tolist() for run in training_set._runs(every, shards, offsets, np.array(lengths))
        ]
    wanted: list[list[int]] = []
    for row in range(len(drawn)):
        before = wanted[-1] if wanted else []
        near = (
            bool(before)
            and shards[before[-1]] == shards[row]
            and offsets[row] - ends[before[-1]] <= 5
            and ends[row] - offsets[before[0]] <= 30
        )
        wanted = [*wanted[:-1], [*before, row]] if near else [*wanted, [row]]
    assert runs == wanted
