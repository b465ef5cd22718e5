"""Pictures as base64 in the lines of a table, and what a log says of each, joined on the disk.

Neither is held: a log of a billion bytes and pictures of a trillion take a bounded memory. What is
said of pictures are words that people typed, so no message here repeats any of them.
"""

import base64
import binascii
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.adapters.archives import opened
from data.adapters.columns import lists
from data.adapters.packed import BROKEN
from data.adapters.rows import Dialect, row_batches
from data.database import asking

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK: Final = 1 << 22
"""Bytes of a table of pictures that are read at once."""

LONGEST: Final = 1 << 28
"""Bytes of a line that nobody means."""

PICTURES: Final = pa.schema(
    [("position", pa.int64()), ("key", pa.string()), ("uri", pa.string()), ("size", pa.int64())]
)
SAID: Final = pa.schema([("key", pa.string()), ("words", pa.string()), ("weight", pa.int64())])

_TAB, _END, _RETURN, _PAD = b"\t\n\r="
_QUOTED: Final = re.compile(r"(got \d+:|invalid value|UTF-?8).*", re.S | re.I)

_ASK: Final = """
    SELECT position, key, uri, size, coalesce(words, '') AS words,
        CASE WHEN ? THEN greatest(round(log2(1 + coalesce(weight, 0))), 1) ELSE 1 END::BIGINT
            AS times
    FROM pictures LEFT JOIN (
        SELECT key, words, sum(weight) AS weight FROM said GROUP BY key, words
        HAVING sum(weight) >= ?
    ) USING (key)
    ORDER BY position, weight DESC, words
"""


class Told(NamedTuple):
    """Pictures in the order of their tables, and what is said of each, most often first.

    ``words`` of a picture may stand there several times, see `told`.
    """

    keys: pa.Array
    uris: pa.Array
    sizes: pa.Array
    words: pa.ListArray


def pictures(path: str, columns: Sequence[str], before: int) -> Iterator[pa.RecordBatch]:
    """The pictures in the table at PATH as `PICTURES`, BEFORE of which came in other tables.

    A uri is ``PATH#OFFSET,LENGTH`` of the base64, counted in the unpacked table. It is not decoded:
    its length tells the picture's.

    Args:
        path: a text of lines, packed or not.
        columns: of a line, parted by tabs; one is ``key`` and one is ``image``.
        before: where the positions begin.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: a line has not as many columns; names file and line.
    """
    at, rest, line = 0, b"", 0
    with opened(path) as stream:
        while True:
            try:
                block = stream.read(BLOCK)
            except BROKEN as error:
                raise ValueError(f"{path} is cut or damaged: {error}.") from error
            content = rest + (block or (b"\n" if rest else b""))
            whole = content.rfind(b"\n") + 1
            if whole:
                fields, used = _fields(content[:whole], columns, path, line)
                offsets, lengths, keys, sizes = fields
                rows = len(keys)
                uris = [
                    f"{path}#{at + offset},{length}"
                    for offset, length in zip(offsets.tolist(), lengths.tolist(), strict=True)
                ]
                places = pa.array(np.arange(before, before + rows))
                yield pa.RecordBatch.from_arrays(
                    [places, pa.array(keys, pa.string()), pa.array(uris, pa.string()), sizes],
                    schema=PICTURES,
                )
                at, before, line = at + whole, before + rows, line + used
            rest = content[whole:]
            if len(rest) > LONGEST:
                raise ValueError(f"{path}: line {line + 1} has more than {LONGEST:,} bytes.")
            if not block:
                return


def _fields(
    content: bytes, columns: Sequence[str], path: str, before: int
) -> tuple[tuple[Array, Array, list[str], pa.Array], int]:
    """Where the images in the whole lines CONTENT lie, their keys and sizes; how many lines.

    BEFORE lines of the file PATH came before them.
    """
    letters = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(letters == _END)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lines = len(ends)
    ends = ends - (letters[np.maximum(ends - 1, 0)] == _RETURN)
    filled = np.flatnonzero(ends > starts)
    starts, ends = starts[filled], ends[filled]
    tabs = np.flatnonzero(letters == _TAB)
    counts = np.searchsorted(tabs, ends) - np.searchsorted(tabs, starts)
    wrong = np.flatnonzero(counts != len(columns) - 1)
    if len(wrong):
        raise ValueError(
            f"{path}: line {before + int(filled[wrong[0]]) + 1} has {counts[wrong[0]] + 1} columns "
            f"and not {len(columns)}: {', '.join(columns)}."
        )
    bounds = tabs.reshape(len(starts), len(columns) - 1)  # (L, C - 1)
    first = np.column_stack([starts, bounds + 1])
    last = np.column_stack([bounds, ends])
    key, image = columns.index("key"), columns.index("image")
    offsets, until = first[:, image], last[:, image]
    lengths = until - offsets
    pads = sum(
        ((lengths > back) & (letters[np.maximum(until - back, 0)] == _PAD)).astype(np.int64)
        for back in (1, 2)
    )
    try:
        keys = [
            content[start:end].decode()
            for start, end in zip(first[:, key].tolist(), last[:, key].tolist(), strict=True)
        ]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: a key after line {before} is not UTF-8.") from error
    return (offsets, lengths, keys, pa.array(lengths * 3 // 4 - pads)), lines


def said(
    path: str, columns: Sequence[str], weights: Mapping[str, int], lower: bool
) -> Iterator[pa.RecordBatch]:
    """The rows of the log at PATH as `SAID`: with clicks, or with judgements that have WEIGHTS.

    Args:
        path: a text of lines, packed or not.
        columns: of a line, parted by tabs: ``key``, ``query`` and ``clicks`` or ``label``.
        weights: of each label; its words are then ``label/query``.
        lower: whether queries are compared in small letters.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: a row is broken, or a label is none of WEIGHTS; names file and row, no query.
    """
    judged = "label" in columns
    kinds = {"key": pa.string(), "query": pa.binary()}
    kinds |= {"label": pa.string()} if judged else {"clicks": pa.int64()}
    dialect = Dialect(delimiter="\t", names=tuple(columns), quoted=False)
    try:
        for batch in row_batches(path, kinds, dialect):
            words = pc.utf8_trim_whitespace(_text(batch["query"]))
            words = pc.utf8_lower(words) if lower else words
            if not judged:
                yield pa.RecordBatch.from_arrays(
                    [batch["key"], words, batch["clicks"]], schema=SAID
                )
                continue
            labels = pc.utf8_lower(pc.utf8_trim_whitespace(batch["label"]))
            places = pc.index_in(labels, value_set=pa.array(list(weights)))
            if places.null_count:
                raise ValueError(f"a label is none of {', '.join(weights)}: is the order right?")
            weight = pa.array(list(weights.values()), pa.int64()).take(places)
            words = pc.binary_join_element_wise(labels, words, "/")
            yield pa.RecordBatch.from_arrays([batch["key"], words, weight], schema=SAID)
    except (ValueError, *BROKEN) as error:
        what = _QUOTED.sub(lambda found: found[1].rstrip(":"), str(error).removeprefix(f"{path}: "))
        raise ValueError(f"{path}: {what}") from None  # pyarrow's own error quotes the row


def _text(column: pa.Array) -> pa.Array:
    """COLUMN of bytes as text; what is not UTF-8 of it is replaced."""
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([one.decode("utf-8", "replace") for one in column.to_pylist()], pa.string())


def told(
    folder: Path, memory: int, least: int, rows: int, counted: bool
) -> Generator[Told, None, None]:
    """What `pictures` and `said` found, written to FOLDER, brought together in MEMORY MB.

    Args:
        folder: holds ``pictures.parquet`` and ``said.parquet``.
        memory: MB.
        least: what is said of a picture with less weight in all is left out.
        rows: pictures in a batch, about.
        counted: whether words stand there once a bit of their weight w, log2(1 + w), rounded, and
            once at least; else once.
    """
    with (
        asking(memory, **_tables(folder)) as database,
        database.sql(_ASK, params=[counted, least]).to_arrow_reader(rows) as found,
    ):
        rest = pa.Table.from_batches([], found.schema)
        for batch in found:
            table = pa.concat_tables([rest, pa.Table.from_batches([batch])]).combine_chunks()
            places = table["position"].to_numpy()
            whole = int(np.searchsorted(places, places[-1])) if len(places) else 0
            if whole:
                yield _grouped(table.slice(0, whole))
            rest = table.slice(whole)
        if rest.num_rows:
            yield _grouped(rest)


def without_picture(folder: Path, memory: int) -> int:
    """How many keys of what was said are those of no picture."""
    with asking(memory, **_tables(folder)) as database:
        asked = "SELECT count(DISTINCT key) FROM said ANTI JOIN pictures USING (key)"
        return int(database.execute(asked).fetchone()[0])


def _tables(folder: Path) -> dict[str, list[Path]]:
    return {name: [folder / f"{name}.parquet"] for name in ("pictures", "said")}


def _grouped(table: pa.Table) -> Told:
    _, first = np.unique(table["position"].to_numpy(), return_index=True)
    keys, uris, sizes = (
        table[name].take(first).combine_chunks() for name in ("key", "uri", "size")
    )
    times = table["times"].to_numpy()
    texts = table["words"].combine_chunks().take(pa.array(np.repeat(np.arange(len(times)), times)))
    words = lists(texts, np.add.reduceat(times, first))
    return Told(keys, uris, sizes, words)


def write(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
    """Write BATCHES to the Parquet file PATH."""
    with pq.ParquetWriter(path, schema, compression="lz4") as out:
        for batch in batches:
            out.write_batch(batch)


def decoded(text: bytes, uri: str) -> bytes | OSError:
    """The picture that TEXT, the base64 at URI, stands for."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        return OSError(f"{uri} is no base64: {error}.")
    return content or OSError(f"{uri} is empty.")
