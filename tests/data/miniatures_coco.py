"""MS COCO in small: four pictures in the layout of 2014 or of 2017, in folders or zips."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Draw = Callable[..., bytes]

CATEGORIES = [
    {"id": 1, "name": "person"},
    {"id": 13, "name": "stop sign"},
    {"id": 90, "name": "toothbrush"},
]

SPLITS = {"train": (9, 3, 581929), "val": (40,)}
"""Ids of the pictures, in the order of the files, which is not theirs."""

BOXES: dict[str, list[dict[str, Any]]] = {
    "train": [
        {"id": 900100000009, "image_id": 9, "category_id": 1, "bbox": [0, 0, 48, 40], "iscrowd": 1},
        {"id": 7, "image_id": 581929, "category_id": 90, "bbox": [1.5, 2.25, 10, 4], "iscrowd": 0},
        {"id": 5, "image_id": 9, "category_id": 90, "bbox": [3, 4, 5, 6], "iscrowd": 0},
        {"id": 4, "image_id": 9, "category_id": 90, "bbox": [30, 4, 5, 6], "iscrowd": 0},
    ],
    "val": [{"id": 8, "image_id": 40, "category_id": 13, "bbox": [2, 2, 9, 9], "iscrowd": 0}],
}
"""Picture 3 has none."""


def file_name(split: str, year: int, number: int) -> str:
    return f"COCO_{split}2014_{number:012d}.jpg" if year == 2014 else f"{number:012d}.jpg"


def annotations(split: str, year: int) -> dict[str, Any]:
    """The two JSON files of SPLIT, by name."""
    images = [
        {"id": number, "file_name": file_name(split, year, number), "width": 48, "height": 40}
        for number in SPLITS[split]
    ]
    captions = [
        {
            "id": 1000 * number + 10 - turn,
            "image_id": number,
            "caption": f" {10 - turn} of {number}.\n",
        }
        for turn in range(6)
        for number in SPLITS[split]
    ]
    boxes = [box | {"segmentation": [[1, 2, 3, 4, 5, 6]], "area": 1.0} for box in BOXES[split]]
    info = {"info": {"year": year}, "licenses": [{"id": 1}], "images": images}
    return {
        f"instances_{split}{year}.json": info | {"annotations": boxes, "categories": CATEGORIES},
        f"captions_{split}{year}.json": info | {"annotations": captions},
    }


def coco(root: Path, draw: Draw, year: int = 2017, zipped: bool = False) -> dict[str, Any]:
    """Lay it under ROOT."""
    root.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, bytes]] = {f"annotations_trainval{year}": {}}
    for split, numbers in SPLITS.items():
        for name, said in annotations(split, year).items():
            content = json.dumps(said).encode()
            files[f"annotations_trainval{year}"][f"annotations/{name}"] = content
        files[f"{split}{year}"] = {
            f"{split}{year}/{file_name(split, year, number)}": draw(number) for number in numbers
        }
    for archive, members in files.items():
        if zipped:
            with zipfile.ZipFile(root / f"{archive}.zip", "w") as out:
                out.writestr(f"{next(iter(members)).partition('/')[0]}/", b"")
                for name, content in members.items():
                    out.writestr(name, content)
            continue
        for name, content in members.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(content)
    return {}
