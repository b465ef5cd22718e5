"""Compare: of each listed row its row in the snapshot, and whether that says the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data.store import Store
from data.workspace import Snapshot, snapshot
from tasks.compare import COMPARED, compare, compared, unlisted
from tasks.scan import ScanPlan, scan
from tests.tasks.nights import Memory, Nights, Picture, memory_nights, rows_in

Draw = Callable[..., bytes]


@pytest.fixture
def nights(store: Store, monkeypatch: pytest.MonkeyPatch) -> Nights:
    return replace(memory_nights(store, monkeypatch), scan=ScanPlan(wave=3))


def listed(nights: Nights, workspace: Path) -> tuple[Snapshot, list[Path]]:
    """The snapshot and the waves of a night on which nothing is done yet."""
    waves = list(scan(nights.source, nights.scan, workspace))
    return snapshot(nights.store, nights.dataset, workspace), waves


def test_each_listed_row_meets_its_row_of_the_manifest(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i)) for i in range(7)} | {"bad": Picture(b"none")}
    nights.night()
    Memory.pictures = {
        "new": Picture(draw(9)),
        "bad": Picture(b"none"),
        "3": Picture(draw(3), labels=("new",)),
        "1": Picture(draw(1), mtime=2),
        "0": Picture(draw(0)),
        "6": Picture(draw(6)),
        "5": Picture(draw(5)),
    }
    held, waves = listed(nights, tmp_path)
    seen = [compare(tmp_path, wave, held, 64) for wave in waves]
    assert len(seen) == 3
    assert all(pq.read_schema(path).names == COMPARED.names for path in seen)
    keys = pq.read_table(held.path, columns=["key"])["key"].to_pylist()
    listing = list(Memory.pictures)
    rows = [row for path in seen for row in rows_in(path)]
    assert {
        listing[row["position"]]: (
            None if row["row"] is None else keys[row["row"]],
            row["unread"],
            row["differs"],
        )
        for row in rows
    } == {
        "new": (None, True, True),
        "bad": ("bad", False, True),
        "3": ("3", False, True),
        "1": ("1", True, True),
        "0": ("0", False, False),
        "6": ("6", False, False),
        "5": ("5", False, False),
    }
    assert {keys[row] for row in unlisted(held, seen)["row"].to_pylist()} == {"2", "4"}


def test_before_the_first_night_every_row_is_new(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i)) for i in range(4)}
    held, waves = listed(nights, tmp_path)
    seen = [compare(tmp_path, wave, held, 64) for wave in waves]
    rows = [row for path in seen for row in rows_in(path)]
    assert sorted(row["position"] for row in rows) == [0, 1, 2, 3]
    assert all(row["row"] is None and row["unread"] and row["differs"] for row in rows)
    assert unlisted(held, seen).num_rows == 0


def test_an_empty_listing_leaves_all_rows_unlisted(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {"a": Picture(draw(1)), "b": Picture(draw(2))}
    nights.night()
    Memory.pictures = {}
    held, waves = listed(nights, tmp_path)
    assert waves == []
    assert unlisted(held, [])["row"].to_pylist() == [0, 1]


def test_what_was_said_of_a_wave_is_not_asked_again(
    nights: Nights, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Memory.pictures = {"a": Picture(draw(1))}
    held, (wave,) = listed(nights, tmp_path)
    path = compared(tmp_path, wave, held, 64)
    before = path.read_bytes()
    monkeypatch.setattr("tasks.compare.asking", None)
    assert compared(tmp_path, wave, held, 64).read_bytes() == before
