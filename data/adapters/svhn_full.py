"""Street View House Numbers as they were photographed (format 1), with a box for each digit."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.columns import listing_batch, lists_by_row
from data.adapters.files import Run
from data.adapters.hdf5 import hdf5, member, numbers_in, text_at
from data.adapters.objects import files_under
from data.adapters.packed import read_packed
from data.adapters.runs import archive_rows, below, runs_of
from data.sample import BOX
from data.taxonomy import Retrieval

HOME: Final = "http://ufldl.stanford.edu/housenumbers"
TRUTH: Final = "digitStruct.mat"
FIELDS: Final = ("label", "left", "top", "width", "height")
PNG: Final = frozenset({"png"})

log = logging.getLogger(__name__)


class Truth(NamedTuple):
    """Names of pictures (N texts), and of each the boxes of its digits and the digits it shows."""

    names: pa.Array
    boxes: pa.ListArray
    labels: pa.ListArray


class SvhnFull(Columnar):
    """House numbers on walls and doors; relevant is what shows the same digit.

    The root holds ``train.tar.gz``, ``test.tar.gz`` and ``extra.tar.gz`` as they were downloaded,
    which are read where they lie, the same unpacked to ``.tar``, or the folders that are in them;
    each has ``1.png`` and so on beside ``digitStruct.mat``. Name ``splits`` to do without one of
    them. Keys are ``train/1.png``; pictures come as they lie.

    A box is labelled by its digit, and a picture by the digits that it shows. That MATLAB file is
    of version 7.3: it needs h5py, the extra ``datasets``.
    """

    card = Card(
        name="svhn-full",
        about="248,823 photographs of house numbers, with a box for each of their digits.",
        labels="the digits, one of ten each, that a house number has; a picture that shares one is "
        "relevant, and a box shows one",
        says=("multi", "boxes"),
        retrievals=(Retrieval.OBJECT, Retrieval.MULTI_LABEL),
        cite="Netzer, Wang, Coates, Bissacco, Wu, Ng, Reading Digits in Natural Images with "
        "Unsupervised Feature Learning, NIPS Workshop 2011",
        home=f"{HOME}/",
        licence="none stated by the authors",
        terms="For non-commercial use only.",
        access="open",
        splits={"train": 33_402, "test": 13_068, "extra": 202_353},
        sources=tuple(
            Source(
                url=f"{HOME}/{split}.tar.gz",
                holds="pictures and boxes",
                splits=(split,),
                bytes=size,
            )
            for split, size in (
                ("train", 404_141_560),
                ("test", 276_555_967),
                ("extra", 1_955_489_752),
            )
        ),
        layout="The .tar.gz in the root, or the folders train, test and extra that are in them; "
        "splits: [train, test] in a recipe does without extra.",
        marks=("digitStruct.mat", "train.tar.gz", "test.tar.gz"),
        verified="miniature",
        proof="Archives of its layout that the tests write, digitStruct.mat by h5py as MATLAB lays "
        "it out. No real file could be had.",
        traps=(
            "Label 10 stands for the digit 0.",
            "The box of a single digit is written as numbers, those of several as references.",
            "Left and top count from 0, and a box may stick out of its picture.",
            "The names in digitStruct.mat sort as numbers, the files as texts.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures of each split as they lie; all of a packed archive is unpacked on the way.

        Raises:
            FileNotFoundError: an archive, its digitStruct.mat or pictures of it are missing.
            ValueError: an archive is cut, or digitStruct.mat is not in its layout; names it.
            ImportError: h5py is not installed.
        """
        for split in filter(self.wants, self.card.splits):
            place, runs = _pictures(self.root, split)
            path = f"{place}::{split}/{TRUTH}" if _is_archive(place) else f"{place}/{TRUTH}"
            truth = _truth(path)
            met = np.zeros(len(truth.names), np.bool_)
            strange = 0
            for run in runs:
                rows = pc.index_in(pa.array(run.keys, pa.string()), value_set=truth.names)
                strange += rows.null_count
                known = pc.is_valid(rows)
                met[rows.drop_null().to_numpy()] = True
                yield _batch(run, split, truth, rows).filter(known)
            if strange:
                log.warning("%s: %d pictures that %s does not name", place, strange, TRUTH)
            if not met.all():
                first = truth.names[int(np.argmin(met))]
                lost = len(met) - int(met.sum())
                raise FileNotFoundError(f"{lost} pictures of {path} are not there, first {first}.")

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The pictures of URIS; those of a packed archive in one pass, in their order."""
        return read_packed(uris)


def _is_archive(place: str) -> bool:
    return place.endswith((".tar.gz", ".tar"))


def _pictures(root: str, split: str) -> tuple[str, Iterator[Run]]:
    """Where the pictures of SPLIT lie, and what they are."""
    fs, path = fsspec.url_to_fs(root)
    if fs.isdir(f"{path}/{split}"):
        return f"{root}/{split}", files_under(f"{root}/{split}", PNG, "all")
    for suffix in (".tar.gz", ".tar"):
        if fs.exists(f"{path}/{split}{suffix}"):
            archive = f"{root}/{split}{suffix}"
            return archive, runs_of(archive_rows(archive, below(f"{split}/", PNG)))
    raise FileNotFoundError(f"No {split}.tar.gz, {split}.tar or folder {split} in {root}.")


def _batch(run: Run, split: str, truth: Truth, rows: pa.Array) -> pa.RecordBatch:
    """RUN as rows of a listing; of each its place in TRUTH."""
    return listing_batch(
        len(run.keys),
        {
            "key": [f"{split}/{key}" for key in run.keys],
            "uri": run.uris,
            "size": run.sizes,
            "mtime": run.mtimes,
            "etag": run.etags,
            "labels": truth.labels.take(rows),
            "boxes": truth.boxes.take(rows),
            "split": [split] * len(run.keys),
        },
    )


def _truth(path: str) -> Truth:
    """What the digitStruct.mat at PATH says."""
    names: list[str] = []
    counts: list[int] = []
    numbers: dict[str, list[float]] = {field: [] for field in FIELDS}
    with hdf5(path) as file:
        top = member(file, "digitStruct")
        told, boxes = (member(top, name)[()].ravel() for name in ("name", "bbox"))
        if len(told) != len(boxes):
            raise ValueError(f"{path} names {len(told)} pictures and boxes of {len(boxes)}.")
        for name, box in zip(told, boxes, strict=True):
            names.append(text_at(file, name))
            found = numbers_in(file, box, FIELDS)
            if len({len(one) for one in found}) > 1:
                raise ValueError(f"{path}: the boxes of {names[-1]} lack some of {FIELDS}.")
            counts.append(len(found[0]))
            for field, some in zip(FIELDS, found, strict=True):
                numbers[field] += some
    digits = np.array(numbers["label"], np.float64)
    if not np.isin(digits, np.arange(1, 11)).all():
        raise ValueError(f"{path}: a label is not one of 1 to 10.")
    return _listed(names, np.array(counts, np.int64), digits.astype(np.int64) % 10, numbers)


def _listed(
    names: list[str],
    counts: "np.ndarray[Any, np.dtype[np.int64]]",
    digits: "np.ndarray[Any, np.dtype[np.int64]]",
    numbers: dict[str, list[float]],
) -> Truth:
    rows = np.repeat(np.arange(len(names)), counts)
    words = pa.array([str(digit) for digit in range(10)]).take(pa.array(digits))
    boxes = pa.StructArray.from_arrays(
        [
            words,
            *(
                pa.array(numbers[field], pa.float32())
                for field in ("left", "top", "width", "height")
            ),
            pa.array(np.zeros(len(digits), np.bool_)),
        ],
        fields=list(BOX),
    )
    shown = (
        np.unique(np.stack([rows, digits], axis=1), axis=0) if len(rows) else np.empty((0, 2), int)
    )
    labels = pa.array([str(digit) for digit in range(10)]).take(pa.array(shown[:, 1]))
    return Truth(
        pa.array(names, pa.string()),
        lists_by_row(rows, boxes, len(names)),
        lists_by_row(shown[:, 0], labels, len(names)),
    )
