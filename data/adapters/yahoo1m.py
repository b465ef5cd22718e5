"""Yahoo-1M, which was never published: a catalogue of clothes in a shape that such data has."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from data.adapters.base import URL, Columnar, Options
from data.adapters.card import Card
from data.adapters.catalogue import classes_of, list_rows, table_of, table_rows
from data.adapters.columns import at_most_one, listing_batch
from data.adapters.duplicates import SeenKeys, marks
from data.adapters.files import Run
from data.adapters.names import IMAGES
from data.adapters.objects import files_under
from data.adapters.runs import run_batches
from data.adapters.stamps import NOTHING, stamps_of
from data.taxonomy import Retrieval

CLASSES: Final = 116
SPLITS: Final = ("train", "test")

Rows = Callable[[], Iterator[pa.RecordBatch]]
"""Begins to read the rows of a split."""

log = logging.getLogger(__name__)


class YahooOptions(Options):
    """How far a catalogue that stands in may differ."""

    classes: int = Field(
        CLASSES, ge=0, description="classes there must be; 0: as many as there are"
    )
    stat: bool = Field(True, description="ask the files of a list for size and time stamp")


class Yahoo1M(Columnar):
    """Product pictures in 116 classes of clothes; a picture is relevant to those of its class.

    Nobody but its owner has the dataset, and its layout is not known. What is read is a catalogue
    of that meaning, in the first of these shapes that the root has:

    - ``train.txt``, ``test.txt`` with lines ``path number``, and ``classes.txt`` with a name a
      line, the first of which is class 0; as the authors' tools read lists;
    - ``train.csv``, ``test.csv`` (also ``.tsv``, ``.gz``, ``.parquet``) with the columns ``path``
      or ``url``, ``label``, and perhaps ``product_id`` and ``title``, which is a caption;
    - ``train/<class>/``, ``test/<class>/``.

    A path is relative to the root. The key is the path or URL as it is written; for folders it
    begins with the split. Other classes than 116 are refused, unless the option ``classes`` says
    so; so are a path that comes twice, in one split or in both, and a product in both splits. Other
    counts than those of the papers are logged and no error. Of a product 8 bytes are remembered.
    """

    card = Card(
        name="yahoo1m",
        about="1,124,086 product pictures of clothes, never published; a catalogue like it.",
        labels="exactly one of 116 classes of clothes; the same class is relevant",
        says=("single", "captions"),
        retrievals=(Retrieval.SEMANTIC, Retrieval.ASYMMETRIC),
        cite="Lin, Yang, Hsiao, Chen, Deep Learning of Binary Hash Codes for Fast Image Retrieval, "
        "CVPR Workshops 2015; Yang, Lin, Chen, TPAMI 2018",
        licence="unknown: never published",
        terms="Those of the catalogue that stands in for it.",
        access="never published",
        ask="No file, address or list of classes of it was ever published. Put a catalogue of "
        "your own into the dataset's folder, in one of the shapes of its layout, and call its "
        "numbers yahoo1m-compatible: they cannot be compared with published ones.",
        splits={"train": 1_011_723, "test": 112_363},
        layout="train.txt, test.txt and classes.txt; or train.csv and test.csv (.tsv, .parquet); "
        "or train/<class>/ and test/<class>/.",
        verified="miniature",
        proof="Catalogues that the tests write in each of the three shapes, which are those such "
        "data usually has and not known to be the dataset's; no file of it was ever seen.",
        traps=(
            "The dataset cannot be had: whoever reports numbers on it has another one.",
            "A product in both splits flatters any result: it is refused where ids are given.",
        ),
    )
    takes = YahooOptions
    options: YahooOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The rows of each split in their order; what is wrong with the whole is said at the end.

        Raises:
            FileNotFoundError: a split or classes.txt is missing; names it.
            ValueError: a row is none, the classes are not as many, or something is there twice;
                names file, row and what.
        """
        seen: set[str] = set()
        for batch in self._batches():
            seen.update(pc.unique(pc.list_flatten(batch["labels"])).to_pylist())
            yield batch
        wanted = self.options.classes
        whole = all(map(self.wants, SPLITS)) and not _has_lists(self.root)
        if wanted and (len(seen) > wanted or (whole and len(seen) < wanted)):
            raise ValueError(
                f"{self.root} has pictures of {len(seen)} classes, not of {wanted}: say how many "
                "there should be, as in classes: 50, or 0 for as many as there are."
            )

    def _batches(self) -> Iterator[pa.RecordBatch]:
        counts = dict.fromkeys(filter(self.wants, SPLITS), 0)
        rows = _tables(self.root, tuple(counts), self.options.classes)
        found = self._of_tables(rows) if rows else _of_folders(self.root, tuple(counts))
        for split, batch in found:
            counts[split] += batch.num_rows
            yield batch
        for split, count in counts.items():
            if count != self.card.splits[split]:
                expected = self.card.splits[split]
                log.warning(
                    "%s: %s has %d pictures, not %d as Yahoo-1M: it is not that dataset.",
                    self.root, split, count, expected,
                )  # fmt: skip

    def _of_tables(self, rows: dict[str, Rows]) -> Iterator[tuple[str, pa.RecordBatch]]:
        products: dict[str, list[Any]] = {split: [np.empty(0, np.uint64)] for split in rows}
        with SeenKeys() as paths:
            for split, read in rows.items():
                for batch in read():
                    paths.add(batch["path"])
                    known = pc.filter(batch["product"], pc.not_equal(batch["product"], ""))
                    products[split].append(np.unique(marks(known)))
                    yield split, self._listed(split, batch)
            suspects = paths.suspects()
        _refuse_twice(self.root, rows, "path", suspects)
        if len(products) == len(SPLITS):
            first, second = (np.unique(np.concatenate(one)) for one in products.values())
            shared = np.intersect1d(first, second)
            _refuse_twice(self.root, rows, "product", shared, across=True)

    def _listed(self, split: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        uris = _beside(self.root, batch["path"])
        rows = batch.num_rows
        stamps = stamps_of(uris.to_pylist()) if self.options.stat else [NOTHING] * rows
        columns = {
            "key": batch["path"],
            "uri": uris,
            "size": [one.size for one in stamps],
            "mtime": [one.mtime for one in stamps],
            "etag": [one.etag for one in stamps],
            "labels": at_most_one(batch["label"]),
            "captions": at_most_one(batch["title"]),
            "split": pa.repeat(split, rows),
        }
        return listing_batch(rows, columns)


def _has_lists(root: str) -> bool:
    fs, path = fsspec.url_to_fs(root)
    return any(fs.exists(f"{path}/{split}.txt") for split in SPLITS)


def _tables(root: str, splits: tuple[str, ...], wanted: int) -> dict[str, Rows]:
    """What reads the rows of each of SPLITS, of lists or tables; empty where there is neither."""
    if _has_lists(root):
        names = classes_of(f"{root}/classes.txt")
        if wanted and len(names) != wanted:
            raise ValueError(f"{root}/classes.txt names {len(names)} classes, not {wanted}.")
        return {split: partial(list_rows, f"{root}/{split}.txt", names) for split in splits}
    if not any(table_of(root, split) for split in SPLITS):
        return {}
    rows: dict[str, Rows] = {}
    for split in splits:
        table = table_of(root, split)
        if not table:
            raise FileNotFoundError(f"No {split}.csv, .tsv or .parquet in {root}.")
        rows[split] = partial(table_rows, table)
    return rows


def _of_folders(root: str, splits: tuple[str, ...]) -> Iterator[tuple[str, pa.RecordBatch]]:
    fs, path = fsspec.url_to_fs(root)
    for split in splits:
        if not fs.exists(f"{path}/{split}"):
            raise FileNotFoundError(
                f"No {split} of a catalogue in {root}: neither {split}.txt with classes.txt, nor "
                f"{split}.csv, .tsv or .parquet, nor a folder {split}."
            )
        for run in files_under(f"{root}/{split}", frozenset(IMAGES), "all"):
            for batch in run_batches(run, split, _class_of(root, split, run), before=f"{split}/"):
                yield split, batch


def _class_of(root: str, split: str, run: Run) -> str:
    if not run.folder:
        raise ValueError(f"{root}/{split}/{run.keys[0]} lies in no folder of a class.")
    return run.folder.partition("/")[0]


def _refuse_twice(
    root: str, rows: dict[str, Rows], column: str, suspects: Any, across: bool = False
) -> None:
    """Read ROWS again for the values of COLUMN whose marks are SUSPECTS.

    Raises:
        ValueError: a value is there twice; ACROSS: in both splits.
    """
    if not len(suspects):
        return
    places: dict[str, tuple[str, int]] = {}
    for split, read in rows.items():
        before = 0
        for batch in read():
            values = batch[column]
            for at in np.flatnonzero(np.isin(marks(values), suspects)):
                value, row = values[int(at)].as_py(), before + int(at) + 1
                first = places.setdefault(value, (split, row))
                if first[0] != split or (first[1] != row and not across):
                    raise ValueError(
                        f"{root}: {column} {value!r} is in row {first[1]} of {first[0]} and in "
                        f"row {row} of {split}: drop one."
                    )
            before += len(values)


def _beside(root: str, paths: pa.Array) -> pa.Array:
    """PATHS as absolute paths or URLs; a relative one lies below ROOT."""
    whole = pc.or_(pc.starts_with(paths, "/"), pc.match_substring_regex(paths, f"^{URL.pattern}"))
    return pc.if_else(whole, paths, pc.binary_join_element_wise(root, paths, "/"))
