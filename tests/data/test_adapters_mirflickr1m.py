"""MIRFLICKR-1M: ids in their folders, pictures damaged in the archive, missing tags, clusters."""

from collections.abc import Callable
from pathlib import Path

import pytest

from data.adapters import open_dataset
from data.adapters.mirflickr1m import CORRUPT
from data.protocols import PROTOCOLS, Picture, sets_of
from tests.data.miniatures_mirflickr import IDS, lay, mirflickr1m

Draw = Callable[..., bytes]


@pytest.mark.parametrize("zipped", [False, True])
def test_pictures_come_by_id_with_the_tags_that_they_have(
    tmp_path: Path, draw: Draw, zipped: bool
) -> None:
    mirflickr1m(tmp_path, draw, zipped)
    dataset = open_dataset("mirflickr1m", str(tmp_path), {})
    found = list(dataset.samples())
    assert [(one.key, one.tags) for one in found] == [
        ("000000", ()),
        ("000002", ()),
        ("000009", ("sea",)),
        ("000010", ()),
        ("010000", ("quai de seine", "paris")),
        ("570000", ()),
        ("999999", ("fin",)),
    ]
    contents = list(dataset.read([one.uri for one in found]))
    assert contents == [draw(number) for number in sorted(IDS) if number not in CORRUPT]
    assert all(one.size == len(draw(int(one.key))) for one in found)


@pytest.mark.parametrize("zipped", [False, True])
def test_pictures_damaged_in_the_archives_are_left_out_unless_wanted(
    tmp_path: Path, draw: Draw, zipped: bool
) -> None:
    mirflickr1m(tmp_path, draw, zipped)
    found = open_dataset("mirflickr1m", str(tmp_path), {"corrupt": True}).samples()
    assert [int(one.key) for one in found] == sorted(IDS)
    assert len(set(IDS) & set(CORRUPT)) == 2


@pytest.mark.parametrize("zipped", [False, True])
def test_a_tenth_does_without_the_others_and_what_is_missing_is_named(
    tmp_path: Path, draw: Draw, zipped: bool
) -> None:
    mirflickr1m(tmp_path, draw, zipped)
    lost = "images5.zip" if zipped else "images/57"
    (tmp_path / lost).rename(tmp_path / "away")
    whole = open_dataset("mirflickr1m", str(tmp_path), {})
    with pytest.raises(FileNotFoundError, match=lost):
        list(whole.samples())
    some = open_dataset("mirflickr1m", str(tmp_path), {"parts": [9, 0]})
    assert [one.key for one in some.samples()] == [
        "000000", "000002", "000009", "000010", "010000", "999999",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"option parts\.0 is 10"):
        open_dataset("mirflickr1m", str(tmp_path), {"parts": [10]})
    (tmp_path / ("tags.zip" if zipped else "tags")).rename(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"No tags or tags\.zip"):
        list(some.samples())
    bare = open_dataset("mirflickr1m", str(tmp_path), {"parts": [0], "tags": False})
    assert [one.tags for one in bare.samples()] == [()] * 5


def test_an_id_that_is_not_where_it_should_be_is_named(tmp_path: Path, draw: Draw) -> None:
    mirflickr1m(tmp_path / "a", draw)
    (tmp_path / "a" / "images" / "3" / "9.jpg").write_bytes(draw(1))
    with pytest.raises(ValueError, match=r"images/3 holds 9\.jpg"):
        list(open_dataset("mirflickr1m", str(tmp_path / "a"), {}).samples())
    (tmp_path / "a" / "images" / "3" / "9.jpg").rename(tmp_path / "a" / "images" / "3" / "x.jpg")
    with pytest.raises(ValueError, match=r"images/3 holds x\.jpg, which is no <id>\.jpg"):
        list(open_dataset("mirflickr1m", str(tmp_path / "a"), {}).samples())
    mirflickr1m(tmp_path / "b", draw, zipped=True)
    lay(tmp_path / "b", {"images/0/10.jpg": b"x"}, "images4.zip")
    with pytest.raises(ValueError, match="picture of folder 0 comes twice"):
        list(open_dataset("mirflickr1m", str(tmp_path / "b"), {}).samples())
    lay(tmp_path / "b", {"tags/0/10.txt": b"x", "tags/1/12.txt": b"y"}, "tags.zip")
    with pytest.raises(ValueError, match=r"tags\.zip: tags/1/12\.txt is not where"):
        list(open_dataset("mirflickr1m", str(tmp_path / "b"), {}).samples())


def test_clusters_of_near_duplicates_are_labels_where_their_list_is(
    tmp_path: Path, draw: Draw
) -> None:
    mirflickr1m(tmp_path, draw)
    asked = open_dataset("mirflickr1m", str(tmp_path), {"clusters": "IND"})
    with pytest.raises(FileNotFoundError, match=r"IND_clusters\.txt"):
        list(asked.samples())
    path = tmp_path / "IND_clusters.txt"
    path.write_text("999999 2 \n\n10 9\r\n2 10000 700000\n")
    assert {one.key: one.labels for one in asked.samples()} == {
        "000000": (),
        "000002": ("IND-00001", "IND-00004"),
        "000009": ("IND-00003",),
        "000010": ("IND-00003",),
        "010000": ("IND-00004",),
        "570000": (),
        "999999": ("IND-00001",),
    }
    found = open_dataset("mirflickr1m", str(tmp_path), {})
    assert list(found.samples()) == list(asked.samples())
    plain = open_dataset("mirflickr1m", str(tmp_path), {"clusters": "none"})
    assert not any(one.labels for one in plain.samples())
    keys = [Picture(one.key, one.labels, one.split) for one in found.samples()]
    queries = sets_of(keys, PROTOCOLS["mirflickr1m-mfnd"]).queries
    assert queries == ("000002", "000009", "000010", "010000", "999999")
    (tmp_path / "NIND_clusters.txt").write_text("0 570000\n")
    other = open_dataset("mirflickr1m", str(tmp_path), {"clusters": "NIND"})
    labels = {one.key: one.labels for one in other.samples() if one.labels}
    assert labels == {"000000": ("NIND-00001",), "570000": ("NIND-00001",)}
    for text, said in (("1 x", "line 1 is no list of ids"), ("1 2\n1000000", "line 2 has an id")):
        path.write_text(text)
        with pytest.raises(ValueError, match=rf"IND_clusters\.txt: {said}"):
            list(asked.samples())
