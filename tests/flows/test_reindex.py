"""Whole nights: whatever happens to the folder, the index holds exactly what is there."""

import random
from collections.abc import Iterator

import numpy as np
import pytest

from data.lineage import library_versions
from tests.flows.album import CHANGED, Album, balanced, counts, photo, sha


def test_the_first_night_publishes_every_picture(album: Album) -> None:
    album.agrees()
    assert album.verified(embed=40).ok
    assert album.heads().keys() == {
        "manifests/toy.lance",
        f"indexes/{album.production.table}.lance",
    }
    found = album.search(photo(7), k=3)
    assert (found[0]["key"], found[0]["rank"]) == ("class3/007.jpg", 1)
    assert found[0]["distance"] < 1e-5 < found[1]["distance"]


def test_a_night_without_change_writes_no_version(album: Album) -> None:
    before, place = album.heads(), album.production.place
    ledger = album.night()
    assert (album.heads(), album.production.place) == (before, place)
    assert (ledger.embedded, ledger.embeds, counts(ledger)) == (0, 0, {})
    assert balanced(ledger) == (0, 40, 0, 0)
    assert (ledger.promoted, ledger.index_version) == (True, place[1])


def test_a_night_writes_a_handful_of_versions(album: Album) -> None:
    before = album.heads()
    album.put("class0/000.jpg", photo(1000))
    album.put("class1/new.jpg", photo(1001))
    album.put("class1/bad.jpg", photo(1002)[:-300])
    (album.root / "class2/002.jpg").unlink()
    album.night()
    made = {name: version - before[name] for name, version in album.heads().items()}
    assert sum(made.values()) <= 5
    assert made["manifests/toy.lance"] <= 2


def test_twenty_touched_seven_renamed_and_five_copied_cost_no_embedding(album: Album) -> None:
    keys = album.names()
    touched, renamed, copied = keys[:20], keys[20:27], keys[27:32]
    for key in touched:
        album.touch(key)
    for key in renamed:
        album.move(key, f"class9/renamed-{key.replace('/', '-')}")
    for key in copied:
        album.copy(key, f"class8/copy-{key.replace('/', '-')}")

    planned = album.plan()
    ledger = album.night()

    assert counts(ledger) == {"moved": 7, "duplicate": 5, "touched": 20}
    assert {name: planned[name] for name in CHANGED if planned[name]} == counts(ledger)
    assert (planned["embeds"], ledger.embeds, ledger.embedded) == (0, 0, 0)
    assert balanced(ledger)[2:] == (0, 0)
    album.agrees()
    assert album.verified().ok
    number = int(renamed[0][-7:-4])
    assert album.search(photo(number), 1)[0]["key"].startswith("class9/renamed-")


def test_two_pictures_that_swap_their_names_are_each_found_under_the_other(album: Album) -> None:
    album.move("class0/000.jpg", "spare")
    album.move("class1/001.jpg", "class0/000.jpg")
    album.move("spare", "class1/001.jpg")
    ledger = album.night()
    assert (counts(ledger), ledger.embedded) == ({"changed": 2}, 0)
    album.agrees()
    assert album.search(photo(1), 1)[0]["key"] == "class0/000.jpg"


def test_a_folder_with_another_name_gives_its_pictures_another_label(album: Album) -> None:
    (album.root / "class3").rename(album.root / "dogs")
    ledger = album.night()
    assert (counts(ledger), ledger.embedded) == ({"moved": 10}, 0)
    album.agrees()
    assert album.search(photo(7), 1)[0]["labels"] == ["dogs"]


def test_a_source_that_moves_as_a_whole_costs_no_reading(album: Album) -> None:
    album.root.rename(album.folder / "elsewhere")
    album.fields["source"] = {"dataset": "folder", "root": "elsewhere"}
    ledger = album.night()
    assert (counts(ledger), ledger.embedded) == ({"relabelled": 40}, 0)
    found = album.search(photo(7), 1)[0]
    assert found["uri"] == str(album.folder / "elsewhere/class3/007.jpg")


def test_a_picture_that_goes_and_comes_back_is_embedded_once_in_its_life(album: Album) -> None:
    content = (album.root / "class0/000.jpg").read_bytes()
    (album.root / "class0/000.jpg").unlink()
    assert counts(album.night()) == {"removed": 1}
    assert album.search(content, 1)[0]["distance"] > 1e-5
    album.put("class0/000.jpg", content)
    ledger = album.night()
    assert (counts(ledger), ledger.embedded) == ({"added": 1}, 0)
    album.agrees()


def test_a_change_that_keeps_size_and_is_stamped_anew_is_seen(album: Album) -> None:
    old = (album.root / "class0/000.jpg").read_bytes()
    new = photo(500) + bytes(max(0, len(old) - len(photo(500))))
    album.put("class0/000.jpg", old + bytes(max(0, len(new) - len(old))))
    album.night()
    album.put("class0/000.jpg", new)
    ledger = album.night()
    assert (counts(ledger), ledger.embedded) == ({"changed": 1}, 1)
    album.agrees()


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 12))]
)
def test_after_random_nights_the_index_is_the_folder(album: Album, seed: int) -> None:
    rng = random.Random(seed)
    fresh = iter(range(10_000 * (seed + 1), 10_000 * (seed + 2)))
    seen = {sha((album.root / key).read_bytes()) for key in album.names()}
    for night in range(4):
        for _ in range(rng.randrange(1, 9)):
            _something_happens(album, rng, fresh, night)
        news = {sha((album.root / key).read_bytes()) for key in album.names()} - seen
        seen |= news
        planned = album.plan()

        ledger = album.night("mass_deletion", "fall", "uncomputed")

        assert ledger.embedded == planned["embeds"] == len(news)
        assert {name: planned[name] for name in CHANGED} == {n: getattr(ledger, n) for n in CHANGED}
        assert balanced(ledger)[2:] == (0, 0)
        album.agrees()
    assert album.verified(embed=5).ok


def _something_happens(album: Album, rng: random.Random, fresh: Iterator[int], night: int) -> None:
    """One random deed to the folder."""
    key = rng.choice(album.names())
    new = f"class{rng.randrange(6)}/{night}-{rng.randrange(10**9)}.jpg"
    match rng.randrange(8):
        case 0 | 1:
            album.put(new, photo(next(fresh)))
        case 2:
            album.put(key, photo(next(fresh)))
        case 3:
            album.move(key, new)
        case 4:
            album.copy(key, new)
        case 5:
            album.touch(key)
        case 6:
            (album.root / key).unlink()
        case 7:
            other = rng.choice(album.names())
            album.move(key, "spare")
            if other != key:
                album.move(other, key)
            album.move("spare", other)


def test_a_version_says_what_made_it(album: Album) -> None:
    album.fields["pin"] = True
    album.put("class0/new.jpg", photo(300))
    ledger = album.night()
    line = album.lineage()
    assert (line.run, line.table, line.version) == (
        ledger.run,
        ledger.table,
        ledger.index_version,
    )
    assert line.dataset_version == ledger.dataset_version == album.heads()["manifests/toy.lance"]
    assert (line.recipe, line.recipe_digest) == ("toy", album.recipe.digest)
    assert sha(album.store.read(f"encoders/{line.encoder}/encoder.safetensors")) == line.encoder
    assert line.libraries == library_versions()
    assert len(line.code) >= 7
    assert len(line.pin) >= 32
    assert (line.counts["added"], line.counts["unchanged"], line.rows) == (1, 40, 41)
    assert line.metrics == ledger.metrics
    assert line.metrics[ledger.headline] > 0
    assert {"plan", "register", "extract", "index"} <= line.seconds.keys()
    assert {"before", "after", "action"} <= line.health.keys()


def test_an_encoder_of_bits_goes_through_the_same_nights(album: Album) -> None:
    real = album.production
    album.fields["train"] = {
        "supervision": "supervised",
        "descriptor": "binary",
        "dimensions": 48,
        "size": 32,
        "width": 8,
        "epochs": 0,
        "device": "cpu",
    }
    ledger = album.night("fall")
    assert (ledger.promoted, ledger.embedded) == (True, 40)
    assert ledger.table != real.table
    album.agrees()
    (_, _, vector), *_ = album.rows().values()
    assert vector.dtype == np.uint8
    assert vector.shape == (6,)
    found = album.search(photo(7), 40)
    assert "class3/007.jpg" in {row["key"] for row in found if row["distance"] == 0}
    assert {row["distance"] % 1 for row in found} == {0}  # bits that differ
    assert [row["distance"] for row in found] == sorted(row["distance"] for row in found)

    album.put("class0/new.jpg", photo(300))
    album.move("class1/001.jpg", "class2/001.jpg")
    ledger = album.night("fall")
    assert (counts(ledger), ledger.embedded) == ({"added": 1, "moved": 1}, 1)
    album.agrees()
    assert album.verified(embed=10).ok
