"""The members of a zip, by its central directory, and one of them out of the bytes around it.

Nothing is held of a directory but the member at hand, so that a zip of a million pictures costs no
more memory than one of ten. Formats: APPNOTE 6.3, with zip64; stored and deflated members.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

LOCAL: Final = 30
"""Bytes of a local header before its name."""

SLACK: Final = 512
"""Bytes that are read beyond a local header's fixed part and a member, for name and extra field."""

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_END64: Final = struct.Struct("<4sQ2H2I4Q")
_LOCATOR: Final = 20  # bytes between the zip64 end and the end
_STORED, _DEFLATED = 0, 8
_MOST: Final = 0xFFFFFFFF  # what says: see the zip64 extra field
_ENCRYPTED: Final = 1
_DESCRIBED_LATER: Final = 8
_UTF8: Final = 0x800


class DamagedZip(ValueError):
    """A zip that is cut, or that is none; names it."""


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A file in a zip: its name, which is never used as one, and where its bytes lie.

    Args:
        name: as the zip spells it, with forward slashes.
        header: where its local header begins.
        packed: bytes that it takes in the zip, without header.
        length: bytes of the file itself.
    """

    name: str
    header: int
    packed: int
    length: int


def zip_members(stream: IO[bytes], length: int, archive: str) -> Iterator[ZipMember]:
    """The files in ARCHIVE of LENGTH bytes that STREAM (seekable) reads, as its directory has them.

    Folders are passed over.

    Raises:
        DamagedZip: it is cut or no zip, or has a file that is encrypted or packed in a way that
            cannot be undone here.
    """
    offset, size, shift = _directory(stream, length, archive)
    end = offset + size
    while offset < end:
        stream.seek(offset)
        block = stream.read(min(1 << 20, end - offset))
        used = 0
        while len(block) - used >= _CENTRAL.size:
            member, step = _member(block[used : used + _CENTRAL.size + 3 * 0xFFFF], shift, archive)
            if step > len(block) - used:
                break
            used += step
            if not member.name.endswith("/"):
                yield member
        if not used:
            raise DamagedZip(f"{archive} is damaged: its directory breaks off at {offset}.")
        offset += used


def unzipped(chunk: bytes, packed: int, name: str) -> bytes:
    """The file whose local header begins CHUNK and that takes PACKED bytes after it.

    Raises:
        OSError: it is not the member NAME, is cut, or its checksum says that it is damaged.
    """
    if len(chunk) < LOCAL or not chunk.startswith(b"PK\x03\x04"):
        raise OSError("no member begins there: the zip was written anew since it was listed.")
    _, _, flags, method, _, _, check, _, _, named, extra = _LOCAL.unpack_from(chunk)
    start = LOCAL + named + extra
    if _text(chunk[LOCAL : LOCAL + named], flags) != name:
        raise OSError("another member is there: the zip was written anew since it was listed.")
    content = chunk[start : start + packed]
    if len(content) < packed:
        raise OSError(f"the zip ends after {len(content)} of its {packed} bytes.")
    if method == _DEFLATED:
        inflate = zlib.decompressobj(-15)
        try:
            content = inflate.decompress(content)
        except zlib.error as error:
            raise OSError(f"it is damaged: {error}.") from error
        if not inflate.eof:
            raise OSError("it is damaged: its packed bytes do not end.")
    elif method != _STORED:
        raise OSError(f"it is packed by method {method}, which cannot be undone here.")
    if flags & _DESCRIBED_LATER:
        later = chunk[start + packed : start + packed + 8].removeprefix(b"PK\x07\x08")
        check = int.from_bytes(later[:4], "little") if len(later) >= 4 else zlib.crc32(content)
    if zlib.crc32(content) != check:
        raise OSError("it is damaged: its checksum is not the one it was packed with.")
    return content


def needed(chunk: bytes, packed: int) -> int:
    """Bytes from its local header on that `unzipped` needs of a member whose header CHUNK holds."""
    named, extra = struct.unpack_from("<2H", chunk, 26) if len(chunk) >= LOCAL else (0, 0)
    return int(LOCAL + named + extra + packed + 8)


def _directory(stream: IO[bytes], length: int, archive: str) -> tuple[int, int, int]:
    """Where the central directory begins, its length, and what to add to its offsets."""
    tail = min(length, _END.size + 0xFFFF)
    stream.seek(length - tail)
    last = stream.read(tail)
    at = last.rfind(b"PK\x05\x06")
    if at < 0 or len(last) - at < _END.size:
        raise DamagedZip(
            f"{archive} is no zip, or it is cut: no directory stands at its end. Is it all there?"
        )
    *_, size, offset, _ = _END.unpack_from(last, at)
    end = length - tail + at
    stream.seek(max(0, end - _LOCATOR - _END64.size))
    found = stream.read(_LOCATOR + _END64.size)
    if found[_END64.size :].startswith(b"PK\x06\x07"):
        if not found.startswith(b"PK\x06\x06"):
            raise DamagedZip(f"{archive} is damaged: its zip64 directory is not where it says.")
        *_, size, offset = _END64.unpack_from(found)
        end -= _LOCATOR + _END64.size
    return _within(end, size, offset, archive)


def _within(end: int, size: int, offset: int, archive: str) -> tuple[int, int, int]:
    """The directory that stands before END; something put before the zip shifts all offsets."""
    if size > end or offset > end - size:
        raise DamagedZip(f"{archive} is cut or damaged: its directory is not where it says.")
    return end - size, size, end - size - offset


def _member(block: bytes, shift: int, archive: str) -> tuple[ZipMember, int]:
    """The member that the directory entry at the start of BLOCK stands for, and its length."""
    if not block.startswith(b"PK\x01\x02"):
        raise DamagedZip(f"{archive} is damaged: its directory holds something else.")
    fields = _CENTRAL.unpack_from(block)
    flags, method, packed, length = fields[3], fields[4], fields[8], fields[9]
    named, extra, comment, header = fields[10], fields[11], fields[12], fields[16]
    start = _CENTRAL.size + named
    name = _text(block[_CENTRAL.size : start], flags)
    if flags & _ENCRYPTED or method not in (_STORED, _DEFLATED):
        how = "encrypted" if flags & _ENCRYPTED else f"packed by method {method}"
        raise DamagedZip(f"{archive}: {name!r} is {how}, which cannot be undone here.")
    long = _zip64(block[start : start + extra])
    values = []
    for value in (length, packed, header):
        if value == _MOST:
            if len(long) < 8:
                raise DamagedZip(f"{archive}: {name!r} does not say how long it is.")
            value, long = int.from_bytes(long[:8], "little"), long[8:]
        values.append(value)
    length, packed, header = values
    return ZipMember(name, header + shift, packed, length), start + extra + comment


def _zip64(extra: bytes) -> bytes:
    """The zip64 part of an EXTRA field; empty where there is none."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == 1:
            return extra[4 : 4 + size]
        extra = extra[4 + size :]
    return b""


def _text(name: bytes, flags: int) -> str:
    """NAME as text; without the flag it is code page 437, and in practice often UTF-8 all the same.

    Names of Unix zips hold bytes in any encoding; a key needs the same text each time, no more.
    """
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("utf-8", "backslashreplace") if flags & _UTF8 else name.decode("cp437")
