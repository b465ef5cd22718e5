"""Scan: the listing comes in waves, whole and in order, or says which key is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.sample import LISTING
from data.store import Store
from data.workspace import LISTED
from tasks.scan import ScanPlan, SourcePlan, scan
from tests.tasks.nights import Memory, Nights, Picture, memory_nights


@pytest.fixture
def nights(store: Store, monkeypatch: pytest.MonkeyPatch) -> Nights:
    return memory_nights(store, monkeypatch)


def listing(keys: list[str | None]) -> pa.RecordBatch:
    columns = {
        "key": keys,
        "uri": ["memory:x"] * len(keys),
        "size": [1] * len(keys),
        "mtime": [0] * len(keys),
        "etag": [""] * len(keys),
        **{name: [[]] * len(keys) for name in ("labels", "tags", "captions", "boxes")},
        "split": [""] * len(keys),
    }
    schema = pa.schema([field.with_nullable(True) for field in LISTING])
    return pa.RecordBatch.from_pydict(columns, schema=schema)


@pytest.mark.parametrize("wave", [1, 3, 7, 10, 100])
def test_waves_hold_the_listing_in_its_order(nights: Nights, tmp_path: Path, wave: int) -> None:
    Memory.pictures = {f"{9 - i}": Picture(b"x" * i, labels=(f"{i}",)) for i in range(10)}
    waves = list(scan(nights.source, ScanPlan(wave=wave), tmp_path))
    tables = [pq.read_table(path) for path in waves]
    assert [table.num_rows for table in tables[:-1]] == [wave] * (len(tables) - 1)
    whole = pa.concat_tables(tables)
    assert whole.schema.equals(LISTED)
    assert whole["key"].to_pylist() == list(Memory.pictures)
    assert whole["position"].to_pylist() == list(range(10))
    assert whole["labels"].to_pylist() == [[f"{i}"] for i in range(10)]


def test_a_wave_is_handed_out_before_the_listing_has_ended(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def endless(_: Memory) -> Iterator[pa.RecordBatch]:
        for number in range(100):
            drawn.append(number)
            yield listing([f"{number}"])

    monkeypatch.setattr(Memory, "listing", endless)
    stream = scan(nights.source, ScanPlan(wave=5), tmp_path)
    assert pq.read_metadata(next(stream)).num_rows == 5
    assert len(drawn) < 8


@pytest.mark.parametrize("wave", [2, 100])
def test_a_key_that_comes_twice_is_named(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wave: int
) -> None:
    batches = [listing(["a", "it's", "b"]), listing(["c", "d", "it's"])]
    monkeypatch.setattr(Memory, "listing", lambda _: iter(batches))
    with pytest.raises(ValueError, match=r"\"it's\" \(2 times\)"):
        list(scan(nights.source, ScanPlan(wave=wave), tmp_path))


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_picture_without_a_key_is_refused(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing: str | None
) -> None:
    batches = [listing(["a", "b"]), listing(["c", nothing])]
    monkeypatch.setattr(Memory, "listing", lambda _: iter(batches))
    with pytest.raises(ValueError, match="between its rows 2 and 3"):
        list(scan(nights.source, ScanPlan(), tmp_path))


def test_an_empty_source_has_no_wave(nights: Nights, tmp_path: Path) -> None:
    assert list(scan(nights.source, ScanPlan(), tmp_path)) == []


def test_an_unknown_source_is_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Unknown dataset 'foldr'.*Did you mean 'folder'"):
        list(scan(SourcePlan(dataset="foldr", root="/"), ScanPlan(), tmp_path))
