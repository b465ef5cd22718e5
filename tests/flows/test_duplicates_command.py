"""Copies planted among the pictures of real nights are found, and those across splits counted."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from data.indexes import index_table
from tasks.copies import copied, copy_distance
from tasks.duplicates import Duplicates, duplicates
from tasks.measuring.queries import holding
from tasks.searching.search import resolve
from tests.flows.album import TRAIN, Album, photo

Say = Callable[..., Result]
METRICS = {"real_valued": "cosine", "binary": "hamming"}


def halved(content: bytes) -> bytes:
    """The picture in CONTENT at half its size, as PNG."""
    picture = Image.open(io.BytesIO(content))
    out = io.BytesIO()
    picture.resize((picture.width // 2, picture.height // 2)).save(out, "PNG")
    return out.getvalue()


def compressed(content: bytes) -> bytes:
    """The picture in CONTENT, compressed anew."""
    out = io.BytesIO()
    Image.open(io.BytesIO(content)).save(out, "JPEG", quality=80)
    return out.getvalue()


def planted(album: Album) -> Album:
    """ALBUM with 60 pictures of a training set, and a test set with copies of five of them."""
    for number in range(60):
        album.put(f"train/class{number % 4}/{number:03d}.jpg", photo(number, 160, 128))
    for number in range(60, 72):
        album.put(f"test/class{number % 4}/{number:03d}.jpg", photo(number, 160, 128))
    copies: list[Callable[[bytes], bytes]] = [bytes, bytes, compressed, compressed, halved]
    for number, copy in enumerate(copies):
        name = "copy.png" if copy is halved else "copy.jpg"
        album.put(f"test/class0/{number:03d}-{name}", copy(photo(number, 160, 128)))
    return album


def found_in(album: Album, threshold: float | None = None) -> Duplicates:
    return duplicates(album.store, *resolve(album.store, "toy"), threshold, 100)


@pytest.mark.parametrize("descriptor", ["real_valued", "binary"])
@pytest.mark.parametrize("epochs", [0, 2])
def test_copies_that_were_compressed_anew_or_made_smaller_are_found(
    bare: Album, descriptor: str, epochs: int
) -> None:
    train = TRAIN | {"epochs": epochs, "descriptor": descriptor, "dimensions": 256}
    bare.fields["train"] = train
    planted(bare).night()
    found = found_in(bare)
    assert found.metric == METRICS[descriptor]
    assert (found.same_groups, found.same_images) == (2, 4)
    groups = {tuple(sorted(Path(key).name[:3] for key in one.keys)) for one in found.groups}
    assert groups >= {(f"{number:03d}",) * 2 for number in range(5)}
    crossing = {(one.split, one.images, one.other): one for one in found.crossings}
    for place in (("test", 17, "train"), ("train", 60, "test")):
        assert crossing[place].same == 2
        assert 5 <= crossing[place].near <= 7  # short codes may be alike where pictures are not
    if descriptor == "real_valued":
        assert len(found.groups) == 5
        assert all(one.near == 5 for one in found.crossings)


@pytest.mark.slow
def test_copies_of_real_photographs_are_found_and_no_others(
    bare: Album, shared_datasets: Path
) -> None:
    root = shared_datasets / "photos-imagenet-sample-100"
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    bare.fields["train"] = TRAIN | {"dimensions": 128}
    for number, path in enumerate(files):
        bare.put(f"train/all/{number:03d}.jpg", path.read_bytes())
    for number, path in enumerate(files[::10]):
        bare.put(f"test/all/{number}.jpg", copied(path.read_bytes()))
    bare.night()
    found = found_in(bare)
    copies = {(f"test/all/{n}.jpg", f"train/all/{10 * n:03d}.jpg") for n in range(len(files[::10]))}
    groups = {tuple(sorted(group.keys)) for group in found.groups}
    assert len(groups & copies) >= 9
    assert len(groups - copies) <= 1


def test_the_measured_threshold_is_what_a_copy_is_apart(bare: Album) -> None:
    planted(bare).night()
    place = resolve(bare.store, "toy")
    held = holding(index_table(bare.store, place[0]).open(place[1]), None)
    images = {digest: (key, vector) for key, (digest, _, vector) in bare.rows().items()}
    apart = []
    for digest in sorted(images)[:64]:
        key, vector = images[digest]
        fresh = bare.vector(copied((bare.root / key).read_bytes()), bare.lineage().encoder)
        apart.append(1 - fresh @ vector / np.linalg.norm(fresh) / np.linalg.norm(vector))
    expected = sorted(apart)[60]  # the 61st of 64: 95 in 100 are no further
    measured = copy_distance(bare.store, held, bare.lineage())
    assert measured == pytest.approx(expected, abs=1e-6)
    assert found_in(bare).threshold == measured


def test_the_command_says_what_is_there_twice(album: Album, say: Say, monkeypatch: Any) -> None:
    album.put("class0/again.jpg", photo(3))
    album.put("test/class0/000.jpg", compressed(photo(4)))
    album.night()
    monkeypatch.setenv("NIGHTJAR_STORE", album.store.root)
    said = json.loads(say("duplicates", album.path, "--json").stdout)
    assert (said["images"], said["same_images"], said["exact"]) == (42, 2, True)
    assert ["class0/again.jpg", "class3/003.jpg"] in [sorted(one["keys"]) for one in said["groups"]]
    (crossing,) = (one for one in said["crossings"] if one["split"] == "test")
    assert (crossing["images"], crossing["same"], crossing["near"]) == (1, 0, 1)

    told = say("duplicates", album.path).stdout
    assert "1 of 1 images of split test (100.0%) have a copy in (none), 0 of them" in told
    assert "2 images, same bytes\n  class3/003.jpg\n  class0/again.jpg" in told
    assert "every pair compared" in told
    before = json.loads(say("duplicates", album.path, "--at", "@prev", "--json").stdout)
    assert (before["images"], before["same_images"]) == (40, 0)

    few = say("duplicates", album.path, "--limit", 0, "--threshold", 0.9).stdout
    assert "Take a smaller --threshold" in few
    assert "class3/003.jpg" not in few
    wrong = say("duplicates", album.path, "--threshold", 1.5)
    assert wrong.exit_code == 1
    assert "A threshold of 1.5 says nothing" in wrong.stderr
