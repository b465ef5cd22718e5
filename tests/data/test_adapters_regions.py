"""Parts of pictures as items: each box of any source that has boxes, or a grid over any picture."""

import io
import json
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from data.adapters import DATASETS, open_dataset
from data.adapters.regions import Objects, Regions
from data.regions import Region, grid, part_of, parted
from data.sample import LISTING, Box, Sample, listing_batches
from models.pixels import decode
from tests.data import miniatures_coco
from tests.data.miniatures import MINIATURES
from tests.data.miniatures_coco import coco

Draw = Callable[..., bytes]

BOXES = Objects(of="boxes", least=8)
GRID = Objects(of="grid", scales=2)
KNOWN = sorted(name for name, kind in DATASETS.items() if "boxes" in kind.card.says)


def box(number: int, picture: int, kind: int, *corners: float, crowd: int = 0) -> dict[str, Any]:
    return {
        "id": number, "image_id": picture, "category_id": kind, "bbox": list(corners),
        "iscrowd": crowd,
    }  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> Path:
    """COCO in small; picture 9 has a crowd, a sliver, two boxes alike and one beyond its edge."""
    train = [
        box(1, 9, 1, 0, 0, 48, 40, crowd=1),
        box(2, 9, 1, 20, 10, 20, 7),
        box(3, 9, 90, 1.6, 2.25, 10, 12),
        box(4, 9, 1, 2.0, 2.0, 9.6, 12.2),
        box(5, 9, 13, 36, 20, 30, 15),
        box(6, 581929, 90, 4, 4, 16, 16),
    ]
    monkeypatch.setitem(miniatures_coco.BOXES, "train", train)
    coco(tmp_path, draw)
    return tmp_path


def opened(home: Path, objects: Objects = BOXES, **options: Any) -> Regions:
    dataset = open_dataset("coco", str(home), options, objects)
    assert isinstance(dataset, Regions)
    return dataset


def test_each_box_is_an_item_with_its_own_label_and_its_picture_s_split(home: Path) -> None:
    found = {one.key: one for one in opened(home).samples()}
    nine = "000000000009#xywh="
    assert {key: (one.labels, one.split) for key, one in found.items()} == {
        f"{nine}2,2,10,12": (("person", "toothbrush"), "train"),
        f"{nine}36,20,30,15": (("stop sign",), "train"),
        "000000581929#xywh=4,4,16,16": (("toothbrush",), "train"),
        "000000000040#xywh=2,2,9,9": (("stop sign",), "val"),
    }
    assert found[f"{nine}2,2,10,12"].boxes == (
        Box("toothbrush", pytest.approx(1.6), 2.25, 10, 12),  # type: ignore[arg-type]
    ), "of two boxes of the same pixels the first is kept as it was"
    assert all(not one.tags and not one.captions for one in found.values())


def test_what_is_left_out_is_counted(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        list(opened(home).listing())
    assert "of 7 boxes 1 crowds and 1 with a side under 8 pixels are left out" in caplog.text
    assert len(list(opened(home, Objects(of="boxes")).samples())) == 1, "16 pixels by default"


def test_a_part_shows_the_pixels_of_its_box(home: Path, draw: Draw) -> None:
    dataset = opened(home)
    found = list(dataset.samples())
    whole = np.asarray(Image.open(io.BytesIO(draw(9))).convert("RGB"))
    shows = {"2,2,10,12": whole[2:14, 2:12], "36,20,30,15": whole[20:35, 36:]}
    for one, content in zip(found, dataset.read([one.uri for one in found]), strict=True):
        assert isinstance(content, bytes)
        picture, _, rectangle = one.key.partition("#xywh=")
        if picture == "000000000009":
            assert np.array_equal(decode(content), shows[rectangle])


def test_a_part_is_read_again_when_its_picture_changes_and_not_when_another_box_does(
    home: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stamps() -> dict[str, tuple[int, int, str]]:
        return {one.key: (one.size, one.mtime, one.etag) for one in opened(home).samples()}

    before = stamps()
    others = [one for one in miniatures_coco.BOXES["train"] if one["id"] != 3]
    monkeypatch.setitem(miniatures_coco.BOXES, "train", [box(0, 9, 1, 5, 5, 30, 30), *others])
    pictures = {path: path.stat().st_mtime_ns for path in (home / "train2017").iterdir()}
    said = miniatures_coco.annotations("train", 2017)["instances_train2017.json"]
    (home / "annotations/instances_train2017.json").write_text(json.dumps(said))
    after = stamps()
    assert after.items() - before.items() == {
        ("000000000009#xywh=5,5,30,30", after["000000000009#xywh=5,5,30,30"])
    }
    assert before.keys() <= after.keys()
    assert pictures == {path: path.stat().st_mtime_ns for path in (home / "train2017").iterdir()}
    (home / "train2017/000000000009.jpg").write_bytes(draw(77))
    changed = {key for key, stamp in stamps().items() if stamp != after[key]}
    assert changed == {key for key in after if key.startswith("000000000009#")}


def test_a_picture_that_is_gone_is_answered_for_each_of_its_parts(home: Path) -> None:
    dataset = opened(home)
    found = list(dataset.samples())
    (home / "train2017/000000000009.jpg").unlink()
    gone = [isinstance(one, OSError) for one in dataset.read([one.uri for one in found])]
    assert gone == [one.key.startswith("000000000009#") for one in found]


def test_boxes_are_asked_only_of_those_who_know_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mnist knows no boxes of its pictures: say objects: grid"):
        open_dataset("mnist", str(tmp_path), {}, BOXES)


def test_a_grid_lies_over_any_picture_and_keeps_what_is_said_of_it(home: Path, draw: Draw) -> None:
    dataset = opened(home, GRID)
    wholes = {one.key: one for one in open_dataset("coco", str(home), {}).samples()}
    found = list(dataset.samples())
    assert [one.key for one in found] == [
        part_of(key, region) for key in wholes for region in grid(2)
    ]
    for one in found:
        picture = wholes[parted(one.key)[0]]
        assert (one.labels, one.boxes, one.captions, one.split) == (
            picture.labels, picture.boxes, picture.captions, picture.split,
        )  # fmt: skip
    last = dataset.read([found[-1].uri])
    content = next(last)
    assert isinstance(content, bytes)
    whole = np.asarray(Image.open(io.BytesIO(draw(40))).convert("RGB"))
    assert np.array_equal(decode(content), whole[13:, 16:]), "two thirds of 48 x 40, bottom right"


@pytest.mark.parametrize("objects", [BOXES, GRID], ids=lambda one: one.of)
@pytest.mark.parametrize("name", KNOWN)
def test_every_source_that_has_boxes_keeps_its_promises_in_parts(
    name: str, objects: Objects, tmp_path: Path, draw: Draw
) -> None:
    called, make = MINIATURES[name]
    options = make(tmp_path / called, draw)
    dataset = open_dataset(name, str(tmp_path / called), options, objects)
    found = list(dataset.samples())
    table = pa.Table.from_batches(list(dataset.listing()), LISTING)
    table.validate(full=True)
    assert table.equals(pa.Table.from_batches(list(listing_batches(found)), LISTING))
    assert len({one.key for one in found}) == len(found)
    twin = pickle.loads(pickle.dumps(dataset))
    assert list(twin.samples()) == found
    contents = list(dataset.read([one.uri for one in found[::-1]]))[::-1]
    for one, content in zip(found, contents, strict=True):
        assert isinstance(content, bytes)
        if objects.of == "boxes":
            assert len(content) <= one.size, "less where a box goes beyond its picture"
        for word in {"labels", "tags", "captions", "boxes"} - set(dataset.card.annotations):
            assert getattr(one, word) == ()
    wholes = list(open_dataset(name, str(tmp_path / called), options).samples())
    assert len(found) == (expected(wholes) if objects.of == "boxes" else 5 * len(wholes))
    for split in {one.split for one in found}:
        some = open_dataset(name, str(tmp_path / called), {**options, "splits": [split]}, objects)
        assert list(some.samples()) == [one for one in found if one.split == split]


def expected(wholes: list[Sample]) -> int:
    """How many rectangles of 8 pixels a side and more there are, by plain loops."""
    parts = set()
    for one in wholes:
        for each in one.boxes:
            region = Region.of(
                {side: getattr(each, side) for side in ("x", "y", "width", "height")}
            )
            left, top, right, bottom = region.corners(10**9, 10**9)
            if not each.crowd and min(right - left, bottom - top) >= 8:
                parts.add((one.key, left, top, right, bottom))
    return len(parts)
