"""Which class of ILSVRC2012 a validation picture is: by the devkit, or by Kaggle's answers."""

import re
from collections.abc import Mapping
from typing import Any, Final

import fsspec
import pyarrow as pa

from data.adapters.archives import content_of
from data.adapters.matlab import load
from data.adapters.rows import row_batches

KIT: Final = "ILSVRC2012_devkit_t12"
DEVKITS: Final = (f"{KIT}.tar.gz", KIT)
META: Final = "data/meta.mat"
TRUTH: Final = "data/ILSVRC2012_validation_ground_truth.txt"
SOLUTION: Final = "LOC_val_solution.csv"

WNID: Final = re.compile(r"n\d{8}")


def classes_of_val(root: str) -> tuple[Mapping[str, str], str]:
    """The WNID of each validation picture by its name without suffix, and the file that says so.

    Raises:
        FileNotFoundError: there is none under ROOT; names those that would do.
        ValueError: it is damaged, or says something else; names it.
    """
    fs, path = fsspec.url_to_fs(root)
    for devkit in DEVKITS:
        if fs.exists(f"{path}/{devkit}"):
            home = f"{root}/{devkit}" + f"::{KIT}" * devkit.endswith(".gz")
            return _ground_truth(f"{home}/{TRUTH}", _wnids(f"{home}/{META}")), f"{home}/{TRUTH}"
    if fs.exists(f"{path}/{SOLUTION}"):
        return _solution(f"{root}/{SOLUTION}"), f"{root}/{SOLUTION}"
    raise FileNotFoundError(
        f"Nothing in {root} says which classes the validation pictures are: it should hold one of "
        f"{', '.join((*DEVKITS, SOLUTION))}."
    )


def _wnids(path: str) -> dict[int, str]:
    """The WNID of each of the devkit's ids that is a class and none above them."""
    synsets: Any = load(path, "synsets")["synsets"]
    try:
        return {
            int(one["ILSVRC2012_ID"].item()): str(one["WNID"])
            for one in synsets
            if int(one["num_children"].item()) == 0
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: 'synsets' should be structs of ILSVRC2012_ID, WNID and num_children."
        ) from error


def _ground_truth(path: str, wnids: Mapping[int, str]) -> dict[str, str]:
    told = {}
    for number, line in enumerate(content_of(path).split(), 1):
        if not line.isdigit() or int(line) not in wnids:
            raise ValueError(f"{path}: line {number} is {line!r}, none of the {len(wnids)} ids.")
        told[f"ILSVRC2012_val_{number:08d}"] = wnids[int(line)]
    return told


def _solution(path: str) -> dict[str, str]:
    told = {}
    kinds = {"ImageId": pa.string(), "PredictionString": pa.string()}
    for batch in row_batches(path, kinds):
        for name, said in zip(*(batch[column].to_pylist() for column in kinds), strict=True):
            told[name] = said.split(" ")[0]
            if not WNID.fullmatch(told[name]):
                raise ValueError(f"{path}: {name} is {said!r}, which begins with no WNID.")
    return told
