"""Cars196: cars of 196 models, of which the second 98 are unseen in training."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.matlab import load
from data.adapters.named import place_in
from data.adapters.packed import read_packed
from data.adapters.pictures import Pictures
from data.taxonomy import Retrieval

SEEN: Final = 98
"""Models 1 to 98 teach, the others test."""

FOLDER: Final = "car_ims"
HOME: Final = "http://ai.stanford.edu/~jkrause/car196"
_CORNERS: Final = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")


class Cars196(Columnar):
    """Photographs of cars; relevant are those of the same model, which training has not seen.

    The root holds ``cars_annos.mat`` and the folder ``car_ims`` or the archive that it comes in,
    packed or not (``.tgz``, ``.tar``), which is read in place. ``annotations`` is an array of
    structs: ``relative_im_path`` (``car_ims/000001.jpg``), ``class`` 1 to 196, the first and last
    pixel of the box counted from 1, and a ``test`` that retrieval does not ask; ``class_names``
    names the models. The key is the path below car_ims, the label the name of the model. Pictures
    come in the order of the file, those of a packed archive as they lie in it.
    """

    card = Card(
        name="cars196",
        about="16,185 photographs of cars of 196 models, each with a box around the car.",
        labels="exactly one of 196 models with make and year; the same model is relevant",
        says=("single", "boxes"),
        retrievals=(Retrieval.FINE_GRAINED, Retrieval.OBJECT),
        cite="Krause, Stark, Deng, Fei-Fei, 3D Object Representations for Fine-Grained "
        "Categorization, 3dRR Workshop, ICCV 2013",
        home="https://ai.stanford.edu/~jkrause/cars/car_dataset.html",
        licence="none stated by the authors",
        terms="For research only; the photographs are their authors'.",
        access="withdrawn",
        ask="The author's pages answer no more: get car_ims.tgz (16,185 pictures, not cars_train "
        "and cars_test) and cars_annos.mat from who has a copy, and put both into one folder.",
        splits={"train": 8_054, "test": 8_131},
        sources=(
            Source(url=f"{HOME}/car_ims.tgz", holds="all pictures"),
            Source(url=f"{HOME}/cars_annos.mat", holds="models and boxes"),
        ),
        layout="cars_annos.mat beside car_ims.tgz as it was downloaded, the .tar that gunzip makes "
        "of it, or the folder car_ims that is in it.",
        marks=("cars_annos.mat", "car_ims*"),
        verified="miniature",
        proof="A MATLAB file of structs as documented, with pictures in a folder, a tar and a "
        "packed tar.",
        traps=(
            "Retrieval splits by model: 1 to 98 teach, 99 to 196 test; the file's own test flag "
            "has all models on both sides and is not asked.",
            "Boxes are first and last pixel, counted from 1.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures of each split in the order of the file.

        Raises:
            FileNotFoundError: cars_annos.mat or the pictures are missing; names them.
            ValueError: cars_annos.mat is damaged or holds something else.
        """
        path = f"{self.root}/cars_annos.mat"
        rows, models = _annotations(path)
        names = (FOLDER, f"{FOLDER}.tar", f"{FOLDER}.tgz")
        pictures = Pictures.within(place_in(self.root, "pictures of Cars196", *names), FOLDER)
        for split in filter(self.wants, self.card.splits):
            of_split = [row for row in rows if (row["class"] <= SEEN) == (split == "train")]
            labels = [models[row["class"] - 1] for row in of_split]
            columns: dict[str, list[Any]] = {
                "labels": [[label] for label in labels],
                "boxes": [
                    [{"label": label, "crowd": False} | row["box"]]
                    for row, label in zip(of_split, labels, strict=True)
                ],
                "split": [split] * len(of_split),
            }
            yield from pictures.batches([row["name"] for row in of_split], columns)

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The pictures of URIS; those of the packed archive in one pass, in their order."""
        return read_packed(uris)


def _annotations(path: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Name, class and box of each picture, and the names of the classes."""
    found = load(path, "annotations", "class_names")
    rows = found["annotations"]
    models = [str(name) for name in found["class_names"]]
    try:
        return [_row(row, len(models)) for row in rows], models
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: annotations should be structs of relative_im_path, class, {_CORNERS}; "
            f"one is not: {error!r}."
        ) from error


def _row(row: Mapping[str, Any], models: int) -> dict[str, Any]:
    left, top, right, bottom = (float(np.asarray(row[corner]).item()) for corner in _CORNERS)
    number = int(np.asarray(row["class"]).item())
    if not 1 <= number <= models:
        raise ValueError(f"class {number} of {models}")
    box = {"x": left - 1, "y": top - 1, "width": right - left + 1, "height": bottom - top + 1}
    if not isinstance(row["relative_im_path"], str):
        raise TypeError("a path that is no text")
    return {"name": row["relative_im_path"].rpartition("/")[2], "class": number, "box": box}
