"""The pictures of a place, a folder, a prefix or an archive, and those that a dataset's lists name.

Names are looked up among the files that are there, so that a folder or an archive is listed once
and no file is asked for by itself: in a bucket that would be a request each.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.columns import listing_batch
from data.adapters.files import ROWS, Run
from data.adapters.named import ARCHIVES
from data.adapters.names import IMAGES
from data.adapters.objects import files_under
from data.adapters.packed import is_packed
from data.adapters.runs import archive_rows, archive_run, below, runs_of
from data.adapters.stamps import stamp_of

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


def runs_lying_in(place: str, folder: str = "", suffixes: frozenset[str] = JPEG) -> Iterator[Run]:
    """The files of PLACE below FOLDER that end in one of SUFFIXES, as they lie.

    PLACE is a folder, a prefix or an archive, packed or not; a key is the path below FOLDER, which
    may be empty. Those of an archive carry its stamp.

    Raises:
        FileNotFoundError: the place is not there.
        ValueError: the archive is cut, damaged or none; names it.
    """
    if place.endswith(ARCHIVES):
        key_of = below(f"{folder}/" if folder else "", suffixes)
        return runs_of(archive_rows(place, key_of))
    return files_under(f"{place}/{folder}".rstrip("/"), suffixes, "all")


def runs_in(place: str, folder: str, suffixes: frozenset[str]) -> Iterator[Run]:
    """The same in the order of their keys; of an archive all names are held.

    Raises:
        FileNotFoundError: the place is not there, or the archive has nothing below FOLDER.
        ValueError: the archive is cut, damaged or none, or has a file twice; names it.
    """
    if not place.endswith(ARCHIVES):
        yield from runs_lying_in(place, folder, suffixes)
        return
    key_of = below(f"{folder}/" if folder else "", suffixes)
    run = archive_run(place, stamp_of(place), key_of)
    if not run.keys:
        raise FileNotFoundError(f"{place} holds no picture in {folder or 'it'}.")
    yield run


def picture_runs(
    root: str, folder: str, *archives: str, suffixes: frozenset[str] = JPEG
) -> Iterator[Run]:
    """The files of FOLDER under ROOT, or else those in FOLDER of the first of ARCHIVES there.

    Raises:
        FileNotFoundError: neither the folder nor one of the archives is in ROOT; names them.
        DamagedZip: the archive is cut or damaged.
    """
    fs, path = fsspec.url_to_fs(root)
    if fs.isdir(f"{path}/{folder}".rstrip("/")):
        return runs_lying_in(root, folder, suffixes)
    for archive in archives:
        if fs.exists(f"{path}/{archive}"):
            return runs_lying_in(f"{root}/{archive}", folder, suffixes)
    raise FileNotFoundError(f"No {' or '.join((folder, *archives))} in {root}.")


class Pictures:
    """Where the files of RUNS lie, by key; a file that is not there would lie at PLACE/KEY."""

    def __init__(self, runs: Iterable[Run], place: str) -> None:
        self.place = place
        batches = [
            pa.record_batch([run.keys, run.uris, run.sizes, run.mtimes, run.etags], _FOUND)
            for run in runs
        ]
        self.table = pa.Table.from_batches(batches, _FOUND).combine_chunks()

    @classmethod
    def within(cls, place: str, folder: str = "") -> "Pictures":
        """The image files of PLACE, a folder, a prefix or an archive, by their paths below FOLDER.

        FOLDER is one of the archive; it is not looked at where PLACE is none.
        """
        archive = place.endswith(ARCHIVES)
        folder = folder if archive else ""
        below_it = f"{place}::{folder}" if archive else place
        return cls(runs_lying_in(place, folder, frozenset(IMAGES)), below_it.rstrip("/"))

    def batches(
        self, names: Sequence[str], columns: Mapping[str, Sequence[Any] | pa.Array]
    ) -> Iterator[pa.RecordBatch]:
        """NAMES as rows of a listing, with COLUMNS as long; the keys are the names, if not told.

        They come in their own order; those of a packed archive as they lie in it, for going back in
        it would begin anew.
        """
        batch = listing_batch(len(names), {"key": names, **columns, **self.columns(names)})
        if is_packed(self.place.partition("::")[0]):
            batch = batch.take(self._as_they_lie(names))
        for start in range(0, len(names), ROWS):
            yield batch.slice(start, ROWS)

    def uris(self, keys: Sequence[str]) -> list[str]:
        """The uri of each of KEYS; empty where there is no such file."""
        rows = self._rows(pa.array(keys, pa.string()))
        found: list[str] = pc.fill_null(pc.take(self.table["uri"], rows), "").to_pylist()
        return found

    def columns(self, keys: pa.Array | Sequence[str]) -> dict[str, pa.Array]:
        """Uri, size, mtime and etag of each of KEYS.

        A file that is not there is listed all the same, with no stamp and the uri it should have:
        it is asked for its bytes, and the answer says that it is missing. How many, is logged.
        """
        names = keys if isinstance(keys, pa.Array) else pa.array(keys, pa.string())
        rows = self._rows(names)
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

    def _rows(self, names: pa.Array) -> pa.Array:
        """The row of each of NAMES in the table; null where there is no such file."""
        return pc.index_in(names, value_set=self.table["key"].combine_chunks())

    def _as_they_lie(self, names: Sequence[str]) -> pa.Array:
        """The order of NAMES by their rows; those that are not there last."""
        rows = pc.fill_null(self._rows(pa.array(names, pa.string())), self.table.num_rows)
        return pa.array(np.argsort(rows.to_numpy(), kind="stable"))
