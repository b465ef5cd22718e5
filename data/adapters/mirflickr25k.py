"""MIRFLICKR-25000 in its official layout: photographs, tags, and 38 lists of what they show."""

import logging
from collections.abc import Collection, Iterator
from typing import Final, Literal

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from data.adapters.archives import content_of
from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.columns import listing_batch, lists_by_row
from data.adapters.listed_splits import HASHING, hashing_splits
from data.adapters.pictures import Pictures, picture_runs
from data.adapters.tag_files import read_tags
from data.taxonomy import Retrieval

log = logging.getLogger(__name__)

HOME: Final = "https://press.liacs.nl/mirflickr"
ANNOTATIONS: Final = "mirflickr25k_annotations_v080"

POTENTIAL: Final = (
    "animals", "baby", "bird", "car", "clouds", "dog", "female", "flower", "food", "indoor",
    "lake", "male", "night", "people", "plant_life", "portrait", "river", "sea", "sky",
    "structures", "sunset", "transport", "tree", "water",
)  # fmt: skip
"""What may be seen in a picture."""

RELEVANT: Final = tuple(
    f"{name}_r1"
    for name in (
        "baby", "bird", "car", "clouds", "dog", "female", "flower", "male", "night", "people",
        "portrait", "river", "sea", "tree",
    )
)  # fmt: skip
"""What a picture is about, in the eyes of those who looked at it."""

ARCHIVE: Final = "mirflickr25k.zip"
COUNT: Final = 25_000

ROWS: Final = 10_000
"""Rows in a batch of a listing."""


class Mirflickr25kOptions(Options):
    """Which labels, whose split, and whether tags are read."""

    labels: Literal["both", "potential", "relevant"] = Field(
        "both", description="potential: 24, what may be seen; relevant: 14 (_r1), what it is about"
    )
    lists: Literal["", "deephash"] = Field(
        "", description="whose split: none, or that of the lists put in the folder deephash"
    )
    tags: bool = Field(True, description="whether the tags are read, a file a picture")

    def choices(self, official: Collection[str]) -> Collection[str]:
        """The splits of the lists, where they are asked for."""
        return HASHING if self.lists else official

    def names(self) -> tuple[str, ...]:
        """The labels that are asked for, in the order of the alphabet."""
        some = {"both": POTENTIAL + RELEVANT, "potential": POTENTIAL, "relevant": RELEVANT}
        return tuple(sorted(some[self.labels]))


class Mirflickr25k(Columnar):
    """Photographs of Flickr with 24 topics; relevant is what shares one.

    The root holds ``mirflickr/im1.jpg`` to ``im25000.jpg`` with ``mirflickr/meta/tags/tags1.txt``
    and so on, or ``mirflickr25k.zip``, which is read in place; and
    ``mirflickr25k_annotations_v080/*.txt``, or its zip: a file a label, with the number of a
    picture a line. Or the root is the folder ``mirflickr`` itself, with the annotations in it.

    A key is the picture's number in five digits, ``00001`` to ``25000``. There is no official split
    for retrieval: it is ``all``. ``lists: deephash`` takes that of ``{train,test,database}.txt`` in
    the folder ``deephash``, and leaves out what they do not list.
    """

    card = Card(
        name="mirflickr25k",
        about="25,000 photographs of Flickr with the tags of their owners and 24 topics.",
        labels="topics, of 24 that may be seen in it and 14 (_r1) that it is about; sharing one is "
        "relevant; 419 pictures have none",
        says=("multi", "tags"),
        retrievals=(Retrieval.MULTI_LABEL, Retrieval.CROSS_MODAL, Retrieval.ASYMMETRIC),
        cite="Huiskes and Lew, The MIR Flickr Retrieval Evaluation, ACM MIR 2008",
        home=f"{HOME}/",
        licence="each photograph its own Creative Commons licence, by its licence file",
        access="open",
        splits={"all": 25_000},
        sources=(
            Source(
                url=f"{HOME}/mirflickr25k.v3b/mirflickr25k.zip",
                holds="pictures and tags",
                bytes=3_069_184_257,
                md5="a23d0a8564ee84cda5622a6c2f947785",
            ),
            Source(
                url=f"{HOME}/mirflickr25k.v3b/{ANNOTATIONS}.zip",
                holds="labels",
                bytes=207_220,
                md5="aa0138c79892b1b670184d142380948f",
            ),
        ),
        layout="The folder mirflickr or mirflickr25k.zip, and the folder "
        "mirflickr25k_annotations_v080 or its zip.",
        marks=("im1.jpg", "mirflickr25k.zip", f"{ANNOTATIONS}*"),
        verified="miniature",
        proof="Labels: the official lists of numbers, put together again from the published "
        "hashing lists of all 25,000 pictures. Pictures, tags and archives: a miniature.",
        traps=(
            "Pictures and lists count from 1.",
            "A topic comes twice, as what may be seen and, _r1, as what the picture is about: 24 "
            "labels or 38, by option.",
            "Four pictures are about people and show none: what is relevant need not be potential.",
            "419 pictures have no label at all: they are listed without.",
        ),
    )
    takes = Mirflickr25kOptions
    options: Mirflickr25kOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures in the order of their numbers.

        Raises:
            FileNotFoundError: the pictures, a file of annotations or a list is missing; names it.
            ValueError: one of them is damaged; names it.
        """
        folder = self._folder()
        lists = hashing_splits(f"{self.root}/deephash", _number) if self.options.lists else None
        pictures = Pictures(
            picture_runs(self.root, folder, ARCHIVE), f"{self.root}/{folder}".rstrip("/")
        )
        names = pictures.table["key"].combine_chunks()
        names = names.filter(pc.match_substring_regex(names, r"^im[0-9]+\.jpg$"))
        numbers = np.sort(pc.cast(pc.utf8_slice_codeunits(names, 2, -4), pa.int64()).to_numpy())
        labels = self._labels(numbers)
        tags = self._tags(folder)
        for start in range(0, len(numbers), ROWS):
            some = numbers[start : start + ROWS]
            columns = pictures.columns([f"im{number}.jpg" for number in some])
            if tags is not None:
                columns["tags"] = read_tags(tags.uris([f"tags{number}.txt" for number in some]))
            columns["labels"] = labels.slice(start, ROWS)
            columns["key"] = pa.array([f"{number:05d}" for number in some])
            columns["split"] = pa.repeat("all", len(some))
            if lists is not None:
                columns["split"] = lists.of(columns["key"])
            batch = listing_batch(len(some), columns)
            if lists is not None:
                batch = batch.filter(pc.is_valid(batch["split"]))
            yield self.of_wanted_splits(batch)
        if lists is not None:
            lists.tell()

    def _folder(self) -> str:
        """Where in the root, or in the archive, the pictures lie: empty for the root itself.

        Raises:
            FileNotFoundError: they do not.
        """
        fs, path = fsspec.url_to_fs(self.root)
        if fs.isdir(f"{path}/mirflickr") or fs.exists(f"{path}/{ARCHIVE}"):
            return "mirflickr"
        if fs.exists(f"{path}/im1.jpg"):
            return ""
        raise FileNotFoundError(f"No mirflickr, {ARCHIVE} or im1.jpg in {self.root}.")

    def _tags(self, folder: str) -> Pictures | None:
        if not self.options.tags:
            return None
        folder = f"{folder}/meta/tags".lstrip("/")
        return Pictures(
            picture_runs(self.root, folder, ARCHIVE, suffixes=frozenset({"txt"})), folder
        )

    def _labels(self, numbers: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> pa.ListArray:
        """The labels of the pictures NUMBERS (N, ascending).

        Raises:
            FileNotFoundError: a file is missing; names it.
            ValueError: a file holds something else than numbers of pictures; names it.
        """
        fs, path = fsspec.url_to_fs(self.root)
        home = f"{self.root}/{ANNOTATIONS}/"
        if not fs.isdir(f"{path}/{ANNOTATIONS}") and fs.exists(f"{path}/{ANNOTATIONS}.zip"):
            home = f"{self.root}/{ANNOTATIONS}.zip::"
        names = self.options.names()
        flags = np.zeros((len(numbers), len(names)), dtype=np.bool_)  # (N, C)
        lost = 0
        for column, name in enumerate(names):
            shown = _numbers(f"{home}{name}.txt")
            there = np.isin(shown, numbers)
            lost += len(shown) - int(there.sum())
            flags[np.searchsorted(numbers, shown[there]), column] = True
        if lost:
            log.warning("%s: %d times a picture that is not there has a label", home, lost)
        rows, columns = np.nonzero(flags)
        words = pc.take(pa.array(names), pa.array(columns))
        return lists_by_row(rows, words, len(numbers))


def _number(name: str) -> str:
    """The key of the picture whose file is NAME, such as ``im1.jpg``."""
    return name.removeprefix("im").partition(".")[0].zfill(5)


def _numbers(path: str) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    try:
        numbers = np.array(content_of(path).split(), dtype=np.int64)
    except ValueError as error:
        raise ValueError(
            f"{path} holds something else than numbers of pictures: {error}."
        ) from error
    strange = numbers[(numbers < 1) | (numbers > COUNT)]
    if len(strange):
        raise ValueError(f"{path}: {strange[0]} is no picture; they count from 1 to {COUNT}.")
    return numbers
