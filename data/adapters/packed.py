"""Files packed as a whole, tars (``.tgz``) and tables (``.tsv.gz``): read from the start on.

A uri is ``PATH#OFFSET,LENGTH``, counted in what PATH unpacks to. In their order all ranges of a
file together cost a thread one pass, in however many calls: it is remembered how far the file was
unpacked, and the nearest place behind is where the next range goes on. Going back further than
that begins anew. Nothing is unpacked to a disk, and no file stays open.
"""

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import IO, Any, Final, cast

from data.adapters.archives import Entry
from data.adapters.forward import Readers
from data.adapters.headers import DamagedTar, headers
from data.adapters.reading import place_of, read_uri, read_uris
from data.adapters.stamps import Stamp, stamp_of

PIECE: Final = 1 << 20
"""Bytes that are read, or unpacked and thrown away, at once."""

BROKEN: Final = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
"""What a packed file that is cut or damaged raises."""

_FORMS: Final[Mapping[str, Callable[[IO[bytes]], Any]]] = {
    ".gz": lambda packed: gzip.GzipFile(fileobj=packed),
    ".tgz": lambda packed: gzip.GzipFile(fileobj=packed),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}


def is_packed(path: str) -> bool:
    """Whether the file at PATH is, by its name, packed as a whole."""
    return path.lower().endswith(tuple(_FORMS))


def packed_entries(archive: str) -> Iterator[Entry]:
    """The regular files in the packed tar ARCHIVE in its order; all of it is unpacked on the way.

    Raises:
        FileNotFoundError: it is not there.
        DamagedTar: it is cut or damaged, after its last whole member; or no packed tar.
    """
    count = 0
    try:
        # how long it is when unpacked is not known; where it ends too soon its packing says so
        for member in headers(_unpacked(archive, stamp_of(archive).size), sys.maxsize, archive):
            count += 1
            yield Entry(member.name, f"{archive}#{member.offset},{member.length}", member.length)
    except (DamagedTar, *BROKEN) as error:
        raise DamagedTar(
            f"{archive} is cut, damaged or no packed tar: {count:,} files could be told. Get it "
            "again."
        ) from error


def read_packed(uris: Sequence[str]) -> Iterator[bytes | OSError]:
    """The bytes of each of URIS, in their order, or the `OSError` that kept them away.

    Those that are no ranges of packed files are read as ever.
    """
    for path, group in groupby(uris, _packed_file):
        some = list(group)
        yield from _ranges(path, some) if path else read_uris(some)


def _packed_file(uri: str) -> str:
    """The packed file that URI is a range of; empty where it is none."""
    place = place_of(uri)
    return place.path if place.length is not None and is_packed(place.path) else ""


def _ranges(path: str, uris: Sequence[str]) -> Iterator[bytes | OSError]:
    try:
        stamped = stamp_of(path)
    except OSError as error:
        yield from [error] * len(uris)
        return
    for uri in uris:
        place = place_of(uri)
        try:
            with _PLACES.before(
                (path, stamped), place.offset, partial(_Unpacking, path, stamped)
            ) as unpacking:
                content = unpacking.range(place.offset, place.length or 0)
        except OSError as error:
            yield error
            continue
        if len(content) == place.length:
            yield content
        else:
            yield OSError(f"{uri}: the file is cut or damaged, or is no longer the one listed.")


class _Unpacking:
    """The file at PATH as it was when STAMPED, and how far it has been unpacked."""

    def __init__(self, path: str, stamped: Stamp) -> None:
        self.stream = _unpacked(path, stamped.size)
        self.at = 0
        self.broken = False

    def range(self, offset: int, length: int) -> bytes:
        """LENGTH bytes from OFFSET on; fewer where it ends or is damaged, then none behind it."""
        if self.broken:
            return b""
        try:
            while self.at < offset and self._take(min(PIECE, offset - self.at)):
                pass
            return self._take(length) if self.at == offset else b""
        except BROKEN:
            self.broken, self.at = True, offset + length
            return b""

    def _take(self, count: int) -> bytes:
        content = self.stream.read(count)
        self.at += len(content)
        return content


_PLACES: Final = Readers[_Unpacking]()
"""Where packed files were left; 1.2 MB each, more of xz."""


def _unpacked(path: str, size: int) -> IO[bytes]:
    """The packed file at PATH, of SIZE bytes, to read as it unpacks."""
    form = next(form for suffix, form in _FORMS.items() if path.lower().endswith(suffix))
    return cast(IO[bytes], form(cast(IO[bytes], io.BufferedReader(_Pieces(path, size), PIECE))))


class _Pieces(io.RawIOBase):
    """The SIZE bytes of the file PATH, asked for piece by piece."""

    def __init__(self, path: str, size: int) -> None:
        self.path, self.size, self.at = path, size, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes, though nobody goes back."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to OFFSET, from start, here or end."""
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        return self.at

    def readinto(self, buffer: Any) -> int:
        """Fill BUFFER with what comes next; how many bytes that were."""
        content = read_uri(f"{self.path}#{self.at},{min(len(buffer), self.size - self.at)}")
        if isinstance(content, OSError):
            raise content
        buffer[: len(content)] = content
        self.at += len(content)
        return len(content)
