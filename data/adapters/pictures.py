"""The pictures of a dataset that names them in tables: where each lies, in a folder or in zips.

Names are looked up among the files that are there, so that a folder or an archive is listed once
and no file is asked for by itself.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import fsspec
import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.files import Run
from data.adapters.objects import files_under
from data.adapters.runs import archive_rows, below, runs_of

JPEG: Final = frozenset({"jpg", "jpeg"})

_FOUND: Final = pa.schema(
    [
        pa.field("key", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("mtime", pa.int64()),
        pa.field("etag", pa.string()),
    ]
)

log = logging.getLogger(__name__)


def picture_runs(
    root: str, folder: str, *archives: str, suffixes: frozenset[str] = JPEG
) -> Iterator[Run]:
    """The JPEG files of FOLDER under ROOT, or else those in FOLDER of the first of ARCHIVES there.

    The keys are paths below FOLDER. FOLDER may be empty: the root itself, or all of an archive.
    Other files than JPEGs are found by their SUFFIXES.

    Raises:
        FileNotFoundError: neither the folder nor one of the archives is in ROOT; names them.
        DamagedZip: the archive is cut or damaged.
    """
    fs, path = fsspec.url_to_fs(root)
    if fs.isdir(f"{path}/{folder}".rstrip("/")):
        yield from files_under(f"{root}/{folder}".rstrip("/"), suffixes, "all")
        return
    for archive in archives:
        if fs.exists(f"{path}/{archive}"):
            yield from zipped_runs(f"{root}/{archive}", folder, suffixes)
            return
    raise FileNotFoundError(f"No {' or '.join((folder, *archives))} in {root}.")


def zipped_runs(archive: str, folder: str = "", suffixes: frozenset[str] = JPEG) -> Iterator[Run]:
    """The JPEG files in FOLDER of ARCHIVE, in its order; each has the time stamp of the archive."""
    key_of = below(f"{folder}/" if folder else "", suffixes)
    return runs_of(archive_rows(archive, key_of))


class Pictures:
    """Where the files of RUNS lie, by key; a file that is not there would lie at PLACE/KEY."""

    def __init__(self, runs: Iterable[Run], place: str) -> None:
        self.place = place
        batches = [
            pa.record_batch([run.keys, run.uris, run.sizes, run.mtimes, run.etags], _FOUND)
            for run in runs
        ]
        self.table = pa.Table.from_batches(batches, _FOUND).combine_chunks()

    def uris(self, keys: Sequence[str]) -> list[str]:
        """The uri of each of KEYS; empty where there is no such file."""
        names = pa.array(keys, pa.string())
        rows = pc.index_in(names, value_set=self.table["key"].combine_chunks())
        found: list[str] = pc.fill_null(pc.take(self.table["uri"], rows), "").to_pylist()
        return found

    def columns(self, keys: pa.Array | Sequence[str]) -> dict[str, pa.Array]:
        """Uri, size, mtime and etag of each of KEYS.

        A file that is not there is listed all the same, with no stamp and the uri it should have:
        it is asked for its bytes, and the answer says that it is missing. How many, is logged.
        """
        names = keys if isinstance(keys, pa.Array) else pa.array(keys, pa.string())
        there = self.table["key"]
        rows = pc.index_in(names, value_set=there.combine_chunks())
        if rows.null_count:
            first = names.filter(pc.is_null(rows))[0]
            log.warning("%s: %d pictures missing, first %s", self.place, rows.null_count, first)
        lost = pc.binary_join_element_wise(pa.scalar(self.place), names, pa.scalar("/"))
        found = {
            name: pc.take(self.table[name], rows).combine_chunks()
            for name in ("uri", "size", "mtime", "etag")
        }
        return {
            "uri": pc.coalesce(found["uri"], lost),
            "size": pc.fill_null(found["size"], 0),
            "mtime": pc.fill_null(found["mtime"], 0),
            "etag": pc.fill_null(found["etag"], ""),
        }
