"""NUS-WIDE in its official layout: photographs of Flickr, 81 concepts, tags, three protocols."""

import logging
from collections.abc import Collection, Iterator
from typing import Any, Final, Literal

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.columns import listing_batch, lists_by_row
from data.adapters.listed_splits import HASHING, ListedSplits, hashing_splits
from data.adapters.nuswide_files import (
    part,
    read_addresses,
    read_all_tags,
    read_column,
    read_flag_words,
    read_names,
)
from data.adapters.pictures import Pictures, picture_runs
from data.adapters.placeholders import placeholders
from data.adapters.unpacked import Unpacked
from data.taxonomy import Retrieval

HOME: Final = "https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide"
ROWS: Final = 10_000
"""Rows in a batch of a listing."""

SUSPECT: Final = 100
"""Files of exactly the same length, from which on a placeholder is suspected and reported."""

ADDRESSES: Final = ("large", "middle", "small", "original")
"""The columns of NUS-WIDE-urls.txt after file and id."""

SPLITS: Final = {"train": "TrainImagelist.txt", "test": "TestImagelist.txt"}

log = logging.getLogger(__name__)


class NuswideOptions(Options):
    """Which pictures, labels and tags, and whose split."""

    frequent: int = Field(
        0, ge=0, description="only so many concepts count, the most frequent; 0: all 81"
    )
    tags: Literal["all", "1k", "none"] = Field(
        "all", description="all of All_Tags.txt, those of the thousand that are words, or none"
    )
    lists: Literal["", "hashnet"] = Field(
        "", description="whose split: the official one, or that of the lists in the folder hashnet"
    )
    pictures: Literal["files", "large", "middle", "small", "original"] = Field(
        "files", description="files, or addresses at Flickr as NUS-WIDE-urls.txt has them"
    )
    placeholders: int = Field(
        0, ge=0, description="bytes that so many files share are a placeholder; they are left out"
    )

    def choices(self, official: Collection[str]) -> Collection[str]:
        """The official splits, or those of the lists."""
        return HASHING if self.lists else official


class Nuswide(Columnar):
    r"""Photographs of Flickr with 81 concepts; relevant is what shares one.

    The root holds ``ImageList``, ``ConceptsList``, ``Groundtruth`` and ``NUS_WID_Tags`` as their
    zips unpack, or the zips themselves, which are read in place; and the pictures, as
    ``Flickr/<tag>/<n>_<id>.jpg`` or flat as ``images/<n>_<id>.jpg``. A key is the line of the list
    of pictures, ``actor/0001_2124494179.jpg`` for ``actor\0001_2124494179.jpg``; its order is ours.

    ``frequent: 21`` counts the concepts over all pictures, keeps the most frequent ones and leaves
    out what has none of them; of equally frequent ones the first in the alphabet counts.
    ``lists: hashnet`` takes the split of ``{train,test,database}.txt`` in the folder ``hashnet``.
    """

    card = Card(
        name="nuswide",
        about="269,648 photographs of Flickr with 81 concepts and the tags of their owners.",
        labels="concepts, of 81 or of the most frequent ones; sharing one is relevant; one picture "
        "in five has none",
        says=("multi", "tags"),
        retrievals=(Retrieval.MULTI_LABEL, Retrieval.CROSS_MODAL, Retrieval.ASYMMETRIC),
        cite="Chua, Tang, Hong, Li, Luo, Zheng, NUS-WIDE: A Real-World Web Image Database from "
        "National University of Singapore, CIVR 2009",
        home=f"{HOME}/NUS-WIDE.html",
        licence="each photograph its owner's; none stated for the annotations",
        terms="The pictures are handed out for research, after an agreement.",
        access="by agreement",
        ask="Lists, labels and tags are open. For the pictures, follow the agreement on the home "
        "page and put them into Flickr/<tag>/ or, flat, into images/; or unpack NUS-WIDE-urls.rar "
        "beside them, and option pictures: middle reads what is left of them at Flickr.",
        splits={"train": 161_789, "test": 107_859},
        sources=(
            Source(url=f"{HOME}/ImageList.zip", holds="lists of pictures and official split"),
            Source(url=f"{HOME}/ConceptsList.zip", holds="names of the concepts"),
            Source(url=f"{HOME}/Groundtruth.zip", holds="labels"),
            Source(url=f"{HOME}/NUS_WID_Tags.zip", holds="tags"),
            Source(url=f"{HOME}/NUS-WIDE-urls.rar", holds="addresses; to be unpacked by hand"),
            Source(saved_as="Flickr", holds="pictures, by agreement"),
        ),
        layout="ImageList, ConceptsList, Groundtruth and NUS_WID_Tags, or their zips; the pictures "
        "in Flickr/<tag>/ or in images/; NUS-WIDE-urls.txt for their addresses.",
        marks=("Imagelist.txt", "ImageList.zip", "Concepts81.txt", "NUS-WIDE-urls.txt"),
        verified="miniature",
        proof="A miniature in folders and in zips; names and labels of 12,600 real pictures, out "
        "of published hashing lists, laid out as the official files are.",
        traps=(
            "The lists of pictures are written with backslashes.",
            "Rows of tags end in a separator, tab or blank, that begins no further column.",
            "Which concepts are the most frequent is counted, never given.",
            "One picture in five has no concept at all: it is listed, without a label.",
            "Flickr answers for a removed photograph with a placeholder, no error: many files of "
            "one length are reported, and placeholders: 10 leaves out what ten files share.",
            "Of some photographs the list of addresses has none (null): their answer is an error.",
            "Three protocols go by the name of NUS-WIDE: nuswide-tc21, nuswide-hashnet and "
            "nuswide-ssdh; a number is worth nothing without it.",
        ),
    )
    takes = NuswideOptions
    options: NuswideOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures in the order of ``Imagelist.txt``.

        Raises:
            FileNotFoundError: a file or the folder of pictures is missing; names it.
            ValueError: a file is not in its layout, or has not a row a picture; names it.
        """
        lists = part(self.root, "ImageList")
        path = lists.find("Imagelist.txt")
        names = read_names(path)
        if len(set(names)) < len(names):
            raise ValueError(f"{path} lists a picture twice.")
        keys = pa.array(names, pa.string())
        short = pa.array([name.rpartition("/")[2] for name in names], pa.string())
        labels = self._labels(len(names))
        split = self._split(lists, keys, short)
        columns = self._where(keys, short) | {"labels": labels, "key": keys, "split": split}
        columns["tags"] = self._tags(lists, keys, short)
        kept = pc.is_valid(split)
        if self.options.frequent:
            kept = pc.and_(kept, pc.greater(pc.list_value_length(labels), 0))
        kept = pc.and_(kept, self._real(columns["uri"], columns.get("size")))
        batch = listing_batch(len(names), columns)
        for start in range(0, len(names), ROWS):
            some = batch.slice(start, ROWS).filter(kept.slice(start, ROWS))
            yield self.of_wanted_splits(some)

    def _labels(self, count: int) -> pa.ListArray:
        """The labels of the COUNT pictures."""
        concepts = read_names(part(self.root, "ConceptsList").find("Concepts81.txt"))
        truth = part(self.root, "Groundtruth")
        flags = np.zeros((count, len(concepts)), dtype=np.bool_)  # (N, C)
        for column, concept in enumerate(concepts):
            flags[:, column] = read_column(truth.find(f"Labels_{concept}.txt"), count)
        if self.options.frequent:
            totals = dict(zip(concepts, flags.sum(axis=0).tolist(), strict=True))
            order = sorted(concepts, key=lambda concept: (-totals[concept], concept))
            counted = set(order[: self.options.frequent])
            flags &= np.array([concept in counted for concept in concepts])
        rows, columns = np.nonzero(flags)
        return lists_by_row(rows, pa.array(concepts).take(pa.array(columns)), count)

    def _split(self, lists: Unpacked, keys: pa.Array, short: pa.Array) -> pa.Array:
        """The split of each picture; null of one that the lists asked for leave out."""
        if self.options.lists:
            said = hashing_splits(f"{self.root}/hashnet")
            split = said.of(short)
            said.tell()
            return split
        listed = {split: read_names(lists.find(name)) for split, name in SPLITS.items()}
        words = [split for split, names in listed.items() for _ in names]
        official = ListedSplits("ImageList", [*listed["train"], *listed["test"]], words)
        split = official.of(keys)
        official.tell()
        if split.null_count:
            first = keys.filter(pc.is_null(split))[0]
            raise ValueError(
                f"{self.root}: {split.null_count} pictures such as {first} are in Imagelist.txt, "
                "and neither in TrainImagelist.txt nor in TestImagelist.txt."
            )
        return split

    def _tags(self, lists: Unpacked, keys: pa.Array, short: pa.Array) -> pa.ListArray | None:
        tagged = part(self.root, "NUS_WID_Tags")
        if self.options.tags == "none":
            return None
        if self.options.tags == "all":
            return read_all_tags(tagged.find("All_Tags.txt"), _ids(short))
        words = read_names(tagged.find("TagList1k.txt"))
        owners: list[str] = []
        tables = []
        for split, name in (("Train", SPLITS["train"]), ("Test", SPLITS["test"])):
            listed = read_names(lists.find(name))
            tables.append(read_flag_words(tagged.find(f"{split}_Tags1k.dat"), words, len(listed)))
            owners += listed
        rows = pc.index_in(keys, value_set=pa.array(owners, pa.string()))
        kind = pa.list_(pa.string())
        return pc.coalesce(pc.take(pa.concat_arrays(tables), rows), pa.scalar([], kind))

    def _where(self, keys: pa.Array, short: pa.Array) -> dict[str, Any]:
        """Uri and stamp of each picture."""
        if self.options.pictures != "files":
            return self._addresses(keys, short)
        fs, path = fsspec.url_to_fs(self.root)
        folder, names = "Flickr", keys
        if not fs.isdir(f"{path}/Flickr") and fs.isdir(f"{path}/images"):
            folder, names = "images", short
        return Pictures(picture_runs(self.root, folder), f"{self.root}/{folder}").columns(names)

    def _addresses(self, keys: pa.Array, short: pa.Array) -> dict[str, Any]:
        """Addresses, which are their own mark: a photograph at Flickr is read once."""
        path = part(self.root, "NUS-WIDE-urls").find("NUS-WIDE-urls.txt")
        found = read_addresses(path, 2 + ADDRESSES.index(self.options.pictures))
        uris = [
            found.get(number) or f"{self.root}/Flickr/{key}"
            for number, key in zip(_ids(short).to_pylist(), keys.to_pylist(), strict=True)
        ]
        return {"uri": uris, "etag": [uri if "://" in uri else "" for uri in uris]}

    def _real(self, uris: Any, sizes: pa.Array | None) -> pa.Array:
        """Which of the files are no placeholder, where placeholders are to be found."""
        kept = pa.repeat(True, len(uris))
        if sizes is None or not len(sizes):
            return kept
        if not self.options.placeholders:
            lengths, counts = np.unique(sizes.to_numpy(), return_counts=True)
            for length, count in zip(lengths, counts, strict=True):
                if length and count >= SUSPECT:
                    log.warning("%s: %d files of %d bytes each: are they placeholders?", self.root,
                                count, length)  # fmt: skip
            return kept
        fakes = placeholders(lambda: [(uris, sizes)], self.options.placeholders, self.read)
        log.warning("%s: %d files are placeholders, left out", self.root, len(fakes))
        return pc.invert(pc.is_in(uris, value_set=fakes))


def _ids(short: pa.Array) -> pa.Array:
    """The Flickr ids of the file names SHORT, ``<n>_<id>.jpg``."""
    return pc.replace_substring_regex(short, r"^.*_([0-9]+)\.[A-Za-z]+$", r"\1")
