"""Miniatures of the datasets whose test classes are unseen in training, in official layouts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.data.matfile import write_mat

Draw = Callable[..., bytes]
SPECIES = (1, 2, 3, 100, 101, 102, 103, 200)
MODELS = (1, 2, 3, 98, 99, 100, 101, 196)


def put(path: Path, content: bytes) -> None:
    """CONTENT at PATH, whose folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def cub200(root: Path, draw: Draw, each: int = 1) -> dict[str, Any]:
    """EACH pictures of eight species, four of which are unseen."""
    home = root / "CUB_200_2011"
    rows = [
        (species, f"{species:03d}.Bird_{species}/Bird_{species}_{number:04d}_9.jpg", number)
        for species in SPECIES
        for number in range(each)
    ]
    for species, name, number in rows:
        put(home / "images" / name, draw(1000 * SPECIES.index(species) + number))
    texts = {
        "images.txt": [f"{at} {name}" for at, (_, name, _) in enumerate(rows, 1)],
        "image_class_labels.txt": [f"{at} {species}" for at, (species, _, _) in enumerate(rows, 1)],
        "bounding_boxes.txt": [f"{at} 6.0 2.0 30.0 20.0" for at in range(1, len(rows) + 1)],
        "classes.txt": [f"{one} {one:03d}.Bird_{one}" for one in range(1, 201)],
    }
    for name, lines in texts.items():
        (home / name).write_text("".join(f"{line}\n" for line in lines))
    return {}


def cars196(root: Path, draw: Draw, each: int = 1) -> dict[str, Any]:
    """EACH pictures of eight models, four of which are unseen."""
    models = [model for model in MODELS for _ in range(each)]
    rows: list[dict[str, Any]] = []
    for at, model in enumerate(models, 1):
        name = f"car_ims/{at:06d}.jpg"
        put(root / name, draw(1000 * MODELS.index(model) + at))
        numbers = {"bbox_x1": 7, "bbox_y1": 3, "bbox_x2": 36, "bbox_y2": 22, "class": model}
        numbers["test"] = at % 2
        row: dict[str, Any] = {"*": 0, "relative_im_path": name}
        rows.append(row | {field: np.array([[float(one)]]) for field, one in numbers.items()})
    names = [f"Make Model {model}" for model in range(1, 197)]
    write_mat(root / "cars_annos.mat", {"annotations": rows, "class_names": names})
    return {}


def sop(root: Path, draw: Draw, each: int = 2) -> dict[str, Any]:
    """EACH pictures of eight products, four of which are unseen."""
    home = root / "Stanford_Online_Products"
    at = 0
    for start, split in ((1, "train"), (5, "test")):
        lines = ["image_id class_id super_class_id path"]
        for product in range(start, start + 4):
            for number in range(each):
                at += 1
                name = f"mug_final/{product:012d}_{number}.JPG"
                put(home / name, draw(1000 * product + at))
                lines.append(f"{at} {product} 8 {name}")
        put(home / f"Ebay_{split}.txt", "".join(f"{line}\n" for line in lines).encode())
    return {}


def inshop(root: Path, draw: Draw, each: int = 1) -> dict[str, Any]:
    """EACH pictures of eight items a split; those of query and gallery are the same four."""
    lines = []
    for at, split in enumerate(("train", "query", "gallery")):
        for item in range(4):
            unseen = 0 if split == "train" else 4
            label = f"id_{item + unseen:08d}"
            for number in range(each):
                name = f"img/MEN/Denim/{label}/{at:02d}_{number}_front.jpg"
                put(root / name, draw(1000 * (item + unseen) + 100 * at + number))
                lines.append(f"{name:<60} {label}   {split}")
    text = "\n".join([str(len(lines)), "image_name item_id evaluation_status", *lines, ""])
    put(root / "Eval" / "list_eval_partition.txt", text.encode())
    return {}
