"""Register: a night is one version or none, and a run that is repeated finds what it did."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from data.manifest import MANIFEST, manifest
from data.store import Store
from tasks.register import quarantine, register
from tests.tasks.nights import Memory, Nights, Picture, memory_nights

Draw = Callable[..., bytes]


@pytest.fixture
def nights(store: Store, monkeypatch: pytest.MonkeyPatch) -> Nights:
    return memory_nights(store, monkeypatch)


def fine() -> None:
    """The lease still holds."""


def versions(nights: Nights) -> int:
    return len(manifest(nights.store, nights.dataset).open().versions())


def test_a_night_is_one_version_that_names_its_run(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {"a": Picture(draw(1)), "b": Picture(draw(2))}
    assert nights.night("one")[0] == 1
    Memory.pictures = {"b": Picture(draw(3), mtime=2), "c": Picture(draw(4))}
    assert nights.night("two")[0] == 2
    table = manifest(nights.store, nights.dataset)
    assert [table.run_of(version) for version in (1, 2)] == ["one", "two"]
    assert table.open().schema.equals(MANIFEST)
    rows = nights.rows()
    assert {key: (row["state"], row["since"], row["run"]) for key, row in rows.items()} == {
        "a": ("removed", 2, "two"),
        "b": ("live", 2, "two"),
        "c": ("live", 2, "two"),
    }
    assert {key: row["state"] for key, row in nights.rows(1).items()} == {"a": "live", "b": "live"}


def test_a_tombstone_says_where_its_image_went(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {"a": Picture(draw(1), labels=("x",)), "b": Picture(draw(2))}
    nights.night()
    Memory.pictures = {"new": Picture(draw(1), labels=("x",))}
    nights.night()
    rows = nights.rows()
    assert {key: row["reason"] for key, row in rows.items()} == {
        "a": "moved to new",
        "b": "gone from the source",
        "new": "",
    }
    assert (rows["a"]["labels"], rows["new"]["labels"]) == ([], ["x"])


def test_a_night_without_change_makes_no_version(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {"a": Picture(draw(1)), "bad": Picture(b"no")}
    assert nights.night("one")[0] == 1
    assert nights.night("two")[0] == 1
    assert versions(nights) == 1


def test_a_source_without_images_is_a_version_too(nights: Nights, draw: Draw) -> None:
    assert nights.night()[0] == 1
    assert nights.rows() == {}
    Memory.pictures = {"a": Picture(draw(1))}
    assert nights.night()[0] == 2
    assert list(nights.rows()) == ["a"]


def test_a_run_that_died_after_its_commit_finds_it(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {"a": Picture(draw(1))}
    change = nights.change(tmp_path)
    assert register(nights.store, nights.dataset, change, "one", fine) == 1
    assert register(nights.store, nights.dataset, change, "one", fine) == 1
    assert versions(nights) == 1


def test_who_may_write_no_longer_leaves_no_version(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    class Lost(RuntimeError):
        """The lease is another's."""

    def lost() -> None:
        raise Lost

    Memory.pictures = {"a": Picture(draw(1))}
    change = nights.change(tmp_path)
    with pytest.raises(Lost):
        register(nights.store, nights.dataset, change, "one", lost)
    assert not manifest(nights.store, nights.dataset).exists()


def test_a_change_told_against_an_older_version_is_refused(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {"a": Picture(draw(1))}
    nights.night("one")
    Memory.pictures |= {"b": Picture(draw(2))}
    change = nights.change(tmp_path)
    assert nights.night("two")[0] == 2
    with pytest.raises(OSError, match="conflict"):
        register(nights.store, nights.dataset, change, "three", fine)
    assert sorted(nights.rows()) == ["a", "b"]


def test_a_corrupt_replacement_withdraws_the_image(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {"a": Picture(draw(1))}
    nights.night()
    Memory.pictures = {"a": Picture(draw(1)[:30], mtime=2)}
    nights.night()
    row = nights.rows()["a"]
    assert (row["state"], row["shard"]) == ("quarantined", "")
    assert row["reason"] in {"truncated", "not an image"}


def bad(rows: dict[str, dict[str, str]], *keys: str) -> pa.Table:
    says = [
        {"digest": rows[key]["digest"], "reason": f"{key} is bad", "decoder": "d 1"} for key in keys
    ]
    return pa.Table.from_pylist(says)


def test_quarantine_is_by_content_and_keeps_the_bytes(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {
        "a": Picture(draw(1)),
        "a too": Picture(draw(1)),
        "b": Picture(draw(2)),
        "c": Picture(draw(3)),
    }
    nights.night("one")
    before = nights.rows()
    assert quarantine(nights.store, nights.dataset, bad(before, "a", "b"), "one", fine) == 2
    rows = nights.rows()
    assert {key: (row["state"], row["reason"], row["decoder"]) for key, row in rows.items()} == {
        "a": ("quarantined", "a is bad", "d 1"),
        "a too": ("quarantined", "a is bad", "d 1"),
        "b": ("quarantined", "b is bad", "d 1"),
        "c": ("live", "", ""),
    }
    assert [rows[key]["since"] for key in ("b", "c")] == [2, 1]
    assert nights.bytes_of(rows["a"]) == draw(1)
    assert quarantine(nights.store, nights.dataset, bad(before, "a", "b"), "one", fine) == 2
    assert versions(nights) == 2


def test_quarantining_nothing_makes_no_version(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {"a": Picture(draw(1))}
    nights.night()
    none = pa.table({name: pa.array([], pa.string()) for name in ("digest", "reason", "decoder")})
    assert quarantine(nights.store, nights.dataset, none, "one", fine) == 1


def test_a_copy_of_a_quarantined_image_is_quarantined_with_it(
    nights: Nights, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.pixels.DECODER", "d 1")
    monkeypatch.setattr("tasks.shard.DECODER", "d 1")
    Memory.pictures = {"a": Picture(draw(1))}
    nights.night()
    quarantine(nights.store, nights.dataset, bad(nights.rows(), "a"), "one", fine)
    Memory.pictures |= {"copy": Picture(draw(1)), "a": Picture(draw(1), mtime=2)}
    nights.night()
    assert {(row["state"], row["reason"]) for row in nights.rows().values()} == {
        ("quarantined", "a is bad")
    }
    monkeypatch.setattr("models.pixels.DECODER", "d 2")
    monkeypatch.setattr("tasks.shard.DECODER", "d 2")
    _, change = nights.night()
    assert {row["state"] for row in nights.rows().values()} == {"live"}
    assert (change.counts["changed"], change.bytes) == (2, 0)
