"""Which pictures of a dataset version are learned from, and what is said of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.manifest import LIVE, manifest
from data.protocols import Protocol
from data.store import Store
from tasks.measuring.sets import drawn
from tasks.training.marks import WORDS, Marks, seen_share, words_in
from tasks.training.sentences import Sentences

COLUMNS: Final = ("key", "digest", "shard", "offset", "length", "labels", "tags", "split")


@dataclass(frozen=True)
class Wanted:
    """What is asked of the pictures of a training set.

    Args:
        split: the dataset's word; None: "train" where there is such a split, else everything.
        labels: "all": pictures without labels are left out; "some": they stay; "none": labels are
            not looked at.
        words: whether pictures without tags are left out, and tags are looked at; where no picture
            has any, the words of captions are their tags.
        labelled: the share of the labels that may be seen.
        protocol: only pictures of its training set; `split` is not looked at.
        sentences: whether pictures without a sentence are left out, and sentences are looked at,
            whose words are their tags; where no picture has a caption, each tag is a sentence.
    """

    split: str | None = None
    labels: Literal["all", "some", "none"] = "none"
    words: bool = False
    labelled: float = 1.0
    protocol: Protocol | None = None
    sentences: bool = False


@dataclass(frozen=True)
class Selected:
    """Some pictures, and what may be said of them.

    Args:
        rows: the `COLUMNS` of N pictures, by shard and offset.
        split: that they are of; None for all.
        labels: what may be seen of their labels; None where they are not looked at.
        words: their tags; None where they are not looked at.
        elsewhere: (N,) whether other splits have a copy of a picture.
        sentences: their sentences; None where they are not looked at.
    """

    rows: pa.Table
    split: str | None
    labels: Marks | None
    words: Marks | None
    elsewhere: NDArray[np.bool_]
    sentences: Sentences | None = None

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    @property
    def digests(self) -> list[str]:
        """Of the bytes of each picture."""
        return [str(digest) for digest in self.rows["digest"].to_pylist()]

    def at(self, kept: NDArray[np.bool_]) -> "Selected":
        """Those that are KEPT (N,)."""
        labels, words = (
            None if marks is None else marks.at(kept) for marks in (self.labels, self.words)
        )
        rows = self.rows.filter(pa.array(kept))
        sentences = None if self.sentences is None else self.sentences.at(kept)
        return Selected(rows, self.split, labels, words, self.elsewhere[kept], sentences)

    def parted(self, share: float) -> tuple["Selected", "Selected | None"]:
        """Those that are learned from, and the SHARE that is held out to choose the best epoch.

        Never held out is a picture of which another split has a copy: it may be a query there.

        Raises:
            ValueError: too few are on one of the sides.
        """
        if not share:
            return self, None
        held = held_out(self.digests, share) & ~self.elsewhere
        if held.sum() < 2 or (~held).sum() < 2:
            raise ValueError(
                f"validation: {share:g} holds out {held.sum()} of {len(self)} pictures, and two "
                "are needed on both sides: choose another share, or 0."
            )
        return self.at(~held), self.at(held)


def held_out(digests: Sequence[str], share: float) -> NDArray[np.bool_]:
    """Which pictures of DIGESTS are held out: about SHARE of them, (N,).

    A digest is as good as a lot, and falls the same way whatever else is in the set. The highest
    are held out, for the lowest are a night's queries where no split asks.
    """
    bound = f"{min(round((1 - share) * 2**64), 2**64 - 1):016x}"
    return np.array([digest[:16] >= bound for digest in digests], bool)


def selected(store: Store, dataset: str, version: int, wanted: Wanted) -> Selected:
    """The live pictures of DATASET at VERSION that are WANTED, each once however often copied.

    Raises:
        ValueError: no picture is left; says which splits there are. Or the protocol's sets cannot
            be drawn.
    """
    chosen = _live(store, dataset, version, wanted)
    rows = chosen.rows
    if wanted.sentences:
        rows = _with_sentences(rows)
    elif wanted.words:
        rows = _with_words(rows)
    chosen = replace(chosen, rows=rows)
    kept = np.ones(len(chosen), bool)
    for column, must in (
        ("labels", wanted.labels == "all"),
        ("captions" if wanted.sentences else "tags", wanted.words),
    ):
        if must:
            counts = pc.fill_null(pc.list_value_length(rows[column]), 0)
            kept &= counts.to_numpy(zero_copy_only=False) > 0
    chosen = chosen.at(kept)
    rows = chosen.rows
    words = Marks.of(rows["tags"], WORDS, least=2) if wanted.words else None
    labels = Marks.of(rows["labels"]) if wanted.labels != "none" else None
    sentences = None
    if wanted.sentences:
        sentences = Sentences.of(rows["captions"])
        rows = rows.drop_columns("captions")
    chosen = Selected(rows, chosen.split, labels, words, chosen.elsewhere, sentences)
    if labels is None or wanted.labelled == 1:
        return chosen
    seen = seen_share(labels, chosen.digests, wanted.labelled)
    if wanted.labels == "all":
        return chosen.at(seen)
    return replace(chosen, labels=labels.only(seen))


def _live(store: Store, dataset: str, version: int, wanted: Wanted) -> Selected:
    """The live rows of the split, or of the protocol's training set, by shard and offset.

    One a digest, the first key's.
    """
    columns = [*COLUMNS, "captions"] if wanted.words else list(COLUMNS)
    rows = manifest(store, dataset).open(version).to_table(columns, filter=f"state = '{LIVE}'")
    rows = rows.sort_by("key")
    abroad = rows["digest"].slice(0, 0)
    if wanted.protocol:
        keys = pa.array(drawn(store, dataset, version, wanted.protocol)[0].train, pa.string())
        inside = pc.is_in(rows["key"], value_set=keys)
        abroad = rows["digest"].filter(pc.invert(inside))
        rows = rows.filter(inside)
    digests, first, copies = np.unique(
        rows["digest"].to_numpy(zero_copy_only=False), return_index=True, return_inverse=True
    )
    once = rows.take(first)
    what = f"{dataset} version {version}"
    split = None if wanted.protocol and len(once) else _split(once, wanted.split, what)
    elsewhere: NDArray[np.bool_] = np.isin(digests, abroad.to_numpy(zero_copy_only=False))
    if split is not None:
        other = pc.fill_null(pc.not_equal(rows["split"], split), True)
        elsewhere[copies[other.to_numpy(zero_copy_only=False)]] = True
    once = once.append_column("elsewhere", pa.array(elsewhere))
    if split is not None:
        once = once.filter(pc.equal(once["split"], split))
    once = once.sort_by([("shard", "ascending"), ("offset", "ascending")])
    return Selected(
        once.drop_columns("elsewhere"),
        split,
        None,
        None,
        once["elsewhere"].to_numpy(zero_copy_only=False),
    )


def _with_words(rows: pa.Table) -> pa.Table:
    """The `COLUMNS` of ROWS; their tags are the words of captions where none has a tag."""
    if not _any(rows["tags"]):
        rows = _put(rows, "tags", words_in(rows["captions"]))
    return rows.drop_columns("captions")


def _with_sentences(rows: pa.Table) -> pa.Table:
    """ROWS, whose tags are the words of captions; where none has a caption these are the tags."""
    if _any(rows["captions"]):
        return _put(rows, "tags", words_in(rows["captions"]))
    return _put(rows, "captions", rows["tags"])


def _any(lists: pa.ChunkedArray) -> bool:
    """Whether one of LISTS is not empty."""
    return bool(pc.any(pc.greater(pc.list_value_length(lists), 0)).as_py())


def _put(rows: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    """ROWS with COLUMN in the place of the one of NAME."""
    return rows.set_column(rows.schema.get_field_index(name), name, column)


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
