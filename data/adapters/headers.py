"""The headers of a tar, one by one and without its contents, up to where it ends or is cut."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from data.adapters.names import legible

_END = bytes(tarfile.BLOCKSIZE)


class DamagedTar(ValueError):
    """A tar that is cut, or not a tar from some offset on; names both."""


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file in a tar: its name, which is never used as one, and where its bytes lie."""

    name: str
    offset: int
    length: int


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
            while (entry := opened.next()) is not None:
                opened.members = []  # type: ignore[attr-defined]  # or it keeps all headers
                if entry.offset <= before or not 0 <= entry.size <= length - entry.offset_data:
                    raise DamagedTar(_cut(tar, entry.offset, length))
                before = entry.offset
                if entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                    yield Member(legible(entry.name), entry.offset_data, entry.size)
        except (tarfile.TarError, OverflowError) as error:
            raise DamagedTar(_cut(tar, opened.offset, length)) from error
        stream.seek(opened.offset)
        if stream.read(len(_END)) != _END:
            raise DamagedTar(_cut(tar, opened.offset, length))


def _cut(tar: str, offset: int, length: int) -> str:
    return (
        f"{tar} is cut or damaged at offset {offset} of {length}: what comes after is not known. "
        "Write the tar again, or set damaged: keep to go on without the rest of it."
    )


def _packed(stream: IO[bytes]) -> bool:
    stream.seek(0)
    return stream.read(6).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"))
