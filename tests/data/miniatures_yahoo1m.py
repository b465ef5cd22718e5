"""A catalogue of clothes in 116 classes, with a picture or two in some, in each of its shapes."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

CLASSES = tuple(f"class {number}" for number in range(116))
PICTURES = {"train": 4, "test": 2}


def name_of(split: str, number: int) -> str:
    return f"pictures of {split}/{number}.jpg"


def label_of(number: int) -> str:
    return CLASSES[115 - 3 * number]


def write_pictures(root: Path, draw: Callable[..., bytes]) -> None:
    for split, count in PICTURES.items():
        (root / name_of(split, 0)).parent.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (root / name_of(split, number)).write_bytes(draw(number))


def yahoo1m(root: Path, draw: Callable[..., bytes]) -> dict[str, Any]:
    """Lists as Caffe reads them."""
    write_pictures(root, draw)
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    for split, count in PICTURES.items():
        lines = [f"{name_of(split, n)} {CLASSES.index(label_of(n))}\n" for n in range(count)]
        (root / f"{split}.txt").write_text("".join(lines))
    return {}


def write_tables(root: Path, draw: Callable[..., bytes], suffix: str = ".csv") -> None:
    write_pictures(root, draw)
    for split, count in PICTURES.items():
        with (root / f"{split}{suffix}").open("w", newline="") as out:
            rows = csv.writer(out, delimiter="\t" if suffix == ".tsv" else ",")
            rows.writerow(["product_id", "path", "label", "title", "price"])
            for n in range(count):
                rows.writerow([f"{split}{n}", name_of(split, n), label_of(n), f"A shirt, {n}", "9"])


def write_folders(root: Path, draw: Callable[..., bytes]) -> None:
    for split, count in PICTURES.items():
        for number in range(count):
            path = root / split / label_of(number) / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw(number))
