"""`nightjar tune` moves the alias to a cheaper setting, which later nights and searches use."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from data.aliases import Alias
from tests.flows.album import Album

Say = Callable[..., Result]


@pytest.fixture
def indexed(album: Album, monkeypatch: pytest.MonkeyPatch) -> Album:
    """Forty pictures with an ANN index of six partitions."""
    monkeypatch.setenv("NIGHTJAR_STORE", str(album.folder / "store"))
    album.fields |= {"index": {"exact_below": 20}, "gates": {"ann_recall": 0.5}}
    album.copy(album.names()[0], "class0/copy.jpg")
    assert album.night().promoted
    return album


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_setting_is_measured_kept_and_goes_on_with_the_next_night(
    say: Say, album: Album, indexed: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTJAR_STORE", str(indexed.folder / "store"))
    before = indexed.production
    dry = told(
        say("tune", indexed.path, "--recall", "0.9", "--queries", "30", "--dry-run", "--json")
    )
    assert dry["dry_run"]
    assert indexed.production == before
    found = told(say("tune", indexed.path, "--recall", "0.9", "--queries", "30", "--json"))
    assert found["chosen"]["recall"] >= 0.9
    assert found["chosen"] in found["enough"]
    assert found["partitions"] == 6
    tuned = indexed.production
    assert (tuned.place, tuned.why) == (before.place, "tuned")
    assert tuned.probing
    assert tuned.probing.nprobes == found["chosen"]["nprobes"]
    query = indexed.root / indexed.names()[5]
    (first,) = told(say("search", query, "-r", indexed.path, "-k", "1", "--json"))
    assert first["key"] == indexed.names()[5]
    indexed.touch(indexed.names()[0])
    (indexed.root / indexed.names()[1]).unlink()
    ledger = indexed.night()
    assert ledger.promoted
    assert indexed.production.place != before.place
    assert indexed.production.probing == tuned.probing
    words = say("tune", indexed.path, "--recall", "0.9", "-k", "5", "--most", "6")
    assert "recall@5" in words.stdout
    assert "search of" in words.stdout
    assert told(say("tune", indexed.path, "--reset", "--dry-run", "--json"))["dry_run"]
    assert indexed.production.probing
    assert "asks with what is usual" in say("tune", indexed.path, "--reset").stdout
    assert indexed.production.probing is None
    moves = len(Alias(indexed.store, "toy").history())
    assert say("tune", indexed.path, "--reset").exit_code == 0
    assert len(Alias(indexed.store, "toy").history()) == moves  # there was nothing to reset


def test_what_cannot_be_is_said(
    say: Say, tmp_path: Path, album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTJAR_STORE", str(album.folder / "store"))
    low = say("tune", album.path, "--recall", "0.5")
    assert (low.exit_code, "gates.ann_recall" in low.stderr) == (2, True)
    none = say("tune", album.path)
    assert (none.exit_code, "has no ANN index" in none.stderr) == (1, True)
    monkeypatch.setenv("NIGHTJAR_STORE", str(tmp_path / "empty"))
    empty = say("tune", album.path)
    assert (empty.exit_code, "no production version" in empty.stderr) == (1, True)
