"""Files of an archive as a run, as those of a folder are; and runs as rows of a listing."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa

from data.adapters.archives import entries
from data.adapters.columns import at_most_one, listing_batch
from data.adapters.files import ROWS, Run
from data.adapters.names import is_image
from data.adapters.packed import is_packed, packed_entries
from data.adapters.stamps import Stamp, stamp_of

Row = tuple[str, str, int, int, str]
"""Key, uri, size, time stamp and etag of a file, as `Run.add` takes them."""


def archive_run(archive: str, stamped: Stamp, key_of: Callable[[str], str]) -> Run:
    """The files of ARCHIVE, in the order of their keys; all carry the archive's stamp, STAMPED.

    KEY_OF gives a file's key by its name, empty where it is to be left out. The names are held, and
    so is nothing else: an archive of millions is better cut into several.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is cut, damaged or none, or two of its files have the same key; names it.
    """
    return sorted_run(_rows(archive, stamped, key_of), archive)


def archive_rows(archive: str, key_of: Callable[[str], str]) -> Iterator[Row]:
    """The files of ARCHIVE, packed or not, in its order; all carry the archive's stamp.

    KEY_OF gives a file's key by its name, empty where it is to be left out.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is cut, damaged or none; names it.
    """
    return _rows(archive, stamp_of(archive), key_of)


def below(folder: str, suffixes: frozenset[str]) -> Callable[[str], str]:
    """What gives a file of an archive its path below FOLDER as its key, if it has of SUFFIXES.

    FOLDER has a slash at its end, or is empty.
    """

    def key_of(name: str) -> str:
        name = name.removeprefix("./")
        wanted = name.startswith(folder) and is_image(name.rpartition("/")[2], suffixes)
        return name.removeprefix(folder) if wanted else ""

    return key_of


def _rows(archive: str, stamped: Stamp, key_of: Callable[[str], str]) -> Iterator[Row]:
    for entry in packed_entries(archive) if is_packed(archive) else entries(archive):
        if key := key_of(entry.name):
            yield key, entry.uri, entry.size, stamped.mtime, stamped.etag


def runs_of(rows: Iterable[Row]) -> Iterator[Run]:
    """ROWS in their order, in runs of at most `ROWS`."""
    run = Run("")
    for row in rows:
        run.add(*row)
        if len(run.keys) == ROWS:
            yield run
            run = Run("")
    if run.keys:
        yield run


def sorted_run(rows: Iterable[Row], where: str) -> Run:
    """ROWS, which lie in WHERE, in the order of their keys.

    Raises:
        ValueError: two have the same key; names both.
    """
    run = Run("")
    for row in sorted(rows):
        if run.keys and run.keys[-1] == row[0]:
            raise ValueError(f"{where} holds {row[0]!r} twice: which of the two counts?")
        run.add(*row)
    return run


def rows_of(run: Run) -> Iterator[Row]:
    """The files of RUN one by one."""
    return zip(run.keys, run.uris, run.sizes, run.mtimes, run.etags, strict=True)


def run_batches(
    run: Run,
    split: str | Sequence[str],
    labels: str | Sequence[str],
    tags: pa.ListArray | None = None,
    before: str = "",
) -> Iterator[pa.RecordBatch]:
    """RUN as rows of a listing, in batches of at most `ROWS`.

    Args:
        run: the files; of a file, its key is the folder's and its name.
        split: of all of them, or one a file.
        labels: the class of all of them, or one a file; empty where it has none.
        tags: lists of words, one list a file.
        before: what to put before each key.
    """
    for start in range(0, len(run.keys), ROWS):
        part = slice(start, start + ROWS)
        keys = [before + key for key in run.keys[part]]
        columns = {
            "key": keys,
            "uri": run.uris[part],
            "size": run.sizes[part],
            "mtime": run.mtimes[part],
            "etag": run.etags[part],
            "labels": at_most_one(_each(labels, part, len(keys))),
            "split": _each(split, part, len(keys)),
        }
        if tags is not None:
            columns["tags"] = tags.slice(start, len(keys))
        yield listing_batch(len(keys), columns)


def _each(said: str | Sequence[str], part: slice, rows: int) -> Sequence[str]:
    return [said] * rows if isinstance(said, str) else said[part]
