"""ILSVRC2012, the ImageNet of a thousand classes: its tars as they are published, or folders."""

import logging
import re
from collections.abc import Collection, Iterator
from typing import Final, Literal

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from data.adapters.archives import entries
from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.files import Run
from data.adapters.hashnet import names_in
from data.adapters.listed_splits import HASHING
from data.adapters.objects import files_under
from data.adapters.runs import Row, archive_run, rows_of, run_batches, sorted_run
from data.adapters.stamps import stamp_of
from data.adapters.wnids import SOLUTION, WNID, classes_of_val
from data.sample import LISTING
from data.taxonomy import Retrieval

CLASSES: Final = 1000
TRAIN: Final = ("ILSVRC2012_img_train.tar", "train", "ILSVRC/Data/CLS-LOC/train")
VAL: Final = ("ILSVRC2012_img_val.tar", "val", "ILSVRC/Data/CLS-LOC/val")
"""Where below the root a split may lie; the first that is there counts."""

EXTENSIONS: Final = frozenset({"jpeg", "jpg", "png"})
_SPLIT: Final = LISTING.get_field_index("split")
_VAL: Final = re.compile(r"(?:\./)?(?:[^/]+/)?(ILSVRC2012_val_\d{8})\.\w+", re.ASCII)

log = logging.getLogger(__name__)


class ImagenetOptions(Options):
    """Whose division is used."""

    lists: Literal["", "hashnet"] = Field(
        "", description="hashnet: train, test and database of 100 classes, by the lists of HashNet"
    )

    def choices(self, official: Collection[str]) -> Collection[str]:
        """The official splits, or those of the lists."""
        return HASHING if self.lists else official


class Ilsvrc2012(Columnar):
    """A thousand classes of photographs; a picture is relevant to those of its class.

    The root holds the training pictures as ``ILSVRC2012_img_train.tar`` (a tar of a tar a class,
    read where they lie), ``train/<wnid>/`` or ``ILSVRC/Data/CLS-LOC/train/<wnid>/``; those for
    validation as ``ILSVRC2012_img_val.tar``, ``val/`` (flat, or a folder a class) or
    ``ILSVRC/Data/CLS-LOC/val/``. Whose class a flat validation picture is says
    ``ILSVRC2012_devkit_t12.tar.gz``, the folder that is in it, or ``LOC_val_solution.csv``.

    A label is a WNID, ``n01440764``; in sorted order they are the classes 0 to 999 of most trained
    networks. The devkit numbers them 1 to 1000 in another order, and is asked for the WNID. Keys
    are the same in all layouts, and so is their order: ``train/n01440764/n01440764_18.JPEG``,
    ``val/ILSVRC2012_val_00000001.JPEG``. Training pictures cost a header each in the tar.

    With the option ``lists: hashnet`` there are the hundred classes of ``hashnet/train.txt`` alone:
    its pictures are ``train``, the other training pictures of its classes ``database``, and the
    validation pictures in ``hashnet/test.txt`` are ``test``.
    """

    card = Card(
        name="ilsvrc2012",
        about="1.33 million photographs in a thousand classes of ImageNet.",
        labels="exactly one of 1,000 WordNet ids; the same id is relevant; ImageNet's "
        "wordnet.is_a.txt is a tree above them, for a protocol's parents",
        says=("single",),
        retrievals=(Retrieval.SEMANTIC, Retrieval.FINE_GRAINED, Retrieval.ASYMMETRIC),
        cite="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015, "
        "https://arxiv.org/abs/1409.0575",
        home="https://image-net.org/challenges/LSVRC/2012/",
        licence="ImageNet terms of access",
        terms="For non-commercial research and education only; the pictures are their authors'.",
        access="by agreement",
        ask="Sign in at https://image-net.org/download-images, agree to the terms, and put "
        "ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz into "
        "the dataset's folder as they are; or unpack the archive of Kaggle's ImageNet Object "
        "Localization Challenge there.",
        splits={"train": 1_281_167, "val": 50_000},
        sources=(
            Source(
                saved_as="ILSVRC2012_img_train.tar",
                holds="training pictures, a tar a class",
                splits=("train",),
                md5="1d675b47d978889d74fa0da5fadfb00e",
            ),
            Source(
                saved_as="ILSVRC2012_img_val.tar",
                holds="validation pictures",
                splits=("val",),
                md5="29b22e2961454d5413ddabcf34fc5622",
            ),
            Source(
                saved_as="ILSVRC2012_devkit_t12.tar.gz",
                holds="classes, and those of the validation pictures",
                splits=("val",),
                md5="fa75699e90414af021442c21a62c3abf",
            ),
        ),
        layout="The two tars and the devkit as they were downloaded; or train/<wnid>/ and val/; or "
        "Kaggle's ILSVRC/Data/CLS-LOC with LOC_val_solution.csv beside ILSVRC.",
        marks=("ILSVRC2012_*", "CLS-LOC", SOLUTION),
        verified="miniature",
        proof="Tars in a tar, devkit, folders and Kaggle's layout that the tests write, each with "
        "the same keys and labels; the thousand real WNIDs and a hundred real photographs, one of "
        "a class, laid out in both.",
        traps=(
            "The devkit's ids 1 to 1000 are not in the order of the WNIDs, by which networks "
            "number the classes.",
            "The devkit's list of classes goes on after the thousand with those above them.",
            "Some training files are CMYK, and one is a PNG, all named JPEG: their bytes are "
            "handed on as they are.",
        ),
    )

    takes = ImagenetOptions
    options: ImagenetOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures, class by class for training and by number for validation.

        Raises:
            FileNotFoundError: a split, what says its labels, or a picture of a list is missing;
                names it.
            ValueError: an archive is cut or holds something else, or a label is none; names it.
        """
        if self.options.lists:
            yield from self._divided()
            return
        if self.wants("train"):
            yield from self._train()
        if self.wants("val"):
            yield from self._val()

    def _divided(self) -> Iterator[pa.RecordBatch]:
        lists = {split: f"{self.root}/hashnet/{split}.txt" for split in ("train", "test")}
        train, test = (names_in(path) for path in lists.values())
        missing: set[str] = set()
        if self.wants("train") or self.wants("database"):
            missing |= train
            classes = {name[:9] for name in train}
            for batch in self._train():
                names = [key.rpartition("/")[2] for key in batch["key"].to_pylist()]
                if names[0][:9] in classes:
                    missing.difference_update(names)
                    splits = ["train" if name in train else "database" for name in names]
                    yield self.of_wanted_splits(_divided_as(batch, pa.array(splits)))
        if self.wants("test"):
            missing |= test
            for batch in self._val():
                names = pc.replace_substring(batch["key"], "val/", "")
                batch = batch.filter(pc.is_in(names, value_set=pa.array(sorted(test))))
                missing.difference_update(
                    key.removeprefix("val/") for key in batch["key"].to_pylist()
                )
                yield _divided_as(batch, pa.repeat("test", batch.num_rows))
        if missing:
            raise FileNotFoundError(
                f"{self.root} lacks {len(missing):,} pictures of its hashnet lists, first "
                f"{min(missing)}."
            )

    def _train(self) -> Iterator[pa.RecordBatch]:
        where = _found(self.root, TRAIN, "training pictures")
        classes = set()
        for wnid, run in _packed_classes(where) if where.endswith(".tar") else _classes(where):
            classes.add(wnid)
            yield from run_batches(run, "train", wnid, before="train/")
        _tell(where, len(classes))

    def _val(self) -> Iterator[pa.RecordBatch]:
        where = _found(self.root, VAL, "validation pictures")
        run, wnids = _val_run(where)
        if "" in wnids:
            told, source = classes_of_val(self.root)
            for row, key in enumerate(run.keys):
                stem = key.partition(".")[0]
                if not wnids[row] and stem not in told:
                    raise ValueError(f"{source} does not say which class {stem} is.")
                wnids[row] = wnids[row] or told[stem]
        _tell(where, len(set(wnids)))
        yield from run_batches(run, "val", wnids, before="val/")


def _divided_as(batch: pa.RecordBatch, splits: pa.Array) -> pa.RecordBatch:
    """The rows of BATCH, of SPLITS."""
    return batch.set_column(_SPLIT, LISTING.field(_SPLIT), splits)


def _found(root: str, names: tuple[str, ...], what: str) -> str:
    """The first of NAMES that is under ROOT."""
    fs, path = fsspec.url_to_fs(root)
    for name in names:
        if fs.exists(f"{path}/{name}"):
            return f"{root}/{name}"
    raise FileNotFoundError(f"No {what} in {root}: it should hold one of {', '.join(names)}.")


def _packed_classes(tar: str) -> Iterator[tuple[str, Run]]:
    """Each class of TAR, a tar of a tar a class, in the order of their WNIDs."""
    stamped = stamp_of(tar)
    for inner in sorted(entries(tar), key=lambda entry: entry.name):
        wnid = inner.name.rpartition("/")[2].removesuffix(".tar")
        if not WNID.fullmatch(wnid):
            raise ValueError(f"{tar} holds {inner.name!r}, which is no tar of a class.")
        run = archive_run(inner.uri, stamped, lambda name: name.rpartition("/")[2])
        for key in run.keys:
            if not key.startswith(f"{wnid}_"):
                raise ValueError(f"{tar}: {inner.name} holds {key!r}, no picture of its class.")
        run.keys = [f"{wnid}/{key}" for key in run.keys]
        yield wnid, run


def _classes(folder: str) -> Iterator[tuple[str, Run]]:
    """Each class of FOLDER, a folder a class, in the order of their WNIDs."""
    for run in files_under(folder, EXTENSIONS, "all"):
        wnid = run.folder.rstrip("/")
        if not WNID.fullmatch(wnid):
            raise ValueError(f"{folder}/{run.folder}{run.keys[0]} is in no folder of a WNID.")
        yield wnid, run


def _val_run(where: str) -> tuple[Run, list[str]]:
    """The validation pictures by their number, and the WNID of those in a folder of that name."""
    if where.endswith(".tar"):
        runs = iter([archive_run(where, stamp_of(where), lambda name: name)])
    else:
        runs = files_under(where, EXTENSIONS, "all")
    rows: list[Row] = []
    wnid_of: dict[str, str] = {}
    for run in runs:
        for key, uri, size, mtime, etag in rows_of(run):
            if not _VAL.fullmatch(key):
                raise ValueError(f"{where} holds {key!r}, which is no validation picture.")
            folder, _, name = key.removeprefix("./").rpartition("/")
            rows.append((name, uri, size, mtime, etag))
            wnid_of[name] = folder if WNID.fullmatch(folder) else ""
    whole = sorted_run(rows, where)
    return whole, [wnid_of[name] for name in whole.keys]


def _tell(where: str, classes: int) -> None:
    if not classes:
        raise FileNotFoundError(f"No picture lies in {where}.")
    if classes != CLASSES:
        log.warning("%s has pictures of %d classes, not of %d.", where, classes, CLASSES)
