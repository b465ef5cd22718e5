"""What a source should not hold, and does: broken pictures, strange names."""

import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.manifest import manifest
from data.store import Store
from tasks.balance import Ledger
from tasks.extract import FailureBudgetExceeded
from tests.flows.album import Album, balanced, counts, photo

GOOD = photo(1)


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and little more."""
    says = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"IEND"
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part))
        for part in (says, b"IDAT" + zlib.compress(b"\0" * 64), end)
    )


BROKEN: dict[str, tuple[bytes, set[str]]] = {
    "empty.jpg": (b"", {"empty"}),
    "truncated.jpg": (GOOD[: len(GOOD) // 2], {"truncated"}),
    "half-a-header.jpg": (GOOD[:20], {"truncated", "not an image"}),
    "junk.jpg": (np.random.default_rng(0).bytes(3000), {"not an image"}),
    "page.jpg": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", {"not an image"}),
    "bomb.png": (png_header(60_000, 60_000), {"too large"}),
    "tiny.jpg": (photo(2, 2, 2), {"too small"}),
    "notes.jpg": (b"These are notes, not a picture.\n" * 40, {"not an image"}),
    "zeros.jpg": (bytes(5000), {"not an image"}),
    "no-end.png": (png_header(64, 64)[:-30], {"truncated", "not an image"}),
}


@pytest.fixture(scope="module")
def two_hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """190 good pictures and the ten broken ones, indexed."""
    album = Album(tmp_path_factory.mktemp("two-hundred"))
    for number in range(190):
        album.put(f"class{number % 5}/{number:03d}.jpg", photo(number + 10))
    for name, (content, _) in BROKEN.items():
        album.put(f"class{len(name) % 5}/{name}", content)
    (album.folder / "ledger.json").write_text(album.night().model_dump_json())
    return album.folder


def bad_keys() -> tuple[str, ...]:
    return tuple(f"class{len(name) % 5}/{name}" for name in BROKEN)


def test_ten_of_two_hundred_are_bad_and_each_is_listed_with_its_reason(two_hundred: Path) -> None:
    ledger = Ledger.model_validate_json((two_hundred / "ledger.json").read_text())
    assert (ledger.listed, ledger.added, ledger.quarantined, ledger.embedded) == (200, 190, 10, 190)
    assert balanced(ledger) == (190, 0, 10, 0)
    assert ledger.ledger.coverage == 1.0
    told = {Path(item.key).name: (item.state, item.reason) for item in ledger.ledger.missing}
    assert told.keys() == BROKEN.keys()
    for name, (state, reason) in told.items():
        assert state == "quarantined"
        assert reason in BROKEN[name][1], name
    assert sum(ledger.ledger.reasons["quarantined"].values()) == 10
    Album(two_hundred).agrees(bad=bad_keys())
    assert Album(two_hundred).verified().ok


def test_a_bad_picture_is_tried_again_only_when_it_changes(two_hundred: Path) -> None:
    album = Album(two_hundred)
    before = album.heads()
    ledger = album.night()
    assert (balanced(ledger), ledger.embedded, album.heads()) == ((0, 190, 10, 0), 0, before)
    assert ledger.ledger.missing_count == 10

    key = next(key for key in bad_keys() if key.endswith("truncated.jpg"))
    old = (album.root / key).read_bytes()
    album.put(key, GOOD)
    ledger = album.night()
    assert (ledger.embedded, balanced(ledger)) == (1, (1, 190, 9, 0))
    assert album.search(GOOD, 1)[0]["key"] == key

    album.put(key, old)
    ledger = album.night()
    assert (ledger.embedded, balanced(ledger)) == (0, (0, 190, 10, 0))
    assert key not in album.rows()
    album.agrees(bad=bad_keys())
    assert album.verified().ok


@pytest.mark.parametrize("name", ["empty.jpg", "truncated.jpg", "page.jpg", "bomb.png"])
def test_a_good_picture_that_breaks_loses_its_vector(album: Album, name: str) -> None:
    album.put("class0/000.jpg", BROKEN[name][0])
    ledger = album.night()
    assert (ledger.quarantined, balanced(ledger), ledger.embedded) == (1, (0, 39, 1, 0), 0)
    assert [item.key for item in ledger.ledger.missing] == ["class0/000.jpg"]
    album.agrees(bad=("class0/000.jpg",))
    album.put("class0/000.jpg", photo(0))
    assert album.night().embedded == 0  # its descriptor was kept
    album.agrees()


def test_past_the_budget_nothing_is_published_and_nothing_lost(album: Album) -> None:
    album.fields["extract"] = {"device": "cpu", "failure_budget": 0.05, "min_failures": 2}
    place = album.production
    good = [album.put(f"class0/good{i}.jpg", photo(800 + i)).name for i in range(4)]
    cut = [album.put(f"class1/cut{i}.jpg", photo(820 + i)[:-200]) for i in range(5)]
    with pytest.raises(FailureBudgetExceeded, match=r"5 of \d+ pictures are bad.*truncated"):
        album.night()
    assert album.production == place
    assert album.verified().ok
    for path in cut[:3]:
        path.unlink()
    ledger = album.night()
    assert balanced(ledger) == (len(good), 40, 2, 0)
    album.agrees(bad=tuple(f"class1/{path.name}" for path in cut[3:]))


def test_files_that_are_no_pictures_count_against_the_budget_night_after_night(
    album: Album,
) -> None:
    album.fields["extract"] = {"device": "cpu", "failure_budget": 0.05, "min_failures": 2}
    place, dataset = album.production, album.night().dataset_version
    album.put("class0/good.jpg", photo(800))
    junk = [album.put(f"class1/junk{i}.jpg", b"no picture %d" % i) for i in range(3)]
    for _ in range(2):
        with pytest.raises(FailureBudgetExceeded, match=r"3 of 4 pictures are bad.*not an image"):
            album.night()
    assert manifest(album.store, "toy").open().version == dataset
    assert album.production == place
    junk[0].unlink()
    assert balanced(album.night()) == (1, 40, 2, 0)


def test_a_picture_that_cannot_be_read_waits_and_is_named(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    album.put("class0/new.jpg", photo(300))
    album.put("class0/000.jpg", photo(301))
    monkeypatch.setattr("data.adapters.folder.Folder.read", _refuse)
    ledger = album.night()
    monkeypatch.undo()
    assert balanced(ledger) == (0, 39, 0, 2)
    told = {item.key: item.reason for item in ledger.ledger.missing}
    assert told == dict.fromkeys(
        ("class0/000.jpg", "class0/new.jpg"), "unreadable: Permission denied"
    )
    assert album.night().embedded == 2
    album.agrees()


def _refuse(_: Any, uris: Sequence[str]) -> Iterator[OSError]:
    """What a disk says to somebody who may not read; a test that runs as root may."""
    return (PermissionError(13, "Permission denied", uri) for uri in uris)


NAMES = (
    "it's.jpg",
    'say "hi".jpg',
    "new\nline.jpg",
    "tab\there.jpg",
    "  spaces  .jpg",
    "-rf.jpg",
    "--json.jpg",
    "ünï/cödé.jpg",
    "e\u0301.jpg",
    "\u00e9.jpg",
    "📷/🦤.jpg",
    "x../y...jpg",
    "a' OR '1'='1.jpg",
    "50% #1?&*,2.jpg",
    "back\\slash.jpg",
    "'; DROP TABLE live; --/x.jpg",
    "x" * 200 + ".jpg",
    "many.dots.in.a.name.JPG",
    "عربى/日本語.jpeg",
)


def test_hostile_names_come_through_every_stage_as_they_are(album: Album) -> None:
    for number, name in enumerate(NAMES):
        album.put(name, photo(2000 + number))
    ledger = album.night()
    assert (ledger.added, ledger.embedded) == (len(NAMES), len(NAMES))
    album.agrees()
    for number, name in enumerate(NAMES):
        row = album.search(photo(2000 + number), 1)[0]
        assert (row["key"], row["distance"] < 1e-5) == (name, True)
    for name in NAMES[:9]:
        (album.root / name).unlink()
    for name in NAMES[9:12]:
        album.put(name, b"no picture")
    ledger = album.night("mass_deletion")
    assert counts(ledger) == {"removed": 9}
    assert ledger.quarantined == 3
    album.agrees(bad=NAMES[9:12])
    assert album.verified().ok


def test_a_name_that_is_no_text_is_indexed_and_searched(album: Album) -> None:
    name = (bytes(album.root) + b"/class0/\xff\xfe.jpg").decode(errors="surrogateescape")
    Path(name).write_bytes(photo(5000))
    ledger = album.night()
    assert (ledger.added, ledger.embedded, balanced(ledger)) == (1, 1, (1, 40, 0, 0))
    found = album.search(photo(5000), 1)[0]
    assert found["distance"] < 1e-5
    assert found["key"].encode()  # it can be printed and written down
    assert album.night().embedded == 0
    assert album.verified().ok


def test_hidden_files_and_folders_are_left_alone(album: Album) -> None:
    for name in (".hidden.jpg", ".thumbnails/a.jpg", "class0/.trash/b.jpg", "Thumbs.db", "a.txt"):
        album.put(name, photo(3000))
    ledger = album.night()
    assert (ledger.listed, counts(ledger)) == (40, {})


def test_links_that_lead_round_or_nowhere_do_not_stop_the_night(album: Album) -> None:
    (album.root / "class0" / "round").symlink_to(album.root)
    (album.root / "class0" / "nowhere.jpg").symlink_to("/nothing/there.jpg")
    ledger = album.night("coverage")
    assert ledger.embedded == 0
    assert ledger.ledger.ok
    assert len(album.rows()) >= 40


def test_nothing_in_the_store_bears_a_name_from_the_source(album: Album) -> None:
    for number, name in enumerate(NAMES):
        album.put(name, photo(2000 + number))
    album.night()
    told = subprocess.run(
        ["find", Store(album.store.root).root], capture_output=True, check=True
    ).stdout.decode(errors="surrogateescape")
    assert not any(part in told for part in ("class0", "DROP", "🦤", "it's", sys.prefix))
