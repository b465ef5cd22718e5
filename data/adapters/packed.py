"""Pictures in a packed tar (``.tar.gz``), which can be read from its start on and in no other way.

A uri is ``ARCHIVE.tar.gz::NAME#OFFSET,LENGTH``, counted in the tar as it is unpacked. In the order
of the archive all pictures together cost a process one pass, for it remembers how far it has come;
going back begins anew. Nothing is unpacked to a disk, and no file stays open.
"""

import gzip
import io
import sys
import threading
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final, cast

from data.adapters.archives import Entry
from data.adapters.headers import DamagedTar, headers
from data.adapters.reading import Place, member_of, place_of, read_uri, read_uris
from data.adapters.stamps import Stamp, stamp_of

PIECE: Final = 1 << 20
"""Bytes that are read, or unpacked and thrown away, at once."""

SUFFIXES: Final = (".tar.gz", ".tgz")

_BROKEN: Final = (EOFError, zlib.error, gzip.BadGzipFile)


def packed_entries(archive: str) -> Iterator[Entry]:
    """The regular files in ARCHIVE in its order; all of it is unpacked on the way, none is kept.

    Raises:
        FileNotFoundError: it is not there.
        DamagedTar: it is cut or damaged, after its last whole member; or no packed tar.
    """
    count = 0
    try:
        # how long it is when unpacked is not known; where it ends too soon its packing says so
        for member in headers(_unpacked(archive, stamp_of(archive).size), sys.maxsize, archive):
            count += 1
            uri = f"{archive}::{member.name}#{member.offset},{member.length}"
            yield Entry(member.name, uri, member.length)
    except (DamagedTar, *_BROKEN) as error:
        raise DamagedTar(
            f"{archive} is cut, damaged or no packed tar: {count:,} files could be told. Get it "
            "again."
        ) from error


def read_packed(uris: Sequence[str]) -> Iterator[bytes | OSError]:
    """The bytes of each of URIS, in their order, or the `OSError` that kept them away.

    Those that are in no packed tar are read as ever.
    """
    if not any(_is_packed(place_of(uri)) for uri in uris):
        return read_uris(uris)
    return map(_read, uris)


def _is_packed(place: Place) -> bool:
    archive, member = member_of(place.path)
    return bool(member) and place.length is not None and archive.lower().endswith(SUFFIXES)


def _read(uri: str) -> bytes | OSError:
    place = place_of(uri)
    if not _is_packed(place):
        return read_uri(uri)
    archive, _ = member_of(place.path)
    try:
        content = _HELD.range(archive, stamp_of(archive), place.offset, place.length or 0)
    except OSError as error:
        return error
    if len(content) != place.length:
        return OSError(f"{uri}: the archive is cut or damaged, or is no longer the one listed.")
    return content


class _Held:
    """The archive that was read last, and how far it has been unpacked."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.of: tuple[str, Stamp] | None = None
        self.stream: IO[bytes] | None = None
        self.at = 0

    def range(self, archive: str, stamped: Stamp, offset: int, length: int) -> bytes:
        """LENGTH bytes from OFFSET on of ARCHIVE unpacked; fewer where it ends or is damaged."""
        with self.lock:
            if self.stream is None or self.of != (archive, stamped) or offset < self.at:
                self.of, self.at = (archive, stamped), 0
                self.stream = _unpacked(archive, stamped.size)
            try:
                while self.at < offset and self._take(min(PIECE, offset - self.at)):
                    pass
                return self._take(length) if self.at == offset else b""
            except _BROKEN:
                self.stream = None
                return b""

    def _take(self, count: int) -> bytes:
        content = self.stream.read(count) if self.stream else b""
        self.at += len(content)
        return content


_HELD: Final = _Held()


def _unpacked(archive: str, size: int) -> IO[bytes]:
    packed = io.BufferedReader(_Pieces(archive, size), PIECE)
    return cast(IO[bytes], gzip.GzipFile(fileobj=packed))


class _Pieces(io.RawIOBase):
    """The SIZE bytes of the file PATH, asked for piece by piece."""

    def __init__(self, path: str, size: int) -> None:
        self.path, self.size, self.at = path, size, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill BUFFER with what comes next; how many bytes that were."""
        content = read_uri(f"{self.path}#{self.at},{min(len(buffer), self.size - self.at)}")
        if isinstance(content, OSError):
            raise content
        buffer[: len(content)] = content
        self.at += len(content)
        return len(content)
