"""What is in a tar, in a tar within a tar, or in a zip, each member with the uri that reads it.

A tar's member is a range of the tar, ``PATH#OFFSET,LENGTH``; a tar within it is such a range too,
and so are its own members. A zip's member is ``PATH::NAME#HEADER,PACKED``. Nothing is unpacked.
"""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import fsspec

from data.adapters.headers import headers
from data.adapters.reading import local_path, member_of, place_of
from data.adapters.stamps import stamp
from data.adapters.zips import zip_members


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive: its name, which is never used as one, its uri and its bytes."""

    name: str
    uri: str
    size: int


def entries(archive: str) -> Iterator[Entry]:
    """The regular files in ARCHIVE, a zip or a tar, in its order; no content is read.

    ARCHIVE is a path or URL, or the uri of a tar that lies in a tar.

    Raises:
        FileNotFoundError: it is not there.
        DamagedTar: it is a tar that is cut or damaged, after its last whole member; or none.
        DamagedZip: the same of a zip.
    """
    place = place_of(archive)
    with _stream(place.path) as (stream, size):
        if place.path.lower().endswith(".zip"):
            for zipped in zip_members(stream, size, archive):
                uri = f"{place.path}::{zipped.name}#{zipped.header},{zipped.packed}"
                yield Entry(zipped.name, uri, zipped.length)
            return
        length = size - place.offset if place.length is None else place.length
        if place.length is not None:
            stream = io.BufferedReader(_Window(stream, place.offset, length))
        for member in headers(stream, length, archive):
            uri = f"{place.path}#{place.offset + member.offset},{member.length}"
            yield Entry(member.name, uri, member.length)


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """The file at PATH to read from its start: a table or truth beside the pictures.

    PATH is a path or URL, or ``ARCHIVE::NAME`` for a member of a zip or of a tar, packed or not. A
    name in .gz, .bz2 or .xz is unpacked on the way.

    Raises:
        FileNotFoundError: it is not there, or the archive holds no such member; names both.
        ValueError: the archive is none, or damaged.
    """
    archive, member = member_of(path)
    if not member:
        with fsspec.open(path, "rb", compression="infer") as plain:
            yield plain
        return
    with _stream(archive) as (stream, _):
        try:
            if archive.lower().endswith(".zip"):
                with zipfile.ZipFile(stream) as zipped, zipped.open(member) as content:
                    yield content
                return
            with tarfile.open(fileobj=stream, mode="r|*") as tar:
                yield _in_tar(tar, archive, member)
        except KeyError as error:
            raise FileNotFoundError(f"{archive} holds no {member}.") from error
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
            raise ValueError(f"{archive} is damaged, or no archive: {error}.") from error


def content_of(path: str) -> bytes:
    """All of the file at PATH, as `opened` understands it."""
    with opened(path) as stream:
        return stream.read()


def _in_tar(tar: tarfile.TarFile, archive: str, member: str) -> IO[bytes]:
    for entry in tar:
        if entry.name.removeprefix("./") == member and (found := tar.extractfile(entry)):
            return found
    raise FileNotFoundError(f"{archive} holds no {member}.")


@contextmanager
def _stream(path: str) -> Iterator[tuple[IO[bytes], int]]:
    """The file at PATH, seekable, and its length."""
    fs, file = fsspec.url_to_fs(local_path(path))
    size = stamp(fs.info(file)).size
    with fs.open(file, "rb") as stream:
        yield stream, size


class _Window(io.RawIOBase):
    """LENGTH bytes of STREAM from OFFSET on, as a file of their own."""

    def __init__(self, stream: IO[bytes], offset: int, length: int) -> None:
        self.stream, self.offset, self.length = stream, offset, length
        self.at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to OFFSET, from start, here or end."""
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.length}[whence]
        return self.at

    def readinto(self, buffer: Any) -> int:
        """Fill BUFFER with what comes next; how many bytes that were."""
        self.stream.seek(self.offset + self.at)
        content = self.stream.read(max(0, min(len(buffer), self.length - self.at)))
        buffer[: len(content)] = content
        self.at += len(content)
        return len(content)
