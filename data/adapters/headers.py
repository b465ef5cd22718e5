"""The headers of a tar, one by one and without its contents, up to where it ends or is cut."""

import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final, NamedTuple

from data.adapters.names import legible

BLOCK: Final = tarfile.BLOCKSIZE
_END: Final = bytes(BLOCK)
_POSIX: Final = b"ustar\x0000"
_GNU: Final = b"ustar  \x00"


class DamagedTar(ValueError):
    """A tar that is cut, or not a tar from some offset on; names both."""


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in a tar: its name, which is never used as one, and where its bytes lie."""

    name: str
    offset: int
    length: int


class _Entry(NamedTuple):
    """What a header says: where it and the content lie, and whether that is a regular file's."""

    name: str
    offset: int
    start: int
    size: int
    regular: bool


def headers(stream: IO[bytes], length: int, tar: str) -> Iterator[Member]:
    """The regular members of the TAR of LENGTH bytes that STREAM (seekable) reads, in their order.

    Folders, links, devices and sparse files are passed over.

    Raises:
        DamagedTar: after the last whole member, where the tar does not end as a tar ends. Python's
            `tarfile` takes a cut between two members, or a broken header, for the end.
    """
    try:
        opened = tarfile.TarFile(fileobj=stream)
    except tarfile.TarError as error:
        hint = " It is compressed: unpack it, or no range of it can be read." * _packed(stream)
        raise DamagedTar(f"{tar} is no tar, or cut at its start: {error}.{hint}") from error
    with opened:
        before = -1
        try:
            for entry in _entries(opened, stream):
                if entry.offset <= before or not 0 <= entry.size <= length - entry.start:
                    raise DamagedTar(_cut(tar, entry.offset, length))
                before = entry.offset
                if entry.regular:
                    yield Member(legible(entry.name), entry.start, entry.size)
        except (tarfile.TarError, OverflowError) as error:
            raise DamagedTar(_cut(tar, opened.offset, length)) from error
        stream.seek(opened.offset)
        if stream.read(BLOCK) != _END:
            raise DamagedTar(_cut(tar, opened.offset, length))


def _entries(opened: tarfile.TarFile, stream: IO[bytes]) -> Iterator[_Entry]:
    """The entries of OPENED, which reads STREAM; it takes what is no plain header."""
    by_itself = True  # it has read the first already, to tell whether this is a tar
    while True:
        entry = None if by_itself else _plain(stream, opened.offset)
        if entry is not None:
            opened.offset = entry.start + entry.size + -entry.size % BLOCK
            yield entry
            continue
        found = opened.next()
        if found is None:
            return
        opened.members = []  # type: ignore[attr-defined]  # or it keeps all headers
        by_itself = bool(opened.pax_headers)  # they may say something of all that follows
        regular = found.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
        yield _Entry(found.name, found.offset, found.offset_data, found.size, regular)


def _plain(stream: IO[bytes], offset: int) -> _Entry | None:
    """What the header at OFFSET of STREAM says, if it is of the kind that nearly all are.

    That is a regular file of POSIX or GNU tar, whose name is ASCII and has no header of its own.
    """
    stream.seek(offset)
    block = stream.read(BLOCK)
    if len(block) < BLOCK or block[156:157] != tarfile.REGTYPE:
        return None
    magic, prefix = block[257:265], block[345:500].partition(b"\0")[0]
    if magic != _POSIX and (magic != _GNU or prefix):
        return None
    name = block[:100].partition(b"\0")[0]
    size, told = _octal(block[124:136]), _octal(block[148:156])
    if size < 0 or not (name.isascii() and prefix.isascii()):
        return None
    # low half of Adler-32: one and the sum of all bytes, modulo a prime; told counts as blanks
    summed = zlib.adler32(block[:148] + b" " * 8 + block[156:]) & 0xFFFF
    if summed != (told + 1) % 65521:
        return None
    path = (prefix + b"/" + name if prefix else name).decode("ascii")
    return _Entry(path, offset, offset + BLOCK, size, True)


def _octal(field: bytes) -> int:
    """The number that FIELD says in octal digits; -1 where it says something else."""
    digits = field.strip(b" \0")
    try:
        return int(digits, 8) if digits.isdigit() else -1
    except ValueError:  # an 8 or a 9
        return -1


def _cut(tar: str, offset: int, length: int) -> str:
    return (
        f"{tar} is cut or damaged at offset {offset} of {length}: what comes after is not known. "
        "Write the tar again, or set damaged: keep to go on without the rest of it."
    )


def _packed(stream: IO[bytes]) -> bool:
    stream.seek(0)
    return stream.read(6).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"))
