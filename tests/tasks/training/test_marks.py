"""What is said of rows, as numbers."""

import numpy as np
import pyarrow as pa
import torch
from hypothesis import given
from hypothesis import strategies as st

from tasks.training.marks import Marks, seen_share, words_in

SAID = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=4), min_size=1, max_size=12)


def column(said: list[list[str]]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(said, pa.list_(pa.string()))])


@given(SAID, st.data())
def test_rows_get_back_what_was_said_of_them(said: list[list[str]], data: st.DataObject) -> None:
    marks = Marks.of(column(said))
    assert marks.names == sorted({word for row in said for word in row})
    rows = np.array(data.draw(st.lists(st.integers(0, len(said) - 1), max_size=6)), np.int64)
    loops = torch.tensor([[float(said[r].count(name)) for name in marks.names] for r in rows])
    assert torch.equal(marks.dense(rows), loops.reshape(len(rows), len(marks.names)))
    assert marks.said == set(range(len(marks.names)))
    assert marks.first.tolist() == [marks.names.index(row[0]) if row else -1 for row in said]
    everything = marks.dense(np.arange(len(said)))
    assert torch.equal(marks.sparse().to_dense(), everything)
    kept = np.array([len(row) != 2 for row in said])
    hidden = marks.only(kept).dense(np.arange(len(said)))
    assert torch.equal(hidden, everything * torch.from_numpy(kept)[:, None])
    assert torch.equal(marks.at(kept).dense(np.arange(kept.sum())), everything[kept])


@given(SAID, st.data())
def test_rows_share_a_mark_when_a_name_was_said_of_both(
    said: list[list[str]], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(said)))
    whole = Marks.of(column(said))
    first = np.arange(len(said)) < cut
    one, other = whole.at(first), whole.at(~first)
    rows, others = (
        np.array(data.draw(st.lists(st.integers(0, len(part) - 1))) if len(part) else [], np.int64)
        for part in (one, other)
    )
    loops = [[bool({*said[r]} & {*said[cut + o]}) for o in others] for r in rows]
    found = one.shared(rows, other, others)
    assert found.tolist() == loops
    assert found.shape == (len(rows), len(others))


def test_a_vocabulary_holds_the_most_frequent_words_alone() -> None:
    marks = Marks.of(column([["sky", "sea"], ["sky", "x"], ["sea"], [], ["sky", "sand"]]), 3, 2)
    assert marks.names == ["sea", "sky"]
    assert marks.counts.tolist() == [2, 1, 1, 0, 1]


def test_of_words_that_as_many_rows_say_the_first_by_name_are_known() -> None:
    assert Marks.of(column([["ba"], ["ca"], ["ab"]]), 2).names == ["ab", "ba"]


def test_marks_of_a_column_in_parts_are_those_of_the_whole() -> None:
    said = [["b"], [], ["a", "b"], ["c"], []]
    parts = pa.chunked_array([pa.array(said[n : n + 2], pa.list_(pa.string())) for n in (0, 2, 4)])
    whole, found = Marks.of(column(said)), Marks.of(parts)
    assert found.names == whole.names
    assert torch.equal(found.dense(np.arange(5)), whole.dense(np.arange(5)))
    assert len(Marks.of(parts.slice(0, 0))) == 0


def test_a_word_that_one_row_says_often_is_a_word_of_one_row() -> None:
    marks = Marks.of(column([["sea"] * 9, ["sky"], ["sky", "sky"], ["sand"], ["sand"]]), 2, 2)
    assert marks.names == ["sand", "sky"]
    assert marks.dense(np.array([2])).tolist() == [[0, 2]]


def test_captions_are_made_of_words_that_say_something() -> None:
    captions = pa.chunked_array(
        pa.array(rows, pa.list_(pa.string()))
        for rows in (
            [["A black dog runs.", "The DOG's on a beach!"], None, []],
            [["Zwei \u00c4pfel, 3 pears; 12 x"], ["and the"]],
        )
    )
    assert words_in(captions).to_pylist() == [
        ["black", "dog", "runs", "dog", "beach"],
        [],
        [],
        ["zwei", "\u00e4pfel", "pears", "12"],
        [],
    ]


def test_null_is_as_good_as_nothing() -> None:
    lists = pa.chunked_array([pa.array([["a"], None, ["b", "a"]], pa.list_(pa.string()))])
    assert Marks.of(lists).counts.tolist() == [1, 0, 2]


@given(st.integers(1, 30), st.floats(0.05, 1))
def test_the_same_labels_are_seen_whatever_else_there_is(count: int, share: float) -> None:
    said = [[str(row % 3)] for row in range(count)]
    digests = [f"{row * 7919 % 1009:04d}" for row in range(count)]
    seen = seen_share(Marks.of(column(said)), digests, share)
    for name in range(min(3, count)):
        mine = [row for row in range(count) if row % 3 == name]
        expected = sorted(mine, key=lambda row: digests[row])[: max(1, round(share * len(mine)))]
        assert [row for row in mine if seen[row]] == sorted(expected)
