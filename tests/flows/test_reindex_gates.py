"""What holds a night back, what bounds it, and how production goes back and forth."""

import shutil
from typing import Any

import numpy as np
import pytest

from data.aliases import Alias
from data.store import Store
from tasks.balance import Ledger
from tasks.promote import rollback
from tasks.searching.search import MixedEncoders, Searcher
from tests.flows.album import TRAIN, Album, balanced, counts, photo

ONE_NUMBER: dict[str, Any] = {**TRAIN, "dimensions": 1}
"""An encoder that tells two kinds of pictures apart, and no two of a kind."""
KNOWN_ITEM = {"protocol": "known_item", "queries": 40, "k": 10}


def held(ledger: Ledger) -> tuple[str, ...]:
    """The gates that hold a night, each with a sentence of figures."""
    assert ledger.promoted == (not ledger.held_by)
    for figure in ledger.gates:
        assert not figure.held or any(letter.isdigit() for letter in figure.sentence)
    return ledger.held_by


@pytest.mark.parametrize("gate", ["fall", "coverage"])
def test_a_gate_that_was_waved_through_is_written_down(album: Album, gate: str) -> None:
    before = album.production
    album.put("class0/new.jpg", photo(900))
    if gate == "fall":
        album.fields |= {"train": ONE_NUMBER, "evaluate": KNOWN_ITEM}
    else:
        album.fields["gates"] = {"coverage": 1.0}
    limits = {"max_embeds": 0} if gate == "coverage" else {}

    assert held(album.night(**limits)) == (gate,)
    assert album.production == before
    ledger = album.night(gate, **limits)

    assert (held(ledger), ledger.accepted) == ((), (gate,))
    assert (album.production.accepted, album.production.place != before.place) == ((gate,), True)
    assert album.verified().ok


def test_an_encoder_that_searches_worse_is_held_and_nobody_notices(album: Album) -> None:
    before, rows, found = album.production, album.rows(), album.search(photo(7))
    album.fields |= {"train": ONE_NUMBER, "evaluate": KNOWN_ITEM}
    ledger = album.night()
    assert held(ledger) == ("fall",)
    assert (ledger.production, ledger.before) == (str(before), str(before))
    assert ledger.production_metrics is not None
    assert ledger.metrics[ledger.headline] < ledger.production_metrics[ledger.headline]
    assert album.production == before
    assert album.rows().keys() == rows.keys()
    assert album.search(photo(7)) == found
    assert album.verified().ok
    place = f"{ledger.table}@{ledger.index_version}"
    assert len(album.search(photo(7), at=place)) == 5  # what is held back can be looked at


def test_half_a_folder_gone_stops_the_night_before_it_writes(album: Album) -> None:
    before, place = album.heads(), album.production
    for key in album.names()[::2]:
        (album.root / key).unlink()
    assert album.plan()["held_by"] == ["mass_deletion"]

    ledger = album.night()

    assert held(ledger) == ("mass_deletion",)
    assert (album.heads(), album.production, ledger.index_version) == (before, place, None)
    assert ledger.removed == 20
    assert len(album.rows()) == 40
    ledger = album.night("mass_deletion", "fall", "uncomputed")
    assert (held(ledger), counts(ledger), ledger.embedded) == ((), {"removed": 20}, 0)
    album.agrees()
    assert album.verified().ok


def test_half_a_folder_that_comes_back_is_as_if_nothing_had_been(album: Album) -> None:
    before = album.heads()
    half = album.folder / "half"
    (album.root / "class0").rename(half)
    assert held(album.night()) == ("mass_deletion",)
    half.rename(album.root / "class0")
    ledger = album.night()
    assert (held(ledger), counts(ledger), ledger.embedded) == ((), {}, 0)
    assert album.heads() == before


def test_renaming_all_pictures_is_no_mass_deletion(album: Album) -> None:
    for number, key in enumerate(album.names()):
        album.move(key, f"{key.split('/')[0]}/other-{number}.jpg")
    ledger = album.night()
    assert (held(ledger), counts(ledger), ledger.embedded) == ((), {"moved": 40}, 0)


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_source_that_is_not_mounted_loses_nothing(album: Album, how: str) -> None:
    before, place = album.heads(), album.production
    album.root.rename(album.folder / "unmounted")
    if how == "missing":
        with pytest.raises(OSError, match="pictures"):
            album.night("mass_deletion")
    else:
        album.root.mkdir()
        assert held(album.night()) == ("mass_deletion",)
    assert (album.heads(), album.production) == (before, place)
    assert len(album.rows()) == 40


def test_too_few_rows_are_not_published(bare: Album) -> None:
    bare.fields["gates"] = {"min_rows": 9}
    for number in range(8):
        bare.put(f"class{number % 2}/{number}.jpg", photo(number))
    assert held(bare.night()) == ("min_rows",)
    assert Alias(bare.store, "toy").current() is None
    bare.put("class0/8.jpg", photo(8))
    assert held(bare.night()) == ()
    bare.agrees()


def test_an_empty_source_says_so_and_leaves_nothing_broken(bare: Album) -> None:
    with pytest.raises(ValueError, match="pictures lists no image"):
        bare.night()
    for number in range(8):
        bare.put(f"class{number % 2}/{number}.jpg", photo(number))
    assert held(bare.night()) == ()
    bare.agrees()


def test_a_source_that_is_meant_to_be_empty_keeps_its_last_index(album: Album) -> None:
    shutil.rmtree(album.root)
    album.root.mkdir()
    place = album.production
    assert "min_rows" in held(album.night("mass_deletion"))
    assert album.production == place
    assert album.search(photo(7))[0]["key"] == "class3/007.jpg"
    album.put("class0/000.jpg", photo(0))
    ledger = album.night("fall", "uncomputed")
    assert (held(ledger), ledger.embedded) == ((), 0)
    album.agrees()


def test_one_lonely_picture_is_found(bare: Album) -> None:
    bare.put("class0/0.jpg", photo(0))
    assert held(bare.night()) == ()
    assert [row["key"] for row in bare.search(photo(0), k=50)] == ["class0/0.jpg"]


def test_what_cannot_be_measured_waits_for_a_person(bare: Album) -> None:
    bare.fields["evaluate"] = {"protocol": "labels", "k": 10}
    for number in range(8):
        bare.put(f"{number}.jpg", photo(number))  # in no folder that would name its class
    assert held(bare.night()) == ("uncomputed",)
    assert Alias(bare.store, "toy").current() is None
    ledger = bare.night("uncomputed")
    assert (held(ledger), ledger.accepted, ledger.embedded) == ((), ("uncomputed",), 0)
    bare.agrees()


# --- bounds --------------------------------------------------------------------------------------


def test_a_bounded_night_embeds_so_many_and_the_next_does_the_rest(album: Album) -> None:
    place = album.production
    for number in range(30):
        album.put(f"class{number % 4}/new{number:02d}.jpg", photo(600 + number))
    ledger = album.night(max_embeds=7)
    assert (ledger.embedded, ledger.embeds, ledger.added) == (7, 30, 30)
    assert balanced(ledger) == (7, 40, 0, 23)
    assert (held(ledger), album.production) == (("coverage",), place)
    assert ledger.ledger.coverage == pytest.approx(47 / 70)
    assert len(ledger.ledger.missing) == ledger.ledger.missing_count == 23
    assert album.plan()["embeds"] == 23

    ledger = album.night(max_embeds=7)
    assert (ledger.embedded, balanced(ledger)[3]) == (7, 16)
    ledger = album.night()
    assert (ledger.embedded, held(ledger), balanced(ledger)[3]) == (16, (), 0)
    album.agrees()
    assert album.verified().ok


def test_a_night_without_a_minute_reads_nothing_and_loses_nothing(album: Album) -> None:
    album.put("class0/new.jpg", photo(600))
    album.put("class0/000.jpg", photo(601))
    ledger = album.night(max_minutes=0)
    assert (ledger.embedded, ledger.deferred) == (0, 2)
    assert balanced(ledger)[3] == 2
    assert "class0/new.jpg" not in album.rows()
    ledger = album.night()
    assert (ledger.embedded, counts(ledger)) == (2, {"added": 1, "changed": 1})
    album.agrees()


def test_a_first_night_without_time_says_so_and_the_second_is_whole(bare: Album) -> None:
    for number in range(8):
        bare.put(f"class{number % 2}/{number}.jpg", photo(number))
    for limits in ({"max_embeds": 0}, {"max_minutes": 0.0}):
        with pytest.raises(ValueError, match="limits of the run"):
            bare.night(**limits)
    assert bare.night().embedded == 8
    bare.agrees()


def test_waves_bound_a_night_as_one_listing_does(bare: Album) -> None:
    bare.fields["scan"] = {"wave": 10}
    for number in range(12):
        bare.put(f"class{number % 2}/{number:02d}.jpg", photo(number))
    bare.night()
    for number in range(40, 75):
        bare.put(f"class{number % 2}/{number:02d}.jpg", photo(number))
    ledger = bare.night("coverage", max_embeds=25)
    assert (ledger.embedded, balanced(ledger)[3]) == (25, 10)
    ledger = bare.night()
    assert (ledger.embedded, balanced(ledger)) == (10, (10, 37, 0, 0))
    bare.agrees()


# --- back and forth ------------------------------------------------------------------------------


def test_yesterday_is_back_in_a_moment_with_its_own_encoder(album: Album) -> None:
    first, found = album.production, album.search(photo(7))
    album.fields["train"] = {**TRAIN, "dimensions": 24, "seed": 1}
    assert album.night("fall").embedded == 40
    second = album.production
    assert len(album.rows()["class0/000.jpg"][2]) == 24

    back = rollback(album.store, "toy")
    assert (back.place, back.why, back.run) == (first.place, "rolled back", first.run)
    assert album.search(photo(7)) == found
    assert album.search(photo(7), at=str(second))[0]["key"] == "class3/007.jpg"

    held = album.night("fall")
    assert (held.embedded, held.held_by, album.production.place) == (0, ("withdrawn",), first.place)
    ledger = album.night("fall", "withdrawn")
    assert (ledger.embedded, album.production.place) == (0, second.place)
    assert album.night("fall").held_by == ()
    with pytest.raises(MixedEncoders):
        Searcher(album.store, *first.place, Searcher(album.store, *second.place).embedder)


def test_every_published_version_answers_as_it_did(album: Album) -> None:
    told: dict[str, dict[str, bytes]] = {}
    for night in range(4):
        album.put(f"class{night}/night{night}.jpg", photo(700 + night))
        (album.root / album.names()[night]).unlink()
        album.night()
        rows = {key: np.asarray(vector).tobytes() for key, (_, _, vector) in album.rows().items()}
        told[str(album.production)] = rows
    assert len(told) == 4
    for place, rows in told.items():
        again = {key: np.asarray(v).tobytes() for key, (_, _, v) in album.rows(place).items()}
        assert again == rows
        assert album.search(photo(5), 1, at=place)[0]["key"] in rows


def test_after_a_rollback_the_night_goes_on_from_the_folder(album: Album) -> None:
    album.put("class0/new.jpg", photo(700))
    album.night()
    rollback(album.store, "toy")
    assert "class0/new.jpg" not in album.rows()
    album.put("class0/newer.jpg", photo(701))
    ledger = album.night()
    assert ledger.embedded == 1
    album.agrees()
    assert album.verified().ok


def test_a_store_that_was_moved_is_found_whole(album: Album) -> None:
    shutil.move(album.folder / "store", album.folder / "moved")
    store = Store(str(album.folder / "moved"))
    place = Alias(store, "toy").current()
    assert place is not None
    assert len(Searcher(store, *place.place).search(photo(7), 100)) == 40
