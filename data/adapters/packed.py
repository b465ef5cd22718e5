"""Ranges of files that are packed as a whole, counted in what they unpack to; read in one go.

Such a file has no middle: whoever asks for its ranges in their order reads it once, and going back
begins anew. Nothing is written to the disk.
"""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import IO, Final

import fsspec

from data.adapters.archives import Entry, opened
from data.adapters.headers import DamagedTar, headers
from data.adapters.reading import place_of, read_uris

BROKEN: Final = (EOFError, zlib.error)
"""What a packed file that is cut or damaged raises, beside an `OSError`."""

_SUFFIXES: Final = (".gz", ".tgz", ".bz2", ".xz")
_ENDLESS: Final = 1 << 62


def is_packed(path: str) -> bool:
    """Whether no range of the file at PATH can be read by itself."""
    return path.lower().endswith(_SUFFIXES)


@contextmanager
def unpacked(path: str) -> Iterator[IO[bytes]]:
    """The file at PATH to read, unpacked on the way.

    Raises:
        FileNotFoundError: it is not there.
    """
    if path.lower().endswith(".tgz"):
        with fsspec.open(path, "rb", compression="gzip") as stream:
            yield stream
        return
    with opened(path) as stream:
        yield stream


def packed_entries(path: str) -> Iterator[Entry]:
    """The regular files in the packed tar at PATH, in its order; it is read through once.

    Raises:
        FileNotFoundError: it is not there.
        DamagedTar: it is cut or damaged, or none; names it.
    """
    try:
        with unpacked(path) as stream:
            for member in headers(stream, _ENDLESS, path):
                yield Entry(member.name, f"{path}#{member.offset},{member.length}", member.length)
    except BROKEN as error:
        raise DamagedTar(f"{path} is cut or damaged: {error}. Get it again.") from error


def read_ranges(uris: Sequence[str]) -> Iterator[bytes | OSError]:
    """The bytes of each of URIS, as `read_uris` gives them, also from packed files."""
    for path, group in groupby(uris, _packed_file):
        some = list(group)
        yield from _from_packed(path, some) if path else read_uris(some)


def _packed_file(uri: str) -> str:
    """The file that URI is a range of, where it is packed; else nothing."""
    path = place_of(uri).path
    return path if is_packed(path) else ""


def _from_packed(path: str, uris: Sequence[str]) -> Iterator[bytes | OSError]:
    answered = 0
    try:
        with unpacked(path) as stream:
            for uri in uris:
                place = place_of(uri)
                stream.seek(place.offset)
                content = stream.read(-1 if place.length is None else place.length)
                answered += 1
                whole = place.length in (None, len(content))
                yield content if whole else OSError(f"{uri}: the file ends before its end.")
    except OSError as error:
        yield from [error] * (len(uris) - answered)
    except BROKEN as error:
        yield from [OSError(f"{path} is cut or damaged: {error}.")] * (len(uris) - answered)
