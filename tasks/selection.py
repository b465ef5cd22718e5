"""Which pictures of a dataset version are learned from, and what is said of them."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.manifest import LIVE, manifest
from data.store import Store
from models.supervision import Batches
from tasks.marks import WORDS, Marks, seen_share

COLUMNS: Final = ("key", "digest", "shard", "offset", "length", "labels", "tags", "split")


@dataclass(frozen=True)
class Wanted:
    """What is asked of the pictures of a training set.

    Args:
        split: the dataset's word; None: "train" where there is such a split, else everything.
        labels: "all": pictures without labels are left out; "some": they stay; "none": labels are
            not looked at.
        words: whether pictures without tags are left out, and tags are looked at.
        labelled: the share of the labels that may be seen.
        batches: how the pictures of a step are chosen.
        each: pictures of a class in a balanced step.
    """

    split: str | None = None
    labels: Literal["all", "some", "none"] = "none"
    words: bool = False
    labelled: float = 1.0
    batches: Batches = "shuffled"
    each: int = 4


@dataclass(frozen=True)
class Selected:
    """What is learned from.

    Args:
        rows: the `COLUMNS` of N pictures, by shard and offset.
        split: that they are of; None for all.
        labels: what may be seen of their labels; None where they are not looked at.
        words: their tags; None where they are not looked at.
    """

    rows: pa.Table
    split: str | None
    labels: Marks | None
    words: Marks | None


def selected(store: Store, dataset: str, version: int, wanted: Wanted) -> Selected:
    """The live pictures of DATASET at VERSION that are WANTED, each once however often copied.

    Raises:
        ValueError: no picture is left; says which splits there are.
    """
    rows = _live(store, dataset, version)
    split = _split(rows, wanted.split, f"{dataset} version {version}")
    if split is not None:
        rows = rows.filter(pc.equal(rows["split"], split))
    for column, must in (("labels", wanted.labels == "all"), ("tags", wanted.words)):
        if must:
            counts = pc.list_value_length(rows[column])
            rows = rows.filter(pc.fill_null(pc.greater(counts, 0), False))
    words = Marks.of(rows["tags"], WORDS, least=2) if wanted.words else None
    if wanted.labels == "none":
        return Selected(rows, split, None, words)
    labels = Marks.of(rows["labels"])
    if wanted.labelled == 1:
        return Selected(rows, split, labels, words)
    seen = seen_share(labels, rows["digest"].to_pylist(), wanted.labelled)
    if wanted.labels == "some":
        return Selected(rows, split, labels.only(seen), words)
    words = None if words is None else words.at(seen)
    return Selected(rows.filter(pa.array(seen)), split, labels.at(seen), words)


def _live(store: Store, dataset: str, version: int) -> pa.Table:
    """The `COLUMNS` of the live rows, one a digest (the first key's), by shard and offset."""
    rows = (
        manifest(store, dataset).open(version).to_table(list(COLUMNS), filter=f"state = '{LIVE}'")
    )
    rows = rows.sort_by("key")
    first = np.unique(rows["digest"].to_numpy(zero_copy_only=False), return_index=True)[1]
    return rows.take(first).sort_by([("shard", "ascending"), ("offset", "ascending")])


def _split(rows: pa.Table, wanted: str | None, what: str) -> str | None:
    """The split to train on: WANTED, else "train" where ROWS have it, else None for all."""
    there = sorted({split or "" for split in pc.unique(rows["split"]).to_pylist()})
    if wanted is None:
        wanted = "train" if "train" in there else None
    if not len(rows) or (wanted is not None and wanted not in there):
        raise ValueError(
            f"There is nothing to train on: {what} has {len(rows)} pictures, in the splits "
            f"{', '.join(repr(name) for name in there) or 'none'}; asked for: {wanted!r}."
        )
    return wanted
