"""Shards: immutable tars of encoded pictures, read by WebDataset; equal input makes equal bytes.

A member is named by what it holds, ``DIGEST.SUFFIX``, so nothing a source says ever becomes a path.
The archive is plain USTAR with every stamp at zero: no time, no owner, no extension headers.
"""

import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final

BLOCK: Final = tarfile.BLOCKSIZE
SUFFIXES: Final = frozenset(
    ("avif", "bmp", "gif", "heic", "jp2", "jpg", "pbm", "pgm", "png", "ppm", "tga", "tiff", "webp")
)
"""The endings a member may have: picture formats, in the one spelling `models.pixels` uses."""

_NAME: Final = re.compile(r"([0-9a-f]{64})\.([a-z0-9]+)")


class CorruptShard(ValueError):
    """A tar that is not what `ShardWriter` wrote: cut short, damaged, or somebody else's."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where the bytes of one picture lie within a tar: after its header, without its padding."""

    offset: int
    length: int


class ShardWriter:
    """Writes a tar member by member and holds none of them; the same members make the same bytes.

    Args:
        out: where the tar goes, from its current position on, which counts as offset 0; only
            ``write`` is called, so a socket or a bucket's upload will do. It is not closed.
    """

    def __init__(self, out: IO[bytes]) -> None:
        self.size = 0
        self._out = out
        self._digests: set[bytes] = set()
        self._closed = False

    def add(self, name: str, content: bytes) -> Span:
        """Append CONTENT as NAME; where its bytes lie.

        Raises:
            ValueError: NAME is not ``DIGEST.SUFFIX``, or its digest is in the tar already.
        """
        if self._closed:
            raise ValueError(f"{name} comes after the end of the shard: add before close().")
        digest = _digest_in(name)
        if digest in self._digests:
            raise ValueError(f"{name} is in this shard already: a digest is stored once.")
        self._digests.add(digest)
        self._write(_header(name, len(content)))
        span = Span(self.size, len(content))
        self._write(content)
        self._write(bytes(-len(content) % BLOCK))
        return span

    def close(self) -> None:
        """Write the end of the archive; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._write(bytes(2 * BLOCK))
            self._write(bytes(-self.size % tarfile.RECORDSIZE))

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self.size += len(data)


def pack(members: Iterable[tuple[str, bytes]], out: IO[bytes]) -> list[Span]:
    """Write (name, bytes) MEMBERS to OUT as one whole tar; where the bytes of each of them lie.

    Raises:
        ValueError: a name is not ``DIGEST.SUFFIX``, or comes twice.
    """
    writer = ShardWriter(out)
    spans = [writer.add(name, content) for name, content in members]
    writer.close()
    return spans


def members(tar: IO[bytes]) -> Iterator[tuple[str, Span, bytes]]:
    """The name, place and bytes of each picture of TAR, in order; reads forwards, extracts nothing.

    Raises:
        CorruptShard: TAR ends early, a header is damaged, or a member is no plain ``DIGEST.SUFFIX``
            file; says at which offset.
    """
    offset = 0
    while True:
        header = _exactly(tar, BLOCK, offset, "a header")
        if not any(header):
            _exactly(tar, BLOCK, offset + BLOCK, "the end of the archive")
            return
        info = _member(header, offset)
        span = Span(offset + BLOCK, info.size)
        padding = -info.size % BLOCK
        content = _exactly(tar, info.size + padding, span.offset, f"the bytes of {info.name}")
        yield info.name, span, content[: info.size]
        offset = span.offset + info.size + padding


def _header(name: str, length: int) -> bytes:
    """The USTAR header of a member: stamp, owner and group zero, readable and no more."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = length, 0o444
    return info.tobuf(tarfile.USTAR_FORMAT)


def _digest_in(name: str) -> bytes:
    """The digest that NAME begins with.

    Raises:
        ValueError: NAME is not ``DIGEST.SUFFIX``.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(
            f"{name!r} is no name for a shard's member: it must be DIGEST.SUFFIX, 64 hex digits."
        )
    if found[2] not in SUFFIXES:
        choices = ", ".join(sorted(SUFFIXES))
        raise ValueError(f"{name!r} has the unknown suffix {found[2]!r}: choose from {choices}.")
    return bytes.fromhex(found[1])


def _member(header: bytes, offset: int) -> tarfile.TarInfo:
    """What HEADER, a block that lies at OFFSET, says of its member."""
    try:
        info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
        _digest_in(info.name)
    except (tarfile.HeaderError, ValueError) as error:
        raise CorruptShard(f"No shard's member begins at offset {offset}: {error}") from error
    if not info.isreg():
        raise CorruptShard(f"{info.name} at offset {offset} is a link or folder, not a file.")
    return info


def _exactly(tar: IO[bytes], length: int, offset: int, what: str) -> bytes:
    """The next LENGTH bytes of TAR, which lie at OFFSET and hold WHAT."""
    data = tar.read(length)
    if len(data) < length:
        raise CorruptShard(
            f"The tar ends at offset {offset + len(data)}, within {what}, which begins at {offset} "
            f"and is {length} bytes long."
        )
    return data
