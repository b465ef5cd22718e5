"""Sketchy: photographs held back with their sketches, unfit sketches, one rendering of several."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data.adapters import open_dataset
from data.sample import Sample
from tests.data.miniatures_sketches import sketchy
from tests.data.miniatures_unseen import put

Draw = Callable[..., bytes]


def samples(root: Path, **options: object) -> list[Sample]:
    return list(open_dataset("sketchy", str(root), options).samples())


def test_a_photograph_that_tests_takes_its_sketches_with_it(tmp_path: Path, draw: Draw) -> None:
    sketchy(tmp_path, draw)
    found = {one.key: one for one in samples(tmp_path)}
    assert len(found) == 4 * 2 * 3
    assert found["photo/ant/n00_0.jpg"].split == "photo-test"
    assert found["sketch/ant/n00_0-1.png"].split == "sketch-test"
    assert found["photo/ant/n00_1.jpg"].split == "photo-train"
    assert found["sketch/ant/n00_1-2.png"].split == "sketch-train"
    assert found["sketch/car_(sedan)/n03_0-1.png"].labels == ("car_(sedan)",)
    assert list(found)[:2] == ["photo/ant/n00_0.jpg", "photo/ant/n00_1.jpg"]


def test_sketches_that_are_called_unfit_stay_unless_they_are_left_out(
    tmp_path: Path, draw: Draw
) -> None:
    sketchy(tmp_path, draw)
    everything = samples(tmp_path)
    some = samples(tmp_path, without=["error", "pose"])
    gone = {one.key for one in everything} - {one.key for one in some}
    assert gone == {"sketch/ant/n00_0-1.png", "sketch/ape/n01_1-2.png"}
    with pytest.raises(FileNotFoundError, match=r"invalid-context\.txt"):
        samples(tmp_path, without=["context"])


def test_one_rendering_is_taken(tmp_path: Path, draw: Draw) -> None:
    sketchy(tmp_path, draw)
    assert all("tx_000000000000" in one.uri for one in samples(tmp_path))
    other = samples(tmp_path, rendering="tx_000100000000")
    assert all("tx_000100000000" in one.uri for one in other)
    assert [one.key for one in other] == [one.key for one in samples(tmp_path)]
    with pytest.raises(FileNotFoundError, match="tx_000000000001"):
        samples(tmp_path, rendering="tx_000000000001")
    with pytest.raises(ValueError, match="option rendering"):
        samples(tmp_path, rendering="../../x")


def test_the_folders_may_lie_as_they_are_unpacked(tmp_path: Path, draw: Draw) -> None:
    sketchy(tmp_path, draw)
    keys = [one.key for one in samples(tmp_path)]
    assert [one.key for one in samples(tmp_path / "256x256")] == keys
    (tmp_path / "rendered_256x256").mkdir()
    shutil.move(tmp_path / "256x256", tmp_path / "rendered_256x256" / "256x256")
    assert [one.key for one in samples(tmp_path)] == keys


def test_a_part_that_is_missing_or_out_of_place_is_named(tmp_path: Path, draw: Draw) -> None:
    sketchy(tmp_path, draw)
    stray = tmp_path / "256x256" / "sketch" / "tx_000000000000" / "ant" / "n00_0.png"
    put(stray, b"x")
    with pytest.raises(ValueError, match=r"'ant/n00_0\.png', which is no sketch of a class"):
        samples(tmp_path)
    assert len(samples(tmp_path, splits=["photo-test"])) == 4
    stray.unlink()
    (tmp_path / "256x256" / "photo" / "tx_000000000000" / "ant" / "n00_0.jpg").unlink()
    with pytest.raises(ValueError, match=r"lacks 1 photographs of testset\.txt, first ant/n00_0"):
        samples(tmp_path)
    (tmp_path / "info" / "testset.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"testset\.txt"):
        samples(tmp_path)
