"""Clickture: a year's clicks of an image search engine, and its pictures as base64 in text."""

import fnmatch
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import closing
from pathlib import Path
from typing import Final

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, ValidationInfo, field_validator

from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.clicks import (
    PICTURES,
    SAID,
    decoded,
    pictures,
    said,
    told,
    without_picture,
    write,
)
from data.adapters.columns import listing_batch
from data.adapters.packed import read_packed
from data.adapters.stamps import stamp_of
from data.taxonomy import Retrieval

WEIGHTS: Final[Mapping[str, int]] = {"excellent": 3, "good": 2, "bad": 0}
"""What the judgements count."""

NEEDED: Final[Mapping[str, Set[str]]] = {
    "log_columns": {"key", "query", "clicks"},
    "dev_columns": {"key", "query", "label"},
    "image_columns": {"key", "image"},
}
"""What the columns that an option names must be among others."""

MEMORY: Final = 512
"""MB in which clicks and pictures are brought together."""

ROWS: Final = 10_000
FOLDERS: Final = ("", "Train", "Dev")

log = logging.getLogger(__name__)


class ClicktureOptions(Options):
    """How the files are called and what stands in their columns, for they are handed out anew."""

    log: str = Field("TrainClickLog*", description="names of the click logs, perhaps with *")
    images: str = Field("TrainImage*", description="names of the tables of training pictures")
    judgements: str = Field("DevSetLabel*", description="names of the lists of judgements")
    dev_images: str = Field("DevSetImage*", description="names of the tables of dev pictures")
    log_columns: tuple[str, ...] = Field(
        ("key", "query", "clicks"), description="of a click log, in their order"
    )
    dev_columns: tuple[str, ...] = Field(
        ("query", "key", "label"), description="of a list of judgements, in their order"
    )
    image_columns: tuple[str, ...] = Field(
        ("key", "image"), description="of a table of pictures, in their order; others are read over"
    )
    lower: bool = Field(True, description="compare queries in small letters, as their publisher")
    clicks: int = Field(1, ge=1, description="a query needs so many clicks on a picture to count")
    counted: bool = Field(
        True,
        description="a query is a tag once a bit of log2(1 + clicks), and not only once, so that "
        "those of more clicks are learned from more",
    )

    @field_validator("log_columns", "dev_columns", "image_columns")
    @classmethod
    def _complete(cls, columns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        needed = NEEDED[info.field_name or ""]
        if not needed <= set(columns) or len(set(columns)) < len(columns):
            raise ValueError(f"each column once, and {', '.join(sorted(needed))} among them")
        return columns


class Clickture(Columnar):
    """Pictures, each with the queries for which it was clicked, the most clicked one first.

    The root, or its folders ``Train`` and ``Dev``, holds tables without a header, their columns
    parted by tabs: the click log (key, query, clicks), the judgements of the dev set (query, key,
    Excellent, Good or Bad), and for both the pictures (key, base64 of an image file). Each may be
    packed (``.gz``), and be in several files. Keys are ``train/KEY`` and ``dev/KEY``.

    A query is a tag of the picture; of a dev picture the judgement stands before it:
    ``excellent/QUERY``. The clicks of rows that say the same are summed. A tag stands there
    log2(1 + clicks) times, rounded: once for 1 click, thrice for 7, ten times for a thousand. That
    is how often it was said, in bits, and what `clicks` of weak supervision weighs it by. A uri is
    ``FILE#OFFSET,LENGTH`` of the base64 in the (unpacked) table, decoded when it is read; pictures
    of a packed table are read in their order, going back begins anew. Nothing is unpacked to the
    disk but what is said of the pictures, for as long as the listing takes.
    """

    card = Card(
        name="clickture",
        about="Pictures from the web with the queries that people clicked them for.",
        labels="none; the queries a picture was clicked for are noisy words, the truer the more "
        "clicks; judges say of dev pictures how well they fit a query",
        says=("clicks",),
        retrievals=(Retrieval.CROSS_MODAL,),
        cite="Hua, Yang, Wang, Wang, Ye, Wang, Rui, Li, Clickage: Towards Bridging Semantic and "
        "Intent Gaps via Mining Click Logs of Search Engines, ACM Multimedia 2013",
        home="https://www.microsoft.com/en-us/research/project/clickture/",
        licence="Microsoft's agreement for research",
        terms="Queries are what people typed and may tell who they are: treat them as personal "
        "data, do not show or pass them on, and delete the tables with the dataset.",
        access="by agreement",
        ask="Ask Microsoft Research, by the project's page, for Clickture-Lite and the dev set; "
        "most of its links are dead. Put TrainClickLog.tsv and the training pictures into Train, "
        "DevSetLabel.tsv and the dev pictures into Dev; options log, images, judgements and "
        "dev_images say so where they are called otherwise.",
        splits={"train": 1_000_000, "dev": 0},
        sources=(
            Source(saved_as="Train/TrainClickLog.tsv", holds="clicks", splits=("train",)),
            Source(saved_as="Train/TrainImages.tsv", holds="pictures", splits=("train",)),
            Source(saved_as="Dev/DevSetLabel.tsv", holds="judgements", splits=("dev",)),
            Source(saved_as="Dev/DevSetImages.tsv", holds="pictures", splits=("dev",)),
        ),
        layout="TrainClickLog.tsv, TrainImage*.tsv, DevSetLabel.tsv and DevSetImage*.tsv, packed "
        "or not, in the root or in Train and Dev.",
        marks=("TrainClickLog*", "DevSetLabel*"),
        verified="miniature",
        proof="Tables that the tests write as the project's page and users of the dataset describe "
        "them; no real file could be had, and the names of the tables of pictures are a guess.",
        traps=(
            "The same picture and query come in several rows: their clicks are summed.",
            "One click says little and a thousand much: a query is a tag once a bit of "
            "log2(1 + clicks), unless counted: false.",
            "Some base64 is damaged: such a picture is answered by its error, the others come.",
            "Clicks on pictures that are not there are counted, and left out.",
            "Queries that differ in capitals only are the same query.",
            "Queries are personal data: no message and no log of this program repeats one.",
            "The columns come in another order in some copies: options say which.",
        ),
    )
    takes = ClicktureOptions
    options: ClicktureOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures in the order of their tables, which are read once, and not decoded.

        Raises:
            FileNotFoundError: a table is missing; names what was looked for.
            ValueError: a table is broken; names file and line.
        """
        asked = self.options
        tables = {
            "train": (asked.images, asked.log, asked.log_columns, asked.clicks),
            "dev": (asked.dev_images, asked.judgements, asked.dev_columns, 0),
        }
        for split in filter(self.wants, tables):
            images, words, columns, least = tables[split]
            yield from self._listed(split, self._found(images), self._found(words), columns, least)

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The pictures of URIS, decoded; those of packed tables in one pass, in their order."""
        for uri, text in zip(uris, read_packed(uris), strict=True):
            yield text if isinstance(text, OSError) else decoded(text, uri)

    def _listed(
        self, split: str, images: list[str], words: list[str], columns: Sequence[str], least: int
    ) -> Iterator[pa.RecordBatch]:
        stamps = [stamp_of(path) for path in images]
        with tempfile.TemporaryDirectory(prefix="nightjar-clicks-") as temporary:
            folder = Path(temporary)
            write(folder / "pictures.parquet", PICTURES, self._pictures(images))
            write(
                folder / "said.parquet",
                SAID,
                (
                    batch
                    for path in words
                    for batch in said(path, columns, WEIGHTS, self.options.lower)
                ),
            )
            counted = self.options.counted and "clicks" in columns
            with closing(told(folder, MEMORY, least, ROWS, counted)) as batches:
                for found in batches:
                    files = pc.replace_substring_regex(found.uris, r"#\d+,\d+$", "")
                    which = pc.index_in(files, value_set=pa.array(images))
                    rows = {
                        "key": pc.binary_join_element_wise(split, found.keys, "/"),
                        "uri": found.uris,
                        "size": found.sizes,
                        "mtime": pa.array([one.mtime for one in stamps], pa.int64()).take(which),
                        "etag": pa.array([one.etag for one in stamps], pa.string()).take(which),
                        "tags": found.words,
                        "split": pa.repeat(split, len(found.keys)),
                    }
                    yield listing_batch(len(found.keys), rows)
            if lost := without_picture(folder, MEMORY):
                log.warning("%s: %d keys of no picture in %s", split, lost, ", ".join(words))

    def _pictures(self, paths: list[str]) -> Iterator[pa.RecordBatch]:
        before = 0
        for path in paths:
            for batch in pictures(path, self.options.image_columns, before):
                before += batch.num_rows
                yield batch

    def _found(self, pattern: str) -> list[str]:
        """The files that PATTERN names, sorted.

        Raises:
            FileNotFoundError: there is none.
        """
        fs, path = fsspec.url_to_fs(self.root)
        found = []
        for folder in FOLDERS:
            home = f"{path}/{folder}".rstrip("/")
            names = fs.ls(home, detail=False) if fs.isdir(home) else []
            below = f"{self.root}/{folder}".rstrip("/")
            names = [str(name).rpartition("/")[2] for name in names]
            found += [f"{below}/{name}" for name in fnmatch.filter(sorted(names), pattern)]
        if not found:
            raise FileNotFoundError(f"No {pattern} in {self.root}, nor in its Train or Dev.")
        return found
