"""ILSVRC2012 with three classes and two or three pictures of each, in each of its layouts."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.data.matfile import write_mat
from tests.data.tarred import tarred

KIT = "ILSVRC2012_devkit_t12"
IDS = {3: "n01440764", 1: "n01443537", 2: "n15075141"}
"""The devkit's ids, in another order than that of the WNIDs."""
TRUTH = (2, 3, 1)
"""The ids of the validation pictures, in the order of their numbers."""


def val_name(number: int) -> str:
    return f"ILSVRC2012_val_{number:08d}.JPEG"


def train_files(draw: Callable[..., bytes]) -> dict[str, dict[str, bytes]]:
    """By WNID and name; those of a class are not in the order of their names."""
    return {
        wnid: {f"{wnid}_{number}.JPEG": draw(10 * number + id_) for number in (9, 18, 2)}
        for id_, wnid in IDS.items()
    }


def devkit(root: Path) -> None:
    """The folder of the devkit; its list of classes ends with one above them."""
    (root / KIT / "data").mkdir(parents=True)
    synsets = [
        {"ILSVRC2012_ID": np.array([[id_]], "f8"), "WNID": wnid, "words": "a, b"}
        | {"num_children": np.array([[0.0]])}
        for id_, wnid in sorted(IDS.items())
    ]
    above = {"ILSVRC2012_ID": np.array([[4.0]]), "WNID": "n00001740", "words": "entity"}
    synsets.append(above | {"num_children": np.array([[3.0]])})
    write_mat(root / KIT / "data/meta.mat", {"synsets": [{"*": 0} | one for one in synsets]})
    lines = "".join(f"{id_}\n" for id_ in TRUTH)
    (root / KIT / "data/ILSVRC2012_validation_ground_truth.txt").write_text(lines)


def ilsvrc2012(root: Path, draw: Callable[..., bytes]) -> dict[str, Any]:
    """The official archives."""
    root.mkdir(parents=True)
    inner = {f"{wnid}.tar": tarred(files) for wnid, files in train_files(draw).items()}
    (root / "ILSVRC2012_img_train.tar").write_bytes(tarred(inner))
    val = {val_name(number): draw(100 + number) for number in (2, 3, 1)}
    (root / "ILSVRC2012_img_val.tar").write_bytes(tarred(val))
    devkit(root)
    with tarfile.open(root / f"{KIT}.tar.gz", "w:gz") as tar:
        tar.add(root / KIT, KIT)
    for path in (root / KIT / "data").iterdir():
        path.unlink()
    (root / KIT / "data").rmdir()
    (root / KIT).rmdir()
    return {}


def unpacked(root: Path, draw: Callable[..., bytes], by_class: bool = False) -> None:
    """``train/<wnid>/`` and ``val/``, flat or with a folder a class; no devkit."""
    for wnid, files in train_files(draw).items():
        (root / "train" / wnid).mkdir(parents=True)
        for name, content in files.items():
            (root / "train" / wnid / name).write_bytes(content)
    for number, id_ in enumerate(TRUTH, 1):
        folder = root / "val" / IDS[id_] if by_class else root / "val"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / val_name(number)).write_bytes(draw(100 + number))


def kaggle(root: Path, draw: Callable[..., bytes]) -> None:
    """The layout of the challenge at Kaggle, whose list of answers has an order of its own."""
    unpacked(root / "ILSVRC/Data/CLS-LOC", draw)
    rows = [
        f"{Path(val_name(number)).stem},{IDS[id_]} 111 108 370 361 {IDS[id_]} 1 2 3 4 \n"
        for number, id_ in enumerate(TRUTH, 1)
    ]
    (root / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n" + "".join(rows[::-1]))
