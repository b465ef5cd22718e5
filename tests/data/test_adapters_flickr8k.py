"""Flickr8k: sentences in their order, the official splits, pictures in a folder or a zip."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from data.adapters import DATASETS, open_dataset
from data.sample import Sample
from tests.data.miniatures_texts import flickr8k

Draw = Callable[..., bytes]


def samples(root: Path) -> list[Sample]:
    return list(open_dataset("flickr8k", str(root), {}).samples())


def test_sentences_come_by_their_numbers_and_pictures_without_a_split_are_left_out(
    tmp_path: Path, draw: Draw
) -> None:
    flickr8k(tmp_path / "home", draw)
    found = samples(tmp_path / "home")
    assert [one.split for one in found] == ["train"] * 4 + ["dev"] * 4 + ["test"] * 4
    assert found[1].key == "0001_0f.jpg"
    assert found[1].captions == ("A shade of 1 . 0", "A shade of 1 . 1")
    assert not any("999" in one.key for one in found)


def test_the_zips_as_they_are_downloaded_give_the_same_pictures(tmp_path: Path, draw: Draw) -> None:
    home = tmp_path / "home"
    flickr8k(home, draw)
    dataset = open_dataset("flickr8k", str(home), {})
    folders = samples(home)
    contents = list(dataset.read([one.uri for one in folders]))
    with zipfile.ZipFile(home / "Flickr8k_Dataset.zip", "w") as out:
        out.writestr("__MACOSX/._Flicker8k_Dataset", b"x")
        for path in sorted((home / "Flicker8k_Dataset").iterdir()):
            out.write(path, f"Flicker8k_Dataset/{path.name}")
    with zipfile.ZipFile(home / "Flickr8k_text.zip", "w") as out:
        for path in sorted((home / "Flickr8k_text").iterdir()):
            out.write(path, path.name)
    shutil.rmtree(home / "Flicker8k_Dataset")
    shutil.rmtree(home / "Flickr8k_text")
    zipped = samples(home)
    assert [(one.key, one.captions, one.size) for one in zipped] == [
        (one.key, one.captions, one.size) for one in folders
    ]
    assert list(dataset.read([one.uri for one in zipped])) == contents


@pytest.mark.parametrize("packed", [False, True])
def test_a_picture_that_is_gone_is_listed_and_answered_by_its_error(
    tmp_path: Path, draw: Draw, packed: bool
) -> None:
    home = tmp_path / "home"
    flickr8k(home, draw)
    (home / "Flicker8k_Dataset" / "0001_0f.jpg").unlink()
    if packed:
        shutil.make_archive(str(home / "Flickr8k_Dataset"), "zip", home, "Flicker8k_Dataset")
        shutil.rmtree(home / "Flicker8k_Dataset")
    found = samples(home)
    answers = list(open_dataset("flickr8k", str(home), {}).read([one.uri for one in found]))
    assert len(found) == 12
    assert isinstance(answers[1], FileNotFoundError)
    assert "0001_0f.jpg" in str(answers[1])
    assert sum(isinstance(answer, bytes) for answer in answers) == 11


@pytest.mark.parametrize(
    ("name", "content", "error", "said"),
    [
        ("Flickr8k.token.txt", None, FileNotFoundError, r"Flickr8k\.token\.txt"),
        ("Flickr_8k.devImages.txt", None, FileNotFoundError, r"devImages"),
        ("Flickr8k.token.txt", b"0001_0f.jpg A cat", ValueError, "should be NAME#NUMBER"),
        ("Flickr_8k.testImages.txt", b"5.jpg\n", ValueError, r"no sentence for 5\.jpg"),
        ("Flickr_8k.testImages.txt", b"\xff\n", ValueError, r"testImages\.txt is not UTF-8"),
    ],
)
def test_a_part_that_is_missing_or_broken_is_named(
    tmp_path: Path, draw: Draw, name: str, content: bytes | None, error: type[Exception], said: str
) -> None:
    flickr8k(tmp_path / "home", draw)
    path = tmp_path / "home" / "Flickr8k_text" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=said):
        samples(tmp_path / "home")


def test_the_pictures_must_be_there(tmp_path: Path, draw: Draw) -> None:
    flickr8k(tmp_path / "home", draw)
    shutil.rmtree(tmp_path / "home" / "Flicker8k_Dataset")
    with pytest.raises(FileNotFoundError, match=r"No pictures of Flickr8k.*Flicker8k_Dataset"):
        samples(tmp_path / "home")


def test_the_address_is_a_mirror_known_by_its_digests() -> None:
    assert all("jbrownlee" in one.url and one.md5 for one in DATASETS["flickr8k"].card.sources)


@pytest.mark.real
def test_the_real_lists(shared_datasets: Path, tmp_path: Path) -> None:
    texts = shared_datasets / "lists" / "flickr8k" / "Flickr8k_text"
    (tmp_path / "Flickr8k_text").symlink_to(texts)
    (tmp_path / "Flicker8k_Dataset").mkdir()
    found = samples(tmp_path)
    splits = [one.split for one in found]
    assert {split: splits.count(split) for split in splits} == DATASETS["flickr8k"].card.splits
    assert all(len(one.captions) == 5 for one in found)
    assert found[0].key == "2513260012_03d33305cf.jpg"
    assert found[-1].split == "test"
    tokens = (texts / "Flickr8k.token.txt").read_text()
    names = {line.partition("#")[0] for line in tokens.splitlines()}
    assert len(names - {one.key for one in found}) == 92
    assert "2258277193_586949ec62.jpg.1" in names - {one.key for one in found}
