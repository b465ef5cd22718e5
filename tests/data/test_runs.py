"""Runs: cut into batches with all that goes along, sorted, and no key twice."""

import numpy as np
import pyarrow as pa
import pytest

from data.adapters.columns import lists
from data.adapters.files import ROWS
from data.adapters.runs import Row, rows_of, run_batches, runs_of, sorted_run
from data.sample import LISTING


def rows(count: int) -> list[Row]:
    return [
        (f"{number:06d}", f"/x/{number}", number, number + 1, f"e{number}")
        for number in range(count)
    ]


def test_a_long_run_is_cut_and_what_is_said_of_its_files_with_it() -> None:
    count = 2 * ROWS + 3
    run = sorted_run(reversed(rows(count)), "here")
    assert list(rows_of(run)) == rows(count)
    parts = list(runs_of(rows(count)))
    assert [len(part.keys) for part in parts] == [ROWS, ROWS, 3]
    assert [row for part in parts for row in rows_of(part)] == rows(count)
    labels = [f"c{number % 7}" for number in range(count)]
    splits = ["train" if number % 3 else "" for number in range(count)]
    words = [f"w{number}" for number in range(count)]
    tags = lists(pa.array(words), np.ones(count, np.int64))
    batches = list(run_batches(run, splits, labels, tags, before="x/"))
    assert [batch.num_rows for batch in batches] == [ROWS, ROWS, 3]
    table = pa.Table.from_batches(batches, LISTING)
    table.validate(full=True)
    assert table["key"].to_pylist() == [f"x/{row[0]}" for row in rows(count)]
    assert table["uri"].to_pylist() == [row[1] for row in rows(count)]
    assert table["size"].to_pylist() == [row[2] for row in rows(count)]
    assert table["mtime"].to_pylist() == [row[3] for row in rows(count)]
    assert table["etag"].to_pylist() == [row[4] for row in rows(count)]
    assert table["labels"].to_pylist() == [[label] for label in labels]
    assert table["tags"].to_pylist() == [[word] for word in words]
    assert table["split"].to_pylist() == splits


def test_one_word_may_hold_for_all_and_none_is_no_label() -> None:
    run = sorted_run(rows(2), "here")
    (batch,) = run_batches(run, "test", "")
    assert batch["split"].to_pylist() == ["test", "test"]
    assert batch["labels"].to_pylist() == [[], []]
    assert not list(run_batches(sorted_run([], "here"), "", ""))


def test_a_key_that_is_there_twice_is_named() -> None:
    with pytest.raises(ValueError, match="here holds '000001' twice"):
        sorted_run([*rows(3), ("000001", "/y", 1, 1, "")], "here")
