"""Rows of text files as they are found: without header, with stray quotes, uneven, in archives."""

import gzip
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from data.adapters import rows
from data.adapters.rows import Dialect, column_names, row_batches

LOG = Dialect(names=("key", "query", "clicks"), quoted=False)
KINDS = {"key": pa.string(), "query": pa.string(), "clicks": pa.int64()}


def read(
    path: Path | str, kinds: dict[str, pa.DataType], dialect: Dialect
) -> list[dict[str, object]]:
    return [row for batch in row_batches(str(path), kinds, dialect) for row in batch.to_pylist()]


def test_a_log_without_header_whose_quotes_are_letters(tmp_path: Path) -> None:
    path = tmp_path / "log.tsv"
    path.write_text('k1\tthe "best\t3\nk2\t5" nails\t1\n')
    assert read(path, KINDS, LOG) == [
        {"key": "k1", "query": 'the "best', "clicks": 3},
        {"key": "k2", "query": '5" nails', "clicks": 1},
    ]
    assert column_names(str(path), LOG) == ["key", "query", "clicks"]


def test_uneven_rows_are_an_error_or_passed_over_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log.tsv"
    path.write_text("k1\ta\t3\nk2\tb\nk3\tc\td\t1\nk4\te\t4\n")
    with pytest.raises(ValueError, match=r"log\.tsv.*Expected 3 columns, got 2"):
        read(path, KINDS, LOG)
    lenient = Dialect(names=LOG.names, quoted=False, uneven=True)
    assert [row["key"] for row in read(path, KINDS, lenient)] == ["k1", "k4"]
    assert "2 uneven rows passed over, first 2 fields for 3: k2\tb" in caplog.text


def test_a_column_that_is_not_there_is_an_error_that_names_the_list(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"x\.csv: .*'c'"):
        list(row_batches(str(path), {"c": pa.string()}))


def test_what_need_not_be_text_is_read_as_bytes(tmp_path: Path) -> None:
    path = tmp_path / "images.tsv"
    path.write_bytes(b"k1\t/9j/\xff=\n")
    dialect = Dialect(names=("key", "image"), quoted=False)
    assert read(path, {"key": pa.string(), "image": pa.binary()}, dialect) == [
        {"key": "k1", "image": b"/9j/\xff="}
    ]
    with pytest.raises(ValueError, match="UTF8"):
        read(path, {"image": pa.string()}, dialect)


def test_a_list_of_paths_and_numbers_parted_by_a_space(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("a/1.jpg 0\na/2.jpg 1\n")
    found = read(path, {"path": pa.string(), "label": pa.int64()}, Dialect(names=("path", "label")))
    assert [row["label"] for row in found] == [0, 1]


def test_a_table_in_a_zip_or_packed_is_read_like_any_other(tmp_path: Path) -> None:
    text = b'CID,Category\n1,"Shoes;Boots"\n'
    with zipfile.ZipFile(tmp_path / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/meta.csv", text)
    (tmp_path / "meta.csv.gz").write_bytes(gzip.compress(text))
    kinds = {"CID": pa.string(), "Category": pa.string()}
    for path in (f"{tmp_path}/data.zip::data/meta.csv", tmp_path / "meta.csv.gz"):
        assert read(path, kinds, rows.USUAL) == [{"CID": "1", "Category": "Shoes;Boots"}]


def test_a_long_file_is_read_in_flat_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = 1 << 14
    monkeypatch.setattr(rows, "BLOCK", block)
    path = tmp_path / "log.tsv"
    with path.open("w") as out:
        for number in range(300_000):
            out.write(f"key{number:09d}\ta query of some words\t{number % 7}\n")
    assert path.stat().st_size > 600 * block
    before, most, count = pa.total_allocated_bytes(), 0, 0
    for batch in row_batches(str(path), KINDS, LOG):
        count += batch.num_rows
        most = max(most, pa.total_allocated_bytes() - before)
    assert count == 300_000
    assert most < 100 * block


def test_a_row_longer_than_a_block_needs_to_be_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BLOCK", 1000)
    path = tmp_path / "images.tsv"
    path.write_text("".join(f"k{number}\t{'x' * 3000}\n" for number in range(9)))
    kinds = {"key": pa.string(), "image": pa.binary()}
    with pytest.raises(ValueError, match=r"images\.tsv"):
        read(path, kinds, Dialect(names=("key", "image"), quoted=False))
    found = read(path, kinds, Dialect(names=("key", "image"), quoted=False, longest=4000))
    assert len(found) == 9
