"""UKBench: a thing is four pictures, by number; the folder or the zip with its thumbnails."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data.adapters import open_dataset
from data.sample import Sample
from tests.data.miniatures_texts import ukbench

Draw = Callable[..., bytes]


def samples(root: Path) -> list[Sample]:
    return list(open_dataset("ukbench", str(root), {}).samples())


def test_a_thing_is_the_number_divided_by_four(tmp_path: Path, draw: Draw) -> None:
    ukbench(tmp_path, draw, each=3)
    found = samples(tmp_path)
    assert [one.labels[0] for one in found] == ["0"] * 4 + ["1"] * 4 + ["2"] * 4
    assert found[0].key == "ukbench00000.jpg"
    assert samples(tmp_path / "full") == found


def test_the_zip_is_read_in_place_without_its_thumbnails(tmp_path: Path, draw: Draw) -> None:
    ukbench(tmp_path / "home", draw)
    dataset = open_dataset("ukbench", str(tmp_path / "home"), {})
    folder = samples(tmp_path / "home")
    contents = list(dataset.read([one.uri for one in folder]))
    thumbnails = tmp_path / "home" / "thumbnails"
    thumbnails.mkdir()
    (thumbnails / "ukbench00000.jpg").write_bytes(b"small")
    shutil.make_archive(str(tmp_path / "ukbench"), "zip", tmp_path / "home")
    zipped = samples(tmp_path)
    assert [(one.key, one.labels, one.size) for one in zipped] == [
        (one.key, one.labels, one.size) for one in folder
    ]
    assert list(dataset.read([one.uri for one in zipped])) == contents


def test_a_picture_of_another_name_is_refused(tmp_path: Path, draw: Draw) -> None:
    ukbench(tmp_path, draw)
    (tmp_path / "full" / "cover.jpg").write_bytes(draw(1))
    with pytest.raises(ValueError, match=r"full holds 'cover\.jpg'"):
        samples(tmp_path)


@pytest.mark.real
def test_the_real_pictures(shared_datasets: Path, tmp_path: Path) -> None:
    home = shared_datasets / "ukbench-56"
    found = samples(home)
    assert [one.key for one in found] == [f"ukbench{number:05d}.jpg" for number in range(56)]
    assert {one.labels[0] for one in found} == {str(number) for number in range(14)}
    shutil.make_archive(str(tmp_path / "ukbench"), "zip", home, "full")
    zipped = samples(tmp_path)
    dataset = open_dataset("ukbench", str(tmp_path), {})
    for one, content in zip(found, dataset.read([one.uri for one in zipped]), strict=True):
        assert content == Path(one.uri).read_bytes()
