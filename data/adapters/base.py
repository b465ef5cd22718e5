"""What a source of pictures promises: the contract of every adapter."""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, ValidationError

from data.adapters.card import Card
from data.adapters.reading import read_uris
from data.plan import Plan
from data.sample import Box, Sample, listing_batches
from data.taxonomy import unknown

URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Options(Plan):
    """What a recipe may say of any source; an adapter's own options extend it."""

    splits: tuple[str, ...] = Field((), description="only these splits; none named: all")

    def choices(self, official: Collection[str]) -> Collection[str]:
        """The splits that `splits` may name where OFFICIAL ones are on the card; empty: any.

        An adapter that can follow other lists than the official ones says theirs instead.
        """
        return official


class Dataset(ABC):
    """A source of pictures: who they are, where their bytes lie, what is known of them.

    An adapter is one file with one subclass and one line of `data.adapters.DATASETS`. It gives
    `card`, `takes` where it has options of its own, and `samples` (or, where listing is hot,
    derives from `Columnar` and gives `listing`); `read` only where its uris are not files, URLs or
    ranges of them. What holds for all of them, and is tested for each line of the table:

    - importing the module, constructing and pickling read nothing;
    - keys are unique, and the order is the same each time;
    - only splits named in ``options.splits`` come out, all where none is named;
    - listing reads no picture's bytes where the layout allows it, and decodes none;
    - nothing that is read is executed, and no name found in a source is used to write a file.

    Args:
        root: a path or URL; a relative path is made absolute, so that the uris hold on any worker
            that sees the same disk.
        **options: the fields of `takes`.

    Raises:
        ValueError: an option that the adapter does not know or cannot use; names the choices.
    """

    card: ClassVar[Card]
    takes: ClassVar[type[Options]] = Options

    def __init__(self, root: str, **options: Any) -> None:
        self.root = absolute(root, self.card.name)
        self.options = _checked(self.card, self.takes, options)

    @abstractmethod
    def samples(self) -> Iterator[Sample]:
        """The pictures in their order, the same order each time; no image bytes, no decoding.

        Raises:
            OSError: the source or a part of it cannot be read; nothing is left out in silence.
            ValueError: the source is not in the layout it should have; says where.
        """

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The same pictures as record batches of `data.sample.LISTING`."""
        return listing_batches(self.samples())

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The image bytes of each of URIS, in their order; where they cannot be had, why not.

        The error of one picture is its answer, so that the others still come.
        """
        return read_uris(uris)

    def tables(self) -> Mapping[str, Callable[[], Iterator[pa.RecordBatch]]]:
        """What the source says beside its pictures, by name: of pairs of them, of their authors.

        A column ``key`` names a picture as the listing does. Nothing is read before a table is
        called for.
        """
        return {}

    def wants(self, split: str) -> bool:
        """Whether pictures of SPLIT are asked for."""
        return not self.options.splits or split in self.options.splits

    def __reduce__(self) -> tuple[Callable[..., "Dataset"], tuple[Any, ...]]:
        """Travel as the words that a recipe would say, never as open files or caches."""
        return _reopen, (type(self), self.root, self.options.model_dump())


class Columnar(Dataset):
    """A source whose listing is built as Arrow columns, without an object a row."""

    @abstractmethod
    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures as record batches of `data.sample.LISTING`, in their order."""

    def samples(self) -> Iterator[Sample]:
        """The rows of `listing`, one by one."""
        for batch in self.listing():
            for row in batch.to_pylist():
                for name in ("labels", "tags", "captions"):
                    row[name] = tuple(row[name])
                row["boxes"] = tuple(Box(**box) for box in row["boxes"])
                yield Sample(**row)

    def of_wanted_splits(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of BATCH whose split is asked for."""
        if not self.options.splits:
            return batch
        wanted = pa.array(self.options.splits, pa.string())
        return batch.filter(pc.is_in(batch["split"], value_set=wanted))


def absolute(root: str, name: str) -> str:
    """ROOT as an absolute path, or as a URL without a slash at its end; for the dataset NAME.

    Raises:
        ValueError: ROOT is empty.
    """
    root = os.fspath(root)
    if not root:
        raise ValueError(f"{name} needs a root: the path or URL where its pictures lie.")
    if root.startswith("file://"):
        root = root.removeprefix("file://")
    if URL.match(root):
        return root.rstrip("/")
    return os.path.abspath(os.path.expanduser(root))


def _checked(card: Card, takes: type[Options], options: dict[str, Any]) -> Options:
    for word in options:
        if word not in takes.model_fields:
            raise ValueError(unknown(f"option of {card.name}", word, takes.model_fields))
    try:
        checked = takes(**options)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(
            f"{card.name}: option {where} is {first['input']!r}: {first['msg']}."
        ) from error
    splits = checked.choices(card.splits)
    for split in checked.splits:
        if splits and split not in splits:
            choices = ", ".join(splits)
            raise ValueError(f"{card.name} has no split {split!r}: choose from {choices}.")
    return checked


def _reopen(dataset: type[Dataset], root: str, options: dict[str, Any]) -> Dataset:
    return dataset(root, **options)
