"""Splits that lists beside a dataset say, such as those of hashing papers."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.archives import opened

HASHING: Final = ("test", "train", "database")
"""The lists of hashing papers, without their .txt, and the splits that they say."""

log = logging.getLogger(__name__)


class ListedSplits:
    """The split of each of NAMES (N texts) is that of WORDS (N); SOURCE is where this is said.

    Of a name that comes twice the first counts.
    """

    def __init__(self, source: str, names: Sequence[str], words: Sequence[str]) -> None:
        self.source = source
        self.names, self.words = pa.array(names, pa.string()), pa.array(words, pa.string())
        self.found = 0

    def of(self, names: pa.Array) -> pa.Array:
        """The split of each of NAMES, which come once; null of one that no list names."""
        rows = pc.index_in(names, value_set=self.names)
        self.found += len(rows) - rows.null_count
        return pc.take(self.words, rows)

    def tell(self) -> None:
        """Log how many of the listed pictures nobody has asked for."""
        listed = len(pc.unique(self.names))
        if self.found < listed:
            lost = listed - self.found
            log.warning("%s: %d of %d listed pictures are not there", self.source, lost, listed)


def hashing_splits(folder: str, name: Callable[[str], str] = str) -> ListedSplits:
    """What ``{test,train,database}.txt`` in FOLDER say, ``PATH L1 .. LC`` a line.

    A picture is known by its file name, or by what NAME makes of that. A query that stands in
    another list too, as they do in some, is a query and nothing else; training pictures are in the
    database as well, and are called training pictures.

    Only the names are taken from them. The 0/1 columns stand in an order that no list states, and
    that is not the dataset's: what a picture shows is for the dataset itself to say.

    Raises:
        FileNotFoundError: one of the three is missing; names it.
        ValueError: one of them lists nothing, or a picture twice; names it.
    """
    names: list[str] = []
    words: list[str] = []
    for split in HASHING:
        path = f"{folder}/{split}.txt"
        listed = [name(one) for one in _names(path)]
        if not listed or len(set(listed)) < len(listed):
            raise ValueError(f"{path} lists {'a picture twice' if listed else 'nothing'}.")
        names += listed
        words += [split] * len(listed)
    return ListedSplits(folder, names, words)


def _names(path: str) -> Iterator[str]:
    with opened(path) as lines:
        for number, line in enumerate(lines, 1):
            if words := line.split(maxsplit=1):
                try:
                    yield words[0].decode().replace("\\", "/").rpartition("/")[2]
                except UnicodeDecodeError as error:
                    raise ValueError(f"{path}: line {number} is not UTF-8.") from error
