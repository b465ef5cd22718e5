"""Pictures that lists name, wherever they lie: in a folder, under a prefix, in a zip or a tar."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import fsspec
import pyarrow as pa

from data.adapters.archives import Entry, content_of, entries
from data.adapters.columns import listing_batch
from data.adapters.files import Run
from data.adapters.names import is_image
from data.adapters.objects import files_under
from data.adapters.stamps import NOTHING, stamp_of, stamps_of

ROWS: Final = 10_000
"""Rows in a batch of a listing."""

ARCHIVES: Final = (".zip", ".tar")
"""What the name of an archive ends in whose members can be read where they lie."""


def place_in(root: str, what: str, *places: str) -> str:
    """The first of PLACES, folders or archives below ROOT, that is there; "" is ROOT itself.

    Raises:
        FileNotFoundError: none is; names WHAT should be there, and the choices.
    """
    fs, path = fsspec.url_to_fs(root)
    for place in places:
        if fs.exists(f"{path}/{place}".rstrip("/")):
            return f"{root}/{place}".rstrip("/")
    choices = " or ".join(place or "the folder itself" for place in places)
    raise FileNotFoundError(f"No {what} in {root}: it should hold {choices}.")


def within(place: str, name: str) -> str:
    """The path of the file NAME in PLACE, a folder or an archive, as `opened` understands it."""
    return f"{place}::{name}" if place.endswith(ARCHIVES) else f"{place}/{name}"


def lines_of(path: str) -> list[str]:
    """The lines of the text at PATH that are not blank, without blanks around them.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is not UTF-8.
    """
    try:
        text = content_of(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}.") from error
    return [line.strip() for line in text.split("\n") if line.strip()]


def fields_of(path: str, count: int, heads: int = 0) -> Iterator[list[str]]:
    """The COUNT fields, parted by blanks, of each line at PATH after its first HEADS; one a line.

    The last field may hold blanks of its own.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: a line has fewer fields; names file and line.
    """
    for line in lines_of(path)[heads:]:
        fields = line.split(None, count - 1)
        if len(fields) != count:
            raise ValueError(f"{path}: {line!r} should have {count} fields.")
        yield fields


class Pictures:
    """The pictures in PLACE, by the names that a dataset's lists give them.

    A name that is not there is listed all the same, without a stamp: its bytes are asked for, and
    the answer is the `OSError` that says so, while the others come.

    Args:
        place: a folder, a prefix, a zip or a tar that is not packed.
        folder: what stands before each name in an archive, with a slash at its end.
    """

    def __init__(self, place: str, folder: str = "") -> None:
        self.place, self.folder = place, folder
        self._members: dict[str, tuple[str, int]] | None = None

    def batches(
        self, names: Sequence[str], columns: Mapping[str, Sequence[Any] | pa.Array]
    ) -> Iterator[pa.RecordBatch]:
        """NAMES as rows of a listing, with COLUMNS as long; the keys are the names, if not told.

        Raises:
            ValueError: the archive is cut, damaged or none; names it.
        """
        for start in range(0, len(names), ROWS):
            part = slice(start, start + ROWS)
            said = {name: column[part] for name, column in columns.items()}
            yield listing_batch(
                len(names[part]), {"key": names[part], **said, **self._located(names[part])}
            )

    def _located(self, names: Sequence[str]) -> dict[str, list[Any]]:
        """Uri and stamp of each of NAMES."""
        if not self.place.endswith(ARCHIVES):
            uris = [f"{self.place}/{name}" for name in names]
            stamps = stamps_of(uris)
        else:
            members = self._listed()
            whole = stamp_of(self.place)
            found = [members.get(self.folder + name) for name in names]
            uris = [
                one[0] if one else f"{self.place}::{self.folder}{name}"
                for name, one in zip(names, found, strict=True)
            ]
            stamps = [whole._replace(size=one[1]) if one else NOTHING for one in found]
        return {
            "uri": uris,
            "size": [one.size for one in stamps],
            "mtime": [one.mtime for one in stamps],
            "etag": [one.etag for one in stamps],
        }

    def _listed(self) -> dict[str, tuple[str, int]]:
        if self._members is None:
            self._members = {
                entry.name.removeprefix("./"): (entry.uri, entry.size)
                for entry in entries(self.place)
            }
        return self._members


def runs_in(place: str, folder: str, extensions: frozenset[str]) -> Iterator[Run]:
    """The files of PLACE below FOLDER that end in one of EXTENSIONS, in the order of their keys.

    PLACE is a folder, a prefix or an archive; a key is the path below FOLDER. Of an archive all
    names are held.

    Raises:
        FileNotFoundError: the folder is not there, or the archive has nothing of it.
        ValueError: the archive is cut, damaged or none, or has a file twice; names it.
    """
    if not place.endswith(ARCHIVES):
        yield from files_under(f"{place}/{folder}".rstrip("/"), extensions, "all")
        return
    whole = stamp_of(place)
    found: dict[str, Entry] = {}
    for entry in entries(place):
        name = entry.name.removeprefix("./")
        key = name.removeprefix(folder)
        if not name.startswith(folder) or not is_image(key.rpartition("/")[2], extensions):
            continue
        if key in found:
            raise ValueError(f"{place} holds {name!r} twice: which of the two counts?")
        found[key] = entry
    if not found:
        raise FileNotFoundError(f"{place} holds no picture in {folder or 'it'}.")
    run = Run("")
    for key in sorted(found):
        run.add(key, found[key].uri, found[key].size, whole.mtime, whole.etag)
    yield run


def run_batch(
    run: Run, keys: Sequence[str], columns: Mapping[str, Sequence[Any] | pa.Array]
) -> pa.RecordBatch:
    """The files of RUN as rows of a listing, under KEYS, with COLUMNS as long."""
    located = {"uri": run.uris, "size": run.sizes, "mtime": run.mtimes, "etag": run.etags}
    return listing_batch(len(keys), {"key": keys, **located, **columns})
