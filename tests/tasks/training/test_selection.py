"""Which pictures are learned from, and which only choose: never one that may be a query."""

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.manifest import manifest
from data.store import Store
from tasks.measuring.queries import fingerprints
from tasks.training.selection import Wanted, held_out, selected
from tests.tasks.training.courses import Draw, fill


def digests(count: int) -> list[str]:
    return [hashlib.sha256(bytes([n % 256, n // 256])).hexdigest() for n in range(count)]


@given(st.floats(0.01, 0.9), st.sets(st.integers(0, 199), min_size=1))
def test_a_digest_is_held_out_whatever_else_is_in_the_set(share: float, among: set[int]) -> None:
    every = digests(200)
    whole = held_out(every, share)
    some = sorted(among)
    assert held_out([every[n] for n in some], share).tolist() == whole[some].tolist()
    assert held_out(every, 0.95)[whole].all()
    assert [int(digest, 16) >= (1 - share) * 2**256 for digest in every] == whole.tolist()


def test_about_the_share_is_held_out() -> None:
    assert held_out(digests(20_000), 0.1).mean() == pytest.approx(0.1, abs=0.01)


@pytest.fixture
def mixed(store: Store, draw: Draw) -> int:
    """80 pictures, the last 30 for tests; of every fifth to learn from there is a copy there."""
    contents = [draw(n) for n in range(50)] + [
        draw(5 * n if n < 10 else 100 + n) for n in range(30)
    ]
    splits = ["train"] * 50 + ["test"] * 30
    return fill(store, contents, [[f"c{n % 4}"] for n in range(80)], splits)


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_no_query_of_a_split_chooses_the_epoch(
    store: Store, mixed: int, draw: Draw, share: float
) -> None:
    chosen = selected(store, "toy", mixed, Wanted(labels="all"))
    learned, held = chosen.parted(share)
    assert held is not None
    test = selected(store, "toy", mixed, Wanted(split="test"))
    copied = {hashlib.sha256(draw(5 * n)).hexdigest() for n in range(10)}
    queries = set(test.digests) | copied
    assert not queries & set(held.digests)
    assert not set(learned.digests) & set(held.digests)
    assert sorted(learned.digests + held.digests) == sorted(chosen.digests)
    expected = {digest for digest in chosen.digests if held_out([digest], share)[0]} - copied
    assert set(held.digests) == expected
    # some would have been held out, had they no copy
    assert share < 0.5 or any(held_out([digest], share)[0] for digest in copied)


def test_no_query_of_a_night_without_a_split_chooses_the_epoch(store: Store, version: int) -> None:
    _, held = selected(store, "toy", version, Wanted()).parted(0.25)
    assert held is not None
    images = fingerprints(selected(store, "toy", version, Wanted()).rows["digest"])
    # `tasks.measuring.queries.picked` asks the lowest of them
    asked = np.sort(images)[: len(images) - len(held)]
    assert not np.isin(fingerprints(held.rows["digest"]), asked).any()


def test_a_copy_of_which_no_split_is_said_may_be_a_query_too(store: Store, draw: Draw) -> None:
    splits = ["train"] * 20 + [None] * 20
    version = fill(store, [draw(n % 20) for n in range(40)], [["c"]] * 40, splits)  # type: ignore[arg-type]
    chosen = selected(store, "toy", version, Wanted())
    assert (len(chosen), chosen.split) == (20, "train")
    assert chosen.elsewhere.all()


def test_pictures_come_by_shard_and_offset_and_the_first_key_speaks_for_its_copies(
    store: Store, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever order a manifest lists its rows; every third picture has a copy."""
    labels = [[f"c{n}"] for n in range(60)]
    version = fill(store, [draw(n % 45) for n in range(60)], labels)
    table = manifest(store, "toy").open(version).to_table()
    backwards = table.take(pa.array(range(len(table)))[::-1])

    class Manifest:
        def open(self, version: int) -> "Manifest":
            return self

        def to_table(self, columns: list[str], **said: str) -> pa.Table:
            return backwards.select(columns)

    monkeypatch.setattr("tasks.training.selection.manifest", lambda *_: Manifest())
    rows = selected(store, "toy", version, Wanted(labels="all")).rows.to_pylist()
    places = [(row["shard"], row["offset"]) for row in rows]
    assert len(set(places)) == 45
    assert places == sorted(places)
    assert {row["key"]: row["labels"] for row in rows} == {f"{n:03d}": labels[n] for n in range(45)}


def test_marks_stay_with_their_pictures(store: Store, mixed: int) -> None:
    chosen = selected(store, "toy", mixed, Wanted(labels="all"))
    said = {row["digest"]: row["labels"][0] for row in chosen.rows.to_pylist()}
    for part in chosen.parted(0.3):
        assert part is not None
        assert part.labels is not None
        names = [part.labels.names[code] for code in part.labels.first]
        assert names == [said[digest] for digest in part.digests]


def test_labels_that_may_not_be_seen_are_not_seen_when_an_epoch_is_chosen(
    store: Store, mixed: int
) -> None:
    seen = selected(store, "toy", mixed, Wanted(labels="all", labelled=0.3))
    some = selected(store, "toy", mixed, Wanted(labels="some", labelled=0.3))
    assert some.labels is not None
    told = {d for d, count in zip(some.digests, some.labels.counts, strict=True) if count}
    assert told == set(seen.digests)
    _, held = some.parted(0.5)
    assert held is not None
    assert held.labels is not None
    shown = {d for d, count in zip(held.digests, held.labels.counts, strict=True) if count}
    assert shown == told & set(held.digests)


CAPTIONS = [["A red ball."], [], ["The red car", "a car"], ["one ball"]]


@pytest.mark.parametrize(
    ("tags", "words", "count"),
    [
        ([[], ["red", "red"], ["red"], ["x"]], ["red"], [[2], [1], [0]]),
        ([[], [], [], []], ["ball", "red"], [[1, 1], [0, 1], [1, 0]]),
    ],
)
def test_words_are_tags_or_those_of_captions_where_there_is_no_tag_at_all(
    store: Store, draw: Draw, tags: list[list[str]], words: list[str], count: list[list[int]]
) -> None:
    contents = [draw(n) for n in range(4)]
    said = {"tags": tags, "captions": CAPTIONS}
    version = fill(store, contents, [[]] * 4, said=said)
    chosen = selected(store, "toy", version, Wanted(words=True))
    told = [n for n in range(4) if (tags[n] or (not any(tags) and CAPTIONS[n]))]
    assert chosen.words is not None
    assert chosen.words.names == words
    by_digest = {hashlib.sha256(contents[n]).hexdigest(): row
                 for n, row in zip(told, count, strict=True)}  # fmt: skip
    dense = chosen.words.dense(np.arange(len(chosen))).tolist()
    assert dict(zip(chosen.digests, dense, strict=True)) == by_digest
    assert "captions" not in chosen.rows.column_names


def test_a_share_that_leaves_nothing_is_refused(store: Store, version: int) -> None:
    chosen = selected(store, "toy", version, Wanted())
    assert chosen.parted(0) == (chosen, None)
    with pytest.raises(ValueError, match="holds out 0 of 40 pictures, and two are needed"):
        chosen.parted(1e-6)
    with pytest.raises(ValueError, match="holds out 40 of 40"):
        chosen.parted(0.999999)


@pytest.mark.parametrize("held", [1, 2, 38, 39])
def test_two_pictures_are_needed_on_both_sides(store: Store, version: int, held: int) -> None:
    chosen = selected(store, "toy", version, Wanted())
    numbers = sorted(int(digest, 16) / 2**256 for digest in chosen.digests)
    share = 1 - (numbers[39 - held] + numbers[40 - held]) / 2
    if held in (1, 39):
        with pytest.raises(ValueError, match=f"holds out {held} of 40 pictures, and two are need"):
            chosen.parted(share)
        return
    learned, kept = chosen.parted(share)
    assert kept is not None
    assert (len(learned), len(kept)) == (40 - held, held)
