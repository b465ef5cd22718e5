"""The text files of NUS-WIDE, each read as arrays: lists, columns of 0 and 1, tags, addresses."""

from array import array
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.archives import content_of, opened
from data.adapters.columns import lists_by_row
from data.adapters.unpacked import Unpacked

Flags = np.ndarray[Any, np.dtype[np.bool_]]

PIECE: Final = 1 << 20
"""Bytes that are read at once."""

LINES: Final = 50_000
"""Lines that are held as Python texts before they become columns."""

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "ImageList": ("ImageList/",),
    "ConceptsList": ("ConceptsList/",),
    "Groundtruth": ("Groundtruth/AllLabels/", "AllLabels/"),
    "NUS_WID_Tags": ("NUS_WID_Tags/",),
    "NUS-WIDE-urls": ("NUS-WIDE-urls/",),
}
"""The archives, without .zip, and the folders in which their files lie once they are unpacked."""


def part(root: str, name: str) -> Unpacked:
    """The files of the part NAME under ROOT."""
    return Unpacked(root, f"{name}.zip", PARTS[name])


def read_names(path: str) -> list[str]:
    r"""The lines of a list, with ``/`` for each ``\``, without blanks around them, none empty.

    Raises:
        ValueError: there is none; names the list.
    """
    text = content_of(path).decode("utf-8-sig", "backslashreplace").replace("\\", "/")
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if not names:
        raise ValueError(f"{path} lists nothing.")
    return names


def read_flags(path: str, columns: int) -> Iterator[Flags]:
    """The rows of a table of 0 and 1, (N, COLUMNS) a time; separators, also trailing, mean nothing.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: a row is not so many 0 and 1; names file and row.
    """
    rest, before = b"", 0
    with opened(path) as stream:
        while True:
            block = stream.read(PIECE)
            text = rest + block.translate(None, b" \t\r,")
            if not block:
                text = text.rstrip(b"\n") + b"\n" if text.strip(b"\n") else b""
            whole = len(text) // (columns + 1) * (columns + 1) if block else len(text)
            signs = np.frombuffer(text[:whole], np.uint8)
            if len(signs) % (columns + 1):
                raise ValueError(
                    f"{path}: its last row, {before + 1} or later, is cut or too long."
                )
            signs = signs.reshape(-1, columns + 1)
            good = (signs[:, -1] == 10) & ((signs[:, :-1] | 1) == 49).all(axis=1)
            if not good.all():
                row = before + int(np.argmin(good)) + 1
                raise ValueError(f"{path}: row {row} is not {columns} times 0 or 1.")
            before += len(signs)
            yield signs[:, :-1] == 49
            if not block:
                return
            rest = text[whole:]


def read_column(path: str, rows: int) -> Flags:
    """The only column (ROWS,) of a table of 0 and 1.

    Raises:
        ValueError: it has more or fewer rows; names file and both numbers.
    """
    column: Flags = np.concatenate([flags[:, 0] for flags in read_flags(path, 1)])
    if len(column) != rows:
        raise ValueError(f"{path} has {len(column)} rows, and the list of pictures has {rows}.")
    return column


def read_flag_words(path: str, words: list[str], rows: int) -> pa.ListArray:
    """A table of 0 and 1, ROWS rows of a column a word, as lists of WORDS.

    Raises:
        ValueError: it has more or fewer rows or columns; names the file.
    """
    whose, which = array("q"), array("q")
    before = 0
    for flags in read_flags(path, len(words)):
        found = np.nonzero(flags)
        whose.extend((found[0] + before).tolist())
        which.extend(found[1].tolist())
        before += len(flags)
    if before != rows:
        raise ValueError(f"{path} has {before} rows, and the list of its pictures has {rows}.")
    kinds = np.array(which, dtype=np.int64)
    texts = pa.array(words, pa.string()).take(pa.array(kinds))
    return lists_by_row(np.array(whose, dtype=np.int64), texts, rows)


def read_all_tags(path: str, ids: pa.Array) -> pa.ListArray:
    """The tags of the photographs IDS (texts) in a file of ``id tag tag ...``, whatever its order.

    Raises:
        FileNotFoundError: it is not there.
    """
    kind = pa.list_(pa.string())
    owners, tags = [pa.array([], pa.string())], [pa.array([], kind)]
    lines: list[list[str]] = []
    with opened(path) as stream:
        for line in stream:
            if words := line.decode("utf-8", "backslashreplace").split():
                lines.append(words)
            if len(lines) == LINES:
                owners.append(pa.array([words[0] for words in lines]))
                tags.append(pa.array([words[1:] for words in lines], kind))
                lines = []
    owners.append(pa.array([words[0] for words in lines], pa.string()))
    tags.append(pa.array([words[1:] for words in lines], kind))
    rows = pc.index_in(ids, value_set=pa.concat_arrays(owners))
    return pc.coalesce(pc.take(pa.concat_arrays(tags), rows), pa.scalar([], kind))


def read_addresses(path: str, column: int) -> dict[str, str]:
    """The address in COLUMN of each photograph that has one, by its id, of ``NUS-WIDE-urls.txt``.

    A line is file, id and four addresses, parted by any blanks; ``null`` stands for none.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: a line is something else; names it.
    """
    found: dict[str, str] = {}
    with opened(path) as stream:
        for number, line in enumerate(stream, 1):
            words = line.decode("utf-8", "backslashreplace").split()
            if number == 1 or not words:
                continue
            if len(words) != 6:
                raise ValueError(f"{path}: line {number} is not a file, an id and four addresses.")
            if words[column] != "null":
                found[words[1]] = words[column]
    return found
