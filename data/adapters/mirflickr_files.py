"""Where the tags of MIRFLICKR-1M lie, and which of its pictures are near-duplicates."""

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from data.adapters.archives import entries, opened
from data.adapters.columns import lists_by_row
from data.adapters.pictures import Pictures, picture_runs
from data.adapters.reading import place_of

Numbers = np.ndarray[Any, np.dtype[np.int64]]

COUNT: Final = 1_000_000
FOLDER: Final = 10_000
"""Pictures in a folder; folder 57 holds 570000.jpg to 579999.jpg."""

_TAGS: Final = re.compile(r"(.*?)([0-9]+)/([0-9]+)\.txt", re.S)


class FolderTags:
    """The files ``tags/<0..99>/<id>.txt`` under ROOT."""

    def __init__(self, root: str) -> None:
        self.root = root

    def uris(self, folder: int, ids: Numbers) -> Sequence[str]:
        """The file of each of IDS, all of FOLDER; empty where there is none.

        Raises:
            FileNotFoundError: the folder is missing.
        """
        name = f"tags/{folder}"
        runs = picture_runs(self.root, name, suffixes=frozenset({"txt"}))
        return Pictures(runs, f"{self.root}/{name}").uris([f"{number}.txt" for number in ids])


class ZippedTags:
    """The same in a zip at PATH, of which 16 bytes a picture are remembered.

    Raises:
        DamagedZip: it is cut or damaged.
        ValueError: a file in it is not where it should be; names it.
    """

    def __init__(self, path: str) -> None:
        self.path, self.prefix = path, ""
        self.headers = np.full(COUNT, -1, dtype=np.int64)
        self.packed = np.zeros(COUNT, dtype=np.int64)
        first = True
        for entry in entries(path):
            found = _TAGS.fullmatch(entry.name)
            if not found:
                continue
            number = int(found[3])
            if first:
                self.prefix, first = found[1], False
            if number >= COUNT or entry.name != self._name(number):
                raise ValueError(f"{path}: {entry.name} is not where the tags of a picture lie.")
            place = place_of(entry.uri)
            self.headers[number], self.packed[number] = place.offset, place.length or 0

    def uris(self, folder: int, ids: Numbers) -> Sequence[str]:
        """The member of each of IDS, all of FOLDER; empty where there is none."""
        return [
            f"{self.path}::{self._name(number)}#{header},{packed}" if header >= 0 else ""
            for number, header, packed in zip(
                ids.tolist(), self.headers[ids].tolist(), self.packed[ids].tolist(), strict=True
            )
        ]

    def _name(self, number: int) -> str:
        return f"{self.prefix}{number // FOLDER}/{number}.txt"


class Clusters:
    """The lines of the list at PATH, each the ids of near-duplicates; NAME begins their labels.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: a line holds something else than ids; names it.
    """

    def __init__(self, path: str, name: str) -> None:
        ids: list[int] = []
        lines: list[int] = []
        with opened(path) as stream:
            for number, line in enumerate(stream, 1):
                try:
                    found = {int(word) for word in line.split()}
                except ValueError as error:
                    raise ValueError(
                        f"{path}: line {number} is no list of ids: {error}."
                    ) from error
                if found and not 0 <= min(found) <= max(found) < COUNT:
                    raise ValueError(f"{path}: line {number} has an id that is no picture's.")
                ids += sorted(found)
                lines += [number] * len(found)
        sort = np.lexsort((lines, ids))
        self.ids = np.array(ids, dtype=np.int64)[sort]
        self.names = pa.array([f"{name}-{number:05d}" for number in lines]).cast(pa.string())
        self.names = self.names.take(pa.array(sort))

    def labels(self, ids: Numbers) -> pa.ListArray:
        """The clusters of each of IDS, which ascend; most are in none."""
        there = np.flatnonzero(np.isin(self.ids, ids))
        rows = np.searchsorted(ids, self.ids[there])
        return lists_by_row(rows, self.names.take(pa.array(there)), len(ids))
