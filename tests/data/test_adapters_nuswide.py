"""NUS-WIDE: backslashes, trailing separators, counted labels, placeholders, three protocols."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.adapters import open_dataset
from data.adapters.nuswide_files import read_flags
from data.protocols import PROTOCOLS, Picture, protocols_of, sets_of
from tests.data.miniatures_nuswide import PICTURES, nuswide

Draw = Callable[..., bytes]

KEYS = [name.replace("\\", "/") for name in PICTURES]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
def test_backslashes_are_folders_and_everything_is_found_by_its_row(
    tmp_path: Path, draw: Draw, zipped: bool, flat: bool
) -> None:
    nuswide(tmp_path, draw, zipped, flat)
    dataset = open_dataset("nuswide", str(tmp_path), {})
    found = list(dataset.samples())
    assert [one.key for one in found] == KEYS
    for one, (split, labels, tags) in zip(found, PICTURES.values(), strict=True):
        assert (one.split, one.labels, one.tags) == (split, labels, tuple(tags.split()))
    contents = list(dataset.read([one.uri for one in found]))
    assert contents == [draw(number) for number in range(6)]


def test_a_picture_without_a_concept_is_listed_without_a_label(tmp_path: Path, draw: Draw) -> None:
    nuswide(tmp_path, draw)
    found = list(open_dataset("nuswide", str(tmp_path), {}).samples())
    assert [one.key for one in found if not one.labels] == ["actor/0002_174174086.jpg"]


def test_the_most_frequent_concepts_are_counted(tmp_path: Path, draw: Draw) -> None:
    nuswide(tmp_path, draw)
    dataset = open_dataset("nuswide", str(tmp_path), {"frequent": 1})
    assert {one.key: one.labels for one in dataset.samples()} == {
        KEYS[0]: ("sky",), KEYS[3]: ("sky",), KEYS[4]: ("sky",),
    }  # fmt: skip
    two = open_dataset("nuswide", str(tmp_path), {"frequent": 2, "splits": ["train"]})
    assert [one.labels for one in two.samples()] == [("sky",), ("animal",), ("sky",)], (
        "animal and person are as frequent: the first in the alphabet counts"
    )


def test_rows_of_tags_that_end_in_a_separator_have_no_further_column(
    tmp_path: Path, draw: Draw
) -> None:
    nuswide(tmp_path, draw)
    assert b"\t\r\n" in (tmp_path / "NUS_WID_Tags" / "Train_Tags1k.dat").read_bytes()
    found = list(open_dataset("nuswide", str(tmp_path), {"tags": "1k"}).samples())
    assert [one.tags for one in found] == [
        ("film",), (), ("zoo",), ("zoo",), ("blue", "sea", "sky"), ("film",),
    ]  # fmt: skip
    bare = open_dataset("nuswide", str(tmp_path), {"tags": "none"})
    assert not any(one.tags for one in bare.samples())


@pytest.mark.parametrize("text", ["0 1 1 \n1 0 0 \n", "0\t1\t1\t\r\n1\t0\t0\t", "0 1 1\n1 0 0\n\n"])
def test_separators_mean_nothing_wherever_they_stand(tmp_path: Path, text: str) -> None:
    path = tmp_path / "Train_Tags81.txt"
    path.write_bytes(text.encode())
    flags = np.concatenate(list(read_flags(str(path), 3)))
    assert flags.tolist() == [[False, True, True], [True, False, False]]
    path.write_bytes(text.rstrip().encode()[:-2])
    with pytest.raises(ValueError, match=r"Train_Tags81\.txt: its last row, 2 or later, is cut"):
        list(read_flags(str(path), 3))


def test_a_long_table_is_read_in_pieces(tmp_path: Path) -> None:
    expected = np.random.default_rng(0).integers(0, 2, (3000, 1000)).astype(bool)
    lines = ["\t".join(map(str, row)) + "\t" for row in expected.astype(int).tolist()]
    (tmp_path / "a.dat").write_text("\n".join(lines))
    pieces = list(read_flags(str(tmp_path / "a.dat"), 1000))
    assert len(pieces) > 3
    assert np.array_equal(np.concatenate(pieces), expected)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("Groundtruth/AllLabels/Labels_sky.txt", "1\n0\n", "has 2 rows, and the list .* has 6"),
        ("Groundtruth/AllLabels/Labels_sky.txt", "1\n0\n2\n0\n0\n0\n", "row 3 is not 1 times"),
        ("Groundtruth/AllLabels/Labels_sky.txt", "1\n0\n1\n0\n0\n10\n", "row 6 is not 1 times"),
        ("ImageList/TestImagelist.txt", "zoo\\0002_444.jpg\n", "1 pictures such as actor/0002"),
        ("ImageList/Imagelist.txt", "a\\1_2.jpg\na\\1_2.jpg\n", "lists a picture twice"),
        ("ConceptsList/Concepts81.txt", "\n", "lists nothing"),
        ("ImageList/TrainImagelist.txt", "", "lists nothing"),
    ],
)
def test_a_file_that_breaks_its_layout_is_named(
    tmp_path: Path, draw: Draw, file: str, text: str, said: str
) -> None:
    nuswide(tmp_path, draw)
    (tmp_path / file).write_text(text)
    with pytest.raises(ValueError, match=said) as raised:
        list(open_dataset("nuswide", str(tmp_path), {}).samples())
    assert Path(file).name in str(raised.value)
    (tmp_path / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"{Path(file).name} in .*, nor in .*zip there"):
        list(open_dataset("nuswide", str(tmp_path), {}).samples())


def test_files_that_many_share_are_placeholders(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    nuswide(tmp_path, draw)
    zoo = tmp_path / "Flickr" / "zoo"
    for number, name in enumerate(sorted(zoo.iterdir())):
        name.write_bytes(b"unavailable" if number < 3 else b"as long one")
    found = open_dataset("nuswide", str(tmp_path), {"placeholders": 3}).samples()
    assert [one.key for one in found] == [*KEYS[:2], KEYS[5]], "the last is as long, and another"
    assert "3 files are placeholders, left out" in caplog.text
    assert len(list(open_dataset("nuswide", str(tmp_path), {"placeholders": 4}).samples())) == 6


def test_many_files_of_one_length_are_reported(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    nuswide(tmp_path, draw)
    monkeypatch.setattr("data.adapters.nuswide.SUSPECT", 4)
    for name in (tmp_path / "Flickr" / "zoo").iterdir():
        name.write_bytes(b"unavailable")
    assert len(list(open_dataset("nuswide", str(tmp_path), {}).samples())) == 6
    assert "4 files of 11 bytes each: are they placeholders?" in caplog.text


@pytest.mark.parametrize("zipped", [False, True])
def test_addresses_are_read_from_their_list_and_null_is_an_error(
    tmp_path: Path, draw: Draw, zipped: bool
) -> None:
    nuswide(tmp_path, draw, zipped)
    (tmp_path / "Flickr").rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError, match="No Flickr in"):
        list(open_dataset("nuswide", str(tmp_path), {}).samples())
    found = list(open_dataset("nuswide", str(tmp_path), {"pictures": "middle"}).samples())
    assert [one.uri for one in found] == [f"http://farm.test/{n}_m.jpg" for n in range(6)]
    assert [one.etag for one in found] == [one.uri for one in found]
    dataset = open_dataset("nuswide", str(tmp_path), {"pictures": "large"})
    answers = list(dataset.read([one.uri for one in dataset.samples()]))
    assert [type(answer) for answer in answers] == [FileNotFoundError] * 6


def test_a_line_of_addresses_that_is_something_else_is_named(tmp_path: Path, draw: Draw) -> None:
    nuswide(tmp_path, draw)
    path = tmp_path / "NUS-WIDE-urls" / "NUS-WIDE-urls.txt"
    path.write_text(path.read_text().replace(" null", "", 1))
    with pytest.raises(ValueError, match=r"NUS-WIDE-urls\.txt: line 2 is not a file, an id and"):
        list(open_dataset("nuswide", str(tmp_path), {"pictures": "middle"}).samples())


def test_three_protocols_go_by_its_name_and_can_be_drawn(tmp_path: Path, draw: Draw) -> None:
    assert protocols_of("nuswide") == ("nuswide-tc21", "nuswide-hashnet", "nuswide-ssdh")
    nuswide(tmp_path, draw)
    (tmp_path / "hashnet").mkdir()
    for name, rows in (("test", (0,)), ("train", (3,)), ("database", (3, 4, 5))):
        text = "".join(f"images/{KEYS[row].partition('/')[2]} 0 1\n" for row in rows)
        (tmp_path / "hashnet" / f"{name}.txt").write_text(text)
    dataset = open_dataset("nuswide", str(tmp_path), {"lists": "hashnet"})
    pictures = [Picture(one.key, one.labels, one.split) for one in dataset.samples()]
    sets = sets_of(pictures, PROTOCOLS["nuswide-hashnet"])
    assert (sets.queries, sets.train) == ((KEYS[0],), (KEYS[3],))
    assert sets.database == tuple(KEYS[3:])
    everything = open_dataset("nuswide", str(tmp_path), {}).samples()
    small = PROTOCOLS["nuswide-tc21"].model_copy(update={"frequent": 1})
    with pytest.raises(
        ValueError, match=r"queries should have 100 pictures of 'sky'.* there are 3"
    ):
        sets_of([Picture(one.key, one.labels, one.split) for one in everything], small)


@pytest.mark.real
def test_real_names_and_labels_are_read_out_of_official_files(
    shared_datasets: Path, tmp_path: Path
) -> None:
    lists = shared_datasets / "lists" / "hashnet-style" / "nuswide_21"
    (tmp_path / "hashnet").mkdir()
    rows = []
    for split in ("train", "test"):
        text = (lists / f"{split}.txt").read_text()
        (tmp_path / "hashnet" / f"{split}.txt").write_text(text)
        rows += [line.split() for line in text.splitlines()]
    (tmp_path / "hashnet" / "database.txt").write_text("images/0_0.jpg 1\n")
    (tmp_path / "images").mkdir()
    names = [f"some\\{row[0].removeprefix('images/')}" for row in rows]
    (tmp_path / "Imagelist.txt").write_text("\r\n".join(names))
    (tmp_path / "Concepts81.txt").write_text("\n".join(f"c{column:02d}" for column in range(21)))
    for column in range(21):
        text = "".join(f"{row[1 + column]}\n" for row in rows)
        (tmp_path / f"Labels_c{column:02d}.txt").write_text(text)
    options = {"lists": "hashnet", "tags": "none"}
    found = list(open_dataset("nuswide", str(tmp_path), options).samples())
    assert Counter(one.split for one in found) == {"train": 10_500, "test": 2_100}
    counts = Counter(label for one in found for label in one.labels)
    assert counts.most_common(2) == [("c00", 5051 + 1171), ("c01", 3864 + 875)]
    assert all(one.labels for one in found)
