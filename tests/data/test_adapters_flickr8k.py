"""Flickr8k: its misspelt folder, the picture that is none, the pictures in no list, real lists."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from data.adapters import open_dataset
from tests.data.miniatures_flickr8k import SPLITS, flickr8k

Draw = Callable[..., bytes]


@pytest.mark.parametrize("zipped", [False, True])
def test_pictures_have_their_sentences_in_order_and_hidden_files_are_none(
    tmp_path: Path, draw: Draw, zipped: bool, caplog: pytest.LogCaptureFixture
) -> None:
    flickr8k(tmp_path, draw, zipped)
    dataset = open_dataset("flickr8k", str(tmp_path), {})
    found = list(dataset.samples())
    assert [one.key for one in found] == ["10_a.jpg", "1_d.jpg", "2_b.jpg", "3_c.jpg"]
    assert "5 sentences of what is no .jpg passed over" in caplog.text
    for one in found:
        assert one.split == SPLITS[one.key], "the one in no list is of the rest"
        assert one.captions == tuple(f"Sentence {place} of {one.key} ." for place in range(5))
    drawn = dict(zip(SPLITS, map(draw, range(4)), strict=True))
    contents = list(dataset.read([one.uri for one in found]))
    assert contents == [drawn[one.key] for one in found]


@pytest.mark.parametrize("folder", ["Flickr8k_Dataset", "Images"])
def test_the_folder_may_be_spelled_otherwise(tmp_path: Path, draw: Draw, folder: str) -> None:
    flickr8k(tmp_path, draw)
    (tmp_path / "Flicker8k_Dataset").rename(tmp_path / folder)
    first = next(open_dataset("flickr8k", str(tmp_path), {}).samples())
    assert first.uri == f"{tmp_path}/{folder}/10_a.jpg"


def test_what_is_missing_or_broken_is_named(tmp_path: Path, draw: Draw) -> None:
    flickr8k(tmp_path, draw)
    dataset = open_dataset("flickr8k", str(tmp_path), {})
    text = tmp_path / "Flickr8k_text"
    token = (text / "Flickr8k.token.txt").read_text()
    for broken in ("1_d.jpg 0 A dog .", "1_d.jpg#x\tA dog .", "1_d.jpg\tA dog ."):
        (text / "Flickr8k.token.txt").write_text(f"{token}\n{broken}\n")
        with pytest.raises(ValueError, match=r"token\.txt: line 26 is not NAME#NUMBER"):
            list(dataset.samples())
    (text / "Flickr8k.token.txt").write_text(token)
    (text / "Flickr_8k.devImages.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"devImages\.txt .*nor in Flickr8k_text\.zip"):
        list(dataset.samples())
    (tmp_path / "Flicker8k_Dataset").rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError, match=r"No Flicker8k_Dataset or Flickr8k_Dataset\.zip"):
        list(dataset.samples())


@pytest.mark.real
def test_the_real_lists_have_the_published_counts(shared_datasets: Path, tmp_path: Path) -> None:
    lists = shared_datasets / "lists" / "flickr8k" / "Flickr8k_text"
    (tmp_path / "Flickr8k_text").symlink_to(lists)
    (tmp_path / "Flicker8k_Dataset").mkdir()
    dataset = open_dataset("flickr8k", str(tmp_path), {})
    found = list(dataset.samples())
    assert Counter(one.split for one in found) == dataset.card.splits
    assert all(len(one.captions) == 5 for one in found)
    assert found[0].key == "1000268201_693b08cb0e.jpg"
    assert found[0].captions[1] == "A girl going into a wooden building ."
