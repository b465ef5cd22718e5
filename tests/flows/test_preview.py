"""A plan tells what the night then does, to the picture, and leaves no trace in the store."""

import hashlib
import tempfile
from pathlib import Path

import pytest

from flows.preview import preview
from flows.reindex import reindex
from tasks.extract import Limits
from tests.flows.album import CHANGED, TRAIN, Album, photo


def bytes_of(folder: Path) -> dict[str, str]:
    """The digest of every file under FOLDER."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_planning_changes_nothing_and_leaves_nothing(
    album: Album, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    album.put("class0/new.jpg", photo(100))
    album.put("class0/000.jpg", b"broken")
    album.touch("class1/001.jpg")
    before = bytes_of(album.folder / "store")
    told = album.plan()
    assert {name: told[name] for name in (*CHANGED, "quarantined") if told[name]} == {
        "added": 1,
        "touched": 1,
        "quarantined": 1,
    }
    assert told["bytes"] == len(photo(100))
    assert bytes_of(album.folder / "store") == before
    assert not list(tmp_path.iterdir())


def test_what_a_picture_must_be_decoded_for_the_plan_cannot_know(album: Album) -> None:
    album.put("class0/cut.jpg", photo(100)[:-300])
    told = album.plan()
    assert (told["added"], told["quarantined"], told["embeds"]) == (1, 0, 1)
    ledger = album.night()
    assert (ledger.added, ledger.quarantined, ledger.embedded) == (0, 1, 0)
    told = album.plan()
    assert (told["added"], told["embeds"]) == (0, 0), "it is not tried again"


def test_a_new_encoder_needs_every_picture_again(album: Album) -> None:
    assert (album.plan()["embeds"], album.plan()["train"]) == (0, False)
    album.copy("class0/000.jpg", "class1/copy.jpg")
    album.fields["train"] = {**TRAIN, "seed": 8}
    told = album.plan()
    assert (told["embeds"], told["train"], told["duplicate"]) == (40, True, 1)
    assert album.night("fall").embedded == 40


def test_what_waits_from_a_bounded_night_is_planned(album: Album) -> None:
    for number in range(9):
        album.put(f"class0/new{number}.jpg", photo(100 + number))
    album.night(max_embeds=4)
    told = album.plan()
    assert (told["embeds"], told["added"]) == (5, 0)


def test_time_is_told_once_a_night_was_large_enough_to_measure(bare: Album) -> None:
    for number in range(60):
        bare.put(f"class{number % 3}/{number}.jpg", photo(number))
    assert bare.plan()["seconds"] is None
    reindex(bare.recipe, store=bare.store, limits=Limits())
    assert bare.plan()["seconds"] == 0
    for number in range(60, 90):
        bare.put(f"class{number % 3}/{number}.jpg", photo(number))
    told = bare.plan()
    assert told["rates"].keys() == {"read", "embed"}
    expected = 30 / told["rates"]["read"] + 30 / told["rates"]["embed"]
    assert told["seconds"] == pytest.approx(expected, abs=0.01)


def test_a_source_that_is_not_there_is_named(bare: Album) -> None:
    bare.root.rmdir()
    with pytest.raises(OSError, match="pictures"):
        preview(bare.recipe, bare.store)
    assert not (bare.folder / "store").exists()
