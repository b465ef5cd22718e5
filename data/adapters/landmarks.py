"""Pictures that go by an id of 16 hex digits, in folders or tars, and the lists that know the ids.

A list of millions of ids is held as numbers, 13 bytes an id, and takes no more than twenty on the
way; the pictures come as they lie.
"""

import binascii
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.columns import listing_batch
from data.adapters.files import Run
from data.adapters.objects import files_under
from data.adapters.reading import local_path
from data.adapters.rows import row_batches
from data.adapters.runs import archive_rows, runs_of
from data.memory import give_back

Array = np.ndarray[Any, np.dtype[Any]]

_NAME: Final = r"(?:^|/)(?P<id>[0-9a-f]{16})\.[A-Za-z]+$"
_TAR: Final = re.compile(r"images_\d+\.tar")
_DIGITS: Final = 16

ROWS: Final = 1 << 16
"""Ids that are looked at at once."""

log = logging.getLogger(__name__)


class Growing:
    """Numbers of KIND that come in pieces, in one array that grows where it lies."""

    def __init__(self, kind: type[np.generic]) -> None:
        self.array: Array = np.empty(0, kind)
        self.count = 0

    def add(self, piece: Array) -> None:
        """Append PIECE (N,)."""
        end = self.count + len(piece)
        if end > len(self.array):
            self.array.resize(end + end // 32, refcheck=False)
        self.array[self.count : end] = piece
        self.count = end

    def whole(self) -> Array:
        """All of them, (N,); nothing can be added any more."""
        self.array.resize(self.count, refcheck=False)
        return self.array


class Ids:
    """The ids in the column ``id`` of a list, and which of them have been met so far.

    Args:
        ids: (N,) uint64 in the order of the list; they are sorted where they lie.
        path: of the list.

    Raises:
        ValueError: an id is there twice; names it.
    """

    def __init__(self, ids: Array, path: str) -> None:
        self.path = path
        give_back()  # what reading the list took is more than what sorting it takes
        self.order = sorting(ids)
        ids.sort()
        self.sorted = ids
        twice = np.flatnonzero(self.sorted[1:] == self.sorted[:-1])
        if len(twice):
            raise ValueError(f"{path} lists {_text(self.sorted[twice[0]])} twice.")
        self.met = np.zeros(len(ids), bool)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.sorted)

    def rows(self, ids: Array) -> Array:
        """The row of each of IDS (N,) uint64 in the list, (N,) int64; -1 where it is not there."""
        if not len(self):
            return np.full(len(ids), -1)
        places = np.minimum(np.searchsorted(self.sorted, ids), len(self) - 1)
        return np.where(self.sorted[places] == ids, self.order[places], -1).astype(np.int64)

    def meet(self, rows: Array) -> None:
        """Take note that the pictures of ROWS are there.

        Raises:
            ValueError: one of them came before.
        """
        again = rows[self.met[rows]]
        if len(np.unique(rows)) < len(rows):
            values, counts = np.unique(rows, return_counts=True)
            again = values[counts > 1]
        if len(again):
            name = _text(self.sorted[np.flatnonzero(self.order == again[0])[0]])
            raise ValueError(f"The picture {name} of {self.path} is there twice.")
        self.met[rows] = True

    def missing(self) -> tuple[int, str]:
        """How many have not been met, and the first of them in the list."""
        rows = np.flatnonzero(~self.met)
        if not len(rows):
            return 0, ""
        return len(rows), _text(self.sorted[np.flatnonzero(self.order == rows[0])[0]])


def sorting(ids: Array) -> Array:
    """The order in which IDS (N,) uint64 ascend, (N,) int32, found a sixteenth of them at a time.

    All at once it would take sixteen bytes an id on the way.
    """
    first = np.empty(len(ids), np.uint8)
    for start in range(0, len(ids), ROWS):
        first[start : start + ROWS] = ids[start : start + ROWS] >> np.uint64(60)
    order = np.empty(len(ids), np.int32)
    end = 0
    for digit in range(16):
        some = np.flatnonzero(first == digit).astype(np.int32)
        order[end : end + len(some)] = some[np.argsort(ids[some], kind="stable")]
        end += len(some)
    return order


def columns_of(path: str, kinds: Mapping[str, pa.DataType]) -> Iterator[tuple[Array, Any]]:
    """The column ``id`` of the list at PATH as numbers, and the columns of KINDS, in batches."""
    for batch in row_batches(path, {"id": pa.string(), **kinds}):
        yield numbers(batch["id"], path), batch


def ids_of(path: str) -> Array:
    """All of the column ``id`` of the list at PATH, (N,) uint64, in its order."""
    found = Growing(np.uint64)
    for ids, _ in columns_of(path, {}):
        found.add(ids)
    return found.whole()


def numbers(ids: pa.Array, path: str) -> Array:
    """IDS, texts of 16 hex digits in the file PATH, as (N,) uint64.

    Raises:
        ValueError: one of them is something else; names it.
    """
    if not len(ids):
        return np.empty(0, np.uint64)
    right = pc.match_substring_regex(ids, "^[0-9a-f]{16}$")
    if not pc.all(right).as_py():
        wrong = ids.filter(pc.invert(right))[0].as_py()
        raise ValueError(f"{path}: {wrong!r} is no id of {_DIGITS} hex digits.")
    first = np.frombuffer(ids.buffers()[1], np.int32)[ids.offset]
    digits = memoryview(ids.buffers()[2])[first : first + _DIGITS * len(ids)]
    return np.frombuffer(binascii.unhexlify(digits), ">u8").astype(np.uint64)


def pictures(home: str) -> Iterator[Run]:
    """The pictures in the tars ``images_NNN.tar`` of the folder HOME, or under it where none are.

    Raises:
        FileNotFoundError: there is no such folder.
        DamagedTar: a tar is cut or damaged; names it.
    """
    fs, path = fsspec.url_to_fs(local_path(home))
    fs.invalidate_cache()
    if not fs.isdir(path):
        raise FileNotFoundError(f"No folder {home}: the pictures, or their tars, should be there.")
    names = sorted(str(one).rstrip("/").rpartition("/")[2] for one in fs.ls(path, detail=False))
    tars = [f"{home}/{name}" for name in names if _TAR.fullmatch(name)]
    if not tars:
        yield from files_under(home, frozenset({"jpg", "jpeg"}), "inside")
    for tar in tars:
        yield from runs_of(archive_rows(tar, str))


def listed(
    home: str, split: str, ids: Ids, said: Callable[[Array], Mapping[str, pa.Array]]
) -> Iterator[pa.RecordBatch]:
    """The pictures under HOME that IDS knows, as a listing; the keys are ``SPLIT/ID``.

    Args:
        home: a folder or URL.
        split: of all of them.
        ids: those that count; which of them were met is noted there.
        said: the columns that say something, of rows of the list.

    Raises:
        ValueError: a picture is there twice.
    """
    strange, first = 0, ""
    for run in pictures(home):
        names = pc.struct_field(pc.extract_regex(pa.array(run.keys, pa.string()), _NAME), "id")
        named = pc.is_valid(names).to_numpy(zero_copy_only=False)
        rows = np.full(len(named), -1)
        rows[named] = ids.rows(numbers(names.drop_null(), home))
        known = rows >= 0
        if not known.all():
            first = first or run.keys[int(np.flatnonzero(~known)[0])]
            strange += int((~known).sum())
        kept = pa.array(known)
        rows = rows[known]
        ids.meet(rows)
        columns = {
            "key": pc.binary_join_element_wise(split, names.filter(kept), "/"),
            "uri": pa.array(run.uris, pa.string()).filter(kept),
            "size": pa.array(run.sizes, pa.int64()).filter(kept),
            "mtime": pa.array(run.mtimes, pa.int64()).filter(kept),
            "etag": pa.array(run.etags, pa.string()).filter(kept),
            "split": pa.repeat(split, len(rows)),
            **said(rows),
        }
        if len(rows):
            yield listing_batch(len(rows), columns)
    if strange:
        log.warning("%s: %d files that %s does not list: first %r", home, strange, ids.path, first)


def _text(number: Any) -> str:
    return f"{int(number):016x}"
