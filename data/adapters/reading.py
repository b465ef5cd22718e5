"""Image bytes by uri; an error is an answer too.

A uri is a path or a URL, ``#OFFSET,LENGTH`` of either for a range of it, or
``ARCHIVE.zip::NAME#HEADER,PACKED`` for a member of a zip.
"""

import os
import re
import stat
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

import fsspec

from data.adapters.zips import LOCAL, SLACK, needed, unzipped

T = TypeVar("T")
R = TypeVar("R")

THREADS: Final = 16
"""Requests in flight to a remote store: enough to hide its latency, few enough for any."""

_RANGE: Final = re.compile(r"#(\d+),(\d+)$")
_MEMBER: Final = re.compile(r"(.+?\.(?:zip|tar|tgz|tar\.(?:gz|bz2|xz)))::(.+)", re.I | re.S)


class Place(NamedTuple):
    """Where bytes lie: a file and, within it, a range; LENGTH None means the whole file."""

    path: str
    offset: int = 0
    length: int | None = None

    @property
    def remote(self) -> bool:
        """Whether the file is reached by a URL."""
        return "://" in self.path and not self.path.startswith(("/", "file://"))


def place_of(uri: str) -> Place:
    """URI taken apart."""
    found = _RANGE.search(uri)
    if found is None:
        return Place(uri)
    return Place(uri[: found.start()], int(found[1]), int(found[2]))


def member_of(path: str) -> tuple[str, str]:
    """``ARCHIVE::NAME`` taken apart; an empty name where PATH is not in an archive."""
    found = _MEMBER.fullmatch(path)
    return (found[1], found[2]) if found else (path, "")


def local_path(path: str) -> str:
    """PATH, or the path that a ``file://`` URL stands for, whatever bytes its name is made of."""
    if not path.startswith("file://"):
        return path
    return os.fsdecode(unquote_to_bytes(path.removeprefix("file://")))


def read_uris(uris: Sequence[str]) -> Iterator[bytes | OSError]:
    """The bytes of each of URIS, in their order, or the `OSError` that kept them away.

    Local files are read one after the other; of remote ones, `THREADS` at a time.

    Raises:
        ValueError: a URL of a kind that no installed filesystem serves.
        ImportError: the filesystem of a URL needs a package that is not installed; names it.
    """
    if any(place_of(uri).remote for uri in uris):
        return overlapped(read_uri, uris)
    return map(read_uri, uris)


def read_uri(uri: str) -> bytes | OSError:
    """The bytes of URI, or the `OSError` that kept them away."""
    place = place_of(uri)
    archive, member = member_of(place.path)
    try:
        if member and place.length is not None:
            return _zipped(Place(archive, place.offset, place.length), member, uri)
        content = _content(place)
    except OSError as error:
        return error
    if place.length is not None and len(content) != place.length:
        return OSError(
            f"{uri} ends after {len(content)} bytes: the file was cut since it was listed."
        )
    return content


def overlapped(work: Callable[[T], R], items: Sequence[T], threads: int = THREADS) -> Iterator[R]:
    """WORK of each of ITEMS, in their order, by THREADS threads that run a bounded way ahead."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _zipped(place: Place, member: str, uri: str) -> bytes:
    """The file MEMBER, whose local header and packed bytes begin at PLACE of a zip."""
    packed = place.length or 0
    length = LOCAL + len(member.encode()) + SLACK + packed
    chunk = _content(place._replace(length=length))
    if len(chunk) == length < needed(chunk, packed):
        chunk = _content(place._replace(length=needed(chunk, packed)))
    try:
        return unzipped(chunk, packed, member)
    except OSError as error:
        raise OSError(f"{uri}: {error}") from error


def _content(place: Place) -> bytes:
    return _remote(place) if place.remote else _local(place)


def _local(place: Place) -> bytes:
    path = local_path(place.path)
    # a pipe put in a file's place would block an ordinary open for ever
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is not a regular file.")
        length = status.st_size - place.offset if place.length is None else place.length
        return _range(descriptor, place.offset, length)
    finally:
        os.close(descriptor)


def _range(descriptor: int, offset: int, length: int) -> bytes:
    content = os.pread(descriptor, length, offset)
    while len(content) < length and (
        more := os.pread(descriptor, length - len(content), offset + len(content))
    ):
        content += more
    return content


def _remote(place: Place) -> bytes:
    fs, path = fsspec.url_to_fs(place.path)
    if place.length == 0:
        return b""  # no range request says "nothing"
    end = None if place.length is None else place.offset + place.length
    start = None if place.length is None else place.offset
    try:
        content: bytes = fs.cat_file(path, start=start, end=end)
    except OSError:
        raise
    except Exception as error:
        # a store's client raises what it likes; to the night it is one picture that did not come
        raise OSError(f"{place.path}: {type(error).__name__}: {error}") from error
    return content
