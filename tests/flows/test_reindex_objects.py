"""Whole nights over boxes: what they cost, what they find, and where in a picture it is."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from data.manifest import manifest
from data.regions import Region, grid, overlap, parted
from flows.cli import app
from tasks.measuring.answering import cut
from tasks.searching.parts import by_image, located
from tasks.searching.search import Searcher, resolve
from tests.flows.album import TRAIN, Album, balanced, counts
from tests.flows.brute import precision, ranking
from tests.flows.test_reindex_protocols import stands

KINDS = {1: "red", 2: "green", 3: "blue", 4: "check"}
SIDE = 24
Boxes = dict[int, list[tuple[int, int, int]]]
"""Left, top and kind of the objects of each picture."""

TRAIN_BOXES: Boxes = {
    number: [(4, 6 + number, 1 + number % 4), (60, 40 - number, 1 + (number + 1) % 4)]
    for number in range(10, 22)
}
VAL_BOXES: Boxes = {
    number: [(30 + number - 50, 20, 1 + number % 4), (66, 4, 1 + (number + 2) % 4)]
    for number in range(50, 56)
}


def scene(number: int, objects: list[tuple[int, int, int]]) -> bytes:
    """A cluttered grey picture of 96 x 80 pixels with OBJECTS in it, as PNG."""
    draw = np.random.default_rng(number)
    pixels = np.repeat(draw.integers(60, 200, (80, 96, 1)), 3, axis=2).astype(np.uint8)
    for left, top, kind in objects:
        patch = draw.integers(0, 30, (SIDE, SIDE, 3)).astype(np.uint8)
        if kind == 4:
            patch[(np.indices((SIDE, SIDE)) // 4).sum(axis=0) % 2 == 0] += 220
        else:
            patch[:, :, kind - 1] += 200
        pixels[top : top + SIDE, left : left + SIDE] = patch
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def lay(home: Path, split: str, boxes: Boxes, *, crowd: bool = False) -> None:
    """Put the JSON file of SPLIT under HOME, and the pictures that are not there yet."""
    images, annotations = [], []
    for number, objects in boxes.items():
        name = f"{number:012d}.jpg"
        images.append({"id": number, "file_name": name})
        path = home / f"{split}2017" / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(scene(number, objects))
        for place, (left, top, kind) in enumerate(objects):
            annotations.append(
                {
                    "id": 10 * number + place,
                    "image_id": number,
                    "category_id": kind,
                    "bbox": [left, top, SIDE, SIDE],
                    "iscrowd": int(crowd),
                }
            )
    said = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for number, name in KINDS.items()],
    }
    (home / "annotations").mkdir(exist_ok=True)
    (home / f"annotations/instances_{split}2017.json").write_text(json.dumps(said))


@pytest.fixture
def objects(bare: Album) -> Album:
    """Twenty-four boxes of twelve pictures, and twelve of six others that ask."""
    home = bare.folder / "coco"
    lay(home, "train", TRAIN_BOXES)
    lay(home, "val", VAL_BOXES)
    bare.fields |= {
        "source": {
            "dataset": "coco",
            "root": "coco",
            "options": {"annotations": ["instances"]},
            "objects": "boxes",
        },
        "train": TRAIN | {"size": 24},
        "evaluate": {"protocol": "coco-objects"},
    }
    return bare


def key(number: int, left: int, top: int) -> str:
    return f"{number:012d}#xywh={left},{top},{SIDE},{SIDE}"


def test_boxes_are_rows_and_are_measured_as_the_protocol_says(objects: Album) -> None:
    ledger = objects.night()
    assert balanced(ledger) == (36, 0, 0, 0)
    stands(objects, ledger, "coco-objects", "map@100[min]")
    rows = objects.rows()
    both = TRAIN_BOXES | VAL_BOXES
    assert {one: labels for one, (_, labels, _) in rows.items()} == {
        key(number, left, top): (KINDS[kind],)
        for number, each in both.items()
        for left, top, kind in each
    }
    database = [one for one in rows if int(one[:12]) in TRAIN_BOXES]
    values = []
    for one in rows.keys() - set(database):
        right = {other for other in database if rows[other][1] == rows[one][1]}
        values.append(precision(ranking(objects, rows[one][2], database), right))
    assert ledger.metrics["map@100[min]"] == pytest.approx(np.mean(values), abs=2e-3)
    assert ledger.metrics["map@100[min]"] > 0.8, "four kinds are told apart at sight; lots give .3"
    assert objects.verified().ok

    told = manifest(objects.store, "toy").open().to_table().to_pylist()
    assert all(len(row["boxes"]) == 1 for row in told)
    assert all((row["width"], row["height"]) == (SIDE, SIDE) for row in told)


def test_a_night_costs_what_became_of_boxes(objects: Album) -> None:
    assert objects.night().embedded == 36
    quiet = objects.night()
    assert (quiet.embedded, counts(quiet)) == (0, {})

    moved = TRAIN_BOXES | {12: [(40, 18, 1), TRAIN_BOXES[12][1]]}
    home = objects.folder / "coco"
    lay(home, "train", moved)
    ledger = objects.night("fall")
    assert counts(ledger) == {"added": 1, "removed": 1}
    assert ledger.embedded == 1, "the other box of the picture is as it was"
    assert key(12, 40, 18) in objects.rows()

    left, top, _ = moved[12][1]
    lay(home, "train", moved | {12: [moved[12][0], (left, top, 4)]})
    ledger = objects.night("fall")
    assert (ledger.embedded, counts(ledger)) == (0, {"relabelled": 1})
    assert objects.rows()[key(12, left, top)][1] == ("check",)

    lay(home, "val", VAL_BOXES | {55: []})
    ledger = objects.night("fall")
    assert (ledger.embedded, counts(ledger)) == (0, {"removed": 2})

    touched = home / "train2017/000000000010.jpg"
    touched.write_bytes(scene(10, [(4, 16, 2), (60, 30, 4)]))
    ledger = objects.night("fall")
    assert counts(ledger) == {"changed": 1, "touched": 1}
    assert ledger.embedded == 1, "the pixels of the other box are as they were"


def test_a_part_of_a_picture_asks_and_answers_say_where(
    objects: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects.night()
    monkeypatch.chdir(objects.folder)
    monkeypatch.setenv("NIGHTJAR_STORE", str(objects.folder / "store"))

    def say(*words: str) -> Any:
        done = CliRunner().invoke(app, ["search", *words, "-r", str(objects.path)])
        return done.exit_code, done.output

    left, top, kind = VAL_BOXES[50][0]
    asking = ["coco/val2017/000000000050.jpg", "--box", f"{left},{top},{SIDE},{SIDE}"]
    rows = json.loads(say(*asking, "-k", "5", "--json")[1])
    assert rows[0]["key"] == key(50, left, top)
    assert rows[0]["distance"] == pytest.approx(0, abs=1e-5), "it is in the index itself"
    assert rows[0]["image"] == "000000000050"
    box = {"x": left, "y": top, "width": SIDE, "height": SIDE, "unit": "pixel"}
    assert rows[0]["box"] == box
    assert np.mean([row["labels"] == [KINDS[kind]] for row in rows]) >= 0.8

    pictures = json.loads(say(*asking, "-k", "18", "--by-image", "--json")[1])
    assert sorted(row["image"] for row in pictures) == sorted(
        f"{number:012d}" for number in TRAIN_BOXES | VAL_BOXES
    )
    assert [row["rank"] for row in pictures] == list(range(1, 19))
    page = say(*asking, "-k", "3", "--offset", "2", "--by-image", "--json")[1]
    assert [row["key"] for row in json.loads(page)] == [row["key"] for row in pictures[2:5]]
    assert "000000000050  66,4,24,24" in say(*asking, "-k", "40")[1]

    for words, wrong in (
        ([asking[0], "--box", "1,2,3"], "'1,2,3' is no region: say its left, top"),
        ([*asking, "--box", "1,2,30,40"], "2 boxes are said, and 1 images"),
        ([asking[0], "--box", "96,2,30,40"], "too small"),
    ):
        code, told = say(*words)
        assert code == 2
        assert wrong in told


def test_the_pictures_are_answers_by_their_best_box(objects: Album) -> None:
    objects.fields["evaluate"] = {"protocol": "coco-objects-images"}
    ledger = objects.night()
    stands(objects, ledger, "coco-objects-images", "map@100[min]")
    rows = objects.rows()
    database = [one for one in rows if int(one[:12]) in TRAIN_BOXES]
    values = []
    for one in rows.keys() - set(database):
        nearest: dict[str, float] = {}
        for apart, other in ranking(objects, rows[one][2], database):
            nearest.setdefault(parted(other)[0], apart)
        right = {parted(other)[0] for other in database if rows[other][1] == rows[one][1]}
        values.append(precision([(apart, one) for one, apart in nearest.items()], right))
    assert ledger.metrics["map@100[min]"] == pytest.approx(np.mean(values), abs=2e-3)
    shown = [answer for example in ledger.examples for answer in example.candidate]
    assert shown
    assert set(shown) <= set(database), "what is shown of a picture is its best box"


def test_a_grid_finds_an_object_where_no_box_is_known(objects: Album) -> None:
    home = objects.folder / "pictures"
    wholes: dict[str, list[tuple[int, int, int]]] = {}
    for number in range(12):
        place = [(0, 0), (72, 0), (36, 28), (0, 56)][number % 4]
        wholes[f"{number:02d}.png"] = [(*place, 1 + number // 4 % 3)]
        home.mkdir(exist_ok=True)
        (home / f"{number:02d}.png").write_bytes(scene(number, wholes[f"{number:02d}.png"]))
    objects.fields |= {
        "source": {
            "dataset": "folder",
            "root": "pictures",
            "objects": {"of": "grid", "scales": 5, "most": 24},
        },
        "evaluate": {"queries": 8, "k": 10},
    }
    ledger = objects.night()
    assert balanced(ledger) == (12 * 55, 0, 0, 0)
    searcher = Searcher(objects.store, *resolve(objects.store, "toy"))
    hits, found, lots = [], [], []
    for name, [(left, top, kind)] in wholes.items():
        truth = Region(left, top, SIDE, SIDE)
        content = cut((home / name).read_bytes(), 0, truth.facts())  # type: ignore[arg-type]

        def ask(wanted: int, content: bytes = content) -> Any:
            return searcher.search(content, wanted)

        answers = located(by_image(ask, 4, searcher.rows)).to_pylist()
        assert len({one["image"] for one in answers}) == 4
        hits += [wholes[one["image"]][0][2] == kind for one in answers]
        own = parted(next(one["key"] for one in answers if one["image"] == name))[1]
        assert own is not None
        found.append(overlap(own.pixels(96, 80), truth) >= 0.5)
        lots += [overlap(one.pixels(96, 80), truth) >= 0.5 for one in grid(5)]
    assert np.mean(hits) >= 0.8, "lots give a third"
    assert np.mean(found) >= 0.5, "the region that is shown is where the object is"
    assert np.mean(lots) <= 0.06, "of 55 regions two or three overlap by half"
