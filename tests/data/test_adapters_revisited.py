"""Oxford and Paris revisited: boxes, easy, hard and junk, two forms of truth, packed archives."""

import gzip
import logging
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.adapters import open_dataset
from data.adapters.headers import DamagedTar
from data.adapters.pickles import PickleRefused
from data.adapters.revisited import truth_of
from data.sample import Box, Sample
from tests.data.miniatures_revisited import (
    INDEX,
    QUERIES,
    SAID,
    as_matlab,
    as_pickle,
    pictures,
    roxford5k,
    rparis6k,
    write_archive,
)

Draw = Callable[..., bytes]


def found(root: Path, name: str = "roxford5k", **options: Any) -> dict[str, Sample]:
    return {one.key: one for one in open_dataset(name, str(root), options).samples()}


@pytest.fixture
def home(tmp_path: Path, draw: Draw) -> Path:
    """Oxford in miniature."""
    roxford5k(tmp_path / "home", draw)
    return tmp_path / "home"


def test_a_query_has_its_box_and_the_whole_truth(home: Path) -> None:
    pictures = found(home)
    assert pictures["query/hall_01"].boxes == (Box("query", 4.5, 2.0, 20.0, 28.0),)
    assert pictures["query/hall_01"].tags == (
        "easy/index/hall_03",
        "hard/index/hall_02",
        "junk/index/market_07",
        "junk/index/bridge_01",
    )
    assert pictures["query/bridge_02"].tags == ("hard/index/bridge_01",)
    named = {tag.partition("/")[2] for one in pictures.values() for tag in one.tags}
    assert named <= set(pictures), "the tags name keys"


@pytest.mark.parametrize(
    ("level", "answers"),
    [
        ("easy", {"hall_03": ("hall_01",)}),
        ("medium", {"hall_03": ("hall_01",), "hall_02": ("hall_01",), "bridge_01": ("bridge_02",)}),
        ("hard", {"hall_02": ("hall_01",), "bridge_01": ("bridge_02",)}),
    ],
)
def test_labels_follow_the_level(
    home: Path, level: str, answers: dict[str, tuple[str, ...]]
) -> None:
    pictures = found(home, level=level)
    assert {name: pictures[f"index/{name}"].labels for name in INDEX} == {
        name: answers.get(name, ()) for name in INDEX
    }
    assert [pictures[f"query/{name}"].labels for name in QUERIES] == [(name,) for name in QUERIES]


def test_queries_are_no_part_of_the_index(home: Path) -> None:
    keys = set(found(home))
    assert keys == {f"query/{one}" for one in QUERIES} | {f"index/{one}" for one in INDEX}
    fields = {"imlist": [*INDEX, QUERIES[0]], "qimlist": list(QUERIES), "gnd": list(SAID)}
    (home / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(fields))
    with pytest.raises(ValueError, match=r"gnd_roxford5k\.pkl names a picture twice: hall_01"):
        found(home)


def test_matlab_counts_from_one_and_the_pickle_from_nought(home: Path) -> None:
    from_pickle = found(home)
    (home / "gnd_roxford5k.pkl").unlink()
    as_matlab(home, "roxford5k")
    assert found(home) == from_pickle


@pytest.mark.parametrize("encoding", ["text", "bytes"])
def test_a_pickle_of_python_2_is_read_too(home: Path, encoding: str) -> None:
    before = found(home)
    if encoding == "bytes":
        fields = {
            b"imlist": [one.encode() for one in INDEX],
            b"qimlist": [one.encode() for one in QUERIES],
            b"gnd": [{key.encode(): value for key, value in one.items()} for one in SAID],
        }
        (home / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(fields, protocol=0))
    assert found(home) == before


class Hostile:
    """Would run a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this must never be seen",)


@pytest.mark.parametrize("value", [Hostile(), [np.arange(3)]])
def test_a_pickle_that_holds_more_is_refused_and_the_other_form_named(
    home: Path, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    as_pickle(home, "roxford5k", [{**SAID[0], "easy": value}, SAID[1]])
    with pytest.raises(PickleRefused, match=r"gnd_roxford5k\.mat: get that"):
        found(home)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("ending", [".tgz", ".tar.gz", ".tar"])
def test_archives_are_read_in_place(tmp_path: Path, draw: Draw, ending: str) -> None:
    rparis6k(tmp_path / "home", draw)
    for path in (tmp_path / "home").glob("*.tgz"):
        content = path.read_bytes()
        path.with_name(path.name.replace(".tgz", ending)).write_bytes(
            gzip.decompress(content) if ending == ".tar" else content
        )
        if ending != ".tgz":
            path.unlink()
    samples = found(tmp_path / "home", "rparis6k")
    assert len(samples) == len(INDEX) + len(QUERIES)
    dataset = open_dataset("rparis6k", str(tmp_path / "home"), {})
    uris = [one.uri for one in samples.values()]
    expected = [pictures(draw)[key.partition("/")[2]] for key in samples]
    assert list(dataset.read(uris)) == expected
    assert list(dataset.read(uris[::-1])) == expected[::-1]
    assert [len(content) for content in expected] == [one.size for one in samples.values()]
    assert not (tmp_path / "home" / "jpg").exists()


def test_a_cut_archive_is_an_error_that_names_it(tmp_path: Path, draw: Draw) -> None:
    rparis6k(tmp_path / "home", draw)
    samples = found(tmp_path / "home", "rparis6k")
    path = tmp_path / "home" / "paris_2-v1.tgz"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DamagedTar, match=r"paris_2-v1\.tgz is cut, damaged"):
        found(tmp_path / "home", "rparis6k")
    answers = list(open_dataset("rparis6k", "x", {}).read([one.uri for one in samples.values()]))
    assert [isinstance(answer, bytes) for answer in answers[:3]] == [True] * 3, "the first archive"
    assert isinstance(answers[-1], OSError)


def test_damaged_files_that_the_truth_does_not_name_are_left_out(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    rparis6k(tmp_path / "home", draw)
    before = found(tmp_path / "home", "rparis6k")
    assert caplog.text == ""
    write_archive(tmp_path / "home" / "paris_3.tgz", {"paris_louvre_000136": b"half a JPEG"})
    with caplog.at_level(logging.WARNING):
        assert found(tmp_path / "home", "rparis6k") == before
    assert "1 pictures that the truth does not name" in caplog.text


def test_what_is_missing_is_named(home: Path) -> None:
    (home / "jpg" / "hall_02.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of 6 pictures .*home, such as hall_02\.jpg"):
        found(home)
    assert len(found(home, splits=["query"])) == 2
    (home / "gnd_roxford5k.pkl").unlink()
    with pytest.raises(FileNotFoundError, match=r"No gnd_roxford5k\.mat or gnd_roxford5k\.pkl in"):
        found(home)
    as_pickle(home, "roxford5k")
    (home / "jpg").rename(home / "photos")
    with pytest.raises(FileNotFoundError, match=r"No folder jpg and no archive"):
        found(home)


def test_a_picture_in_two_places_is_an_error(home: Path) -> None:
    (home / "jpg" / "more").mkdir()
    (home / "jpg" / "more" / "hall_02.jpg").write_bytes(b"x")
    with pytest.raises(ValueError, match="picture hall_02 is twice under"):
        found(home)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("bbx", [1, 2, 3], "hall_01: bbx should be"),
        ("bbx", [9, 2, 3, 4], "hall_01: bbx should be"),
        ("easy", [4], "hall_01: easy counts"),
        ("hard", [-1], "hall_01: hard counts"),
        ("junk", [0.5], "hall_01: junk counts"),
        ("junk", ["x"], "hall_01, junk should be"),
    ],
)
def test_a_broken_truth_is_an_error_that_names_the_query(
    home: Path, field: str, value: Any, said: str
) -> None:
    as_pickle(home, "roxford5k", [{**SAID[0], field: value}, SAID[1]])
    with pytest.raises(ValueError, match=rf"gnd_roxford5k\.pkl: query {said}"):
        found(home)


@pytest.mark.real
def test_the_real_queries_of_paris_in_the_revisited_form(
    tmp_path: Path, shared_datasets: Path
) -> None:
    path = shared_datasets / "lists" / "paris6k-gt" / "paris_120310.zip"
    boxes: dict[str, list[float]] = {}
    related: dict[str, dict[str, list[str]]] = {}
    with zipfile.ZipFile(path) as archive:
        for entry in sorted(archive.namelist()):
            stem = entry.rpartition("/")[2].removesuffix(".txt")
            if stem.endswith("_query"):
                name, *corners = archive.read(entry).decode().split()
                boxes[name] = [float(one) for one in corners]
                related[name] = {
                    word: archive.read(entry.replace("_query", f"_{theirs}")).decode().split()
                    for word, theirs in (("easy", "good"), ("hard", "ok"), ("junk", "junk"))
                }
    assert len(boxes) == 55
    index = sorted({one for said in related.values() for some in said.values() for one in some})
    index = [one for one in index if one not in boxes]
    places = {one: place for place, one in enumerate(index)}
    said = [
        {"bbx": boxes[name]}
        | {
            word: [places[one] for one in some if one in places]
            for word, some in related[name].items()
        }
        for name in boxes
    ]
    fields = {"imlist": index, "qimlist": list(boxes), "gnd": said}
    (tmp_path / "gnd_rparis6k.pkl").write_bytes(pickle.dumps(fields))
    truth = truth_of(str(tmp_path), "rparis6k")
    assert [query.name for query in truth.queries] == list(boxes)
    for query in truth.queries:
        assert list(query.corners) == boxes[query.name]
        for word, some in related[query.name].items():
            assert set(query.related[word]) == set(some) - set(boxes)
