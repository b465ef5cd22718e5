"""Zips: members by the central directory, one member out of its bytes, and damage of every kind."""

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.adapters.zips import DamagedZip, ZipMember, needed, unzipped, zip_members

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/\\"), min_size=1)


def members(content: bytes) -> list[ZipMember]:
    return list(zip_members(io.BytesIO(content), len(content), "a.zip"))


def read(content: bytes, member: ZipMember) -> bytes:
    return unzipped(content[member.header :], member.packed, member.name)


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


class Pipe(io.BytesIO):
    """A file that a zip can only be streamed into: lengths and checksums come after each member."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError("a pipe")

    def tell(self) -> int:
        raise OSError("a pipe")


@given(
    files=st.dictionaries(NAMES, st.binary(max_size=200), max_size=5),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    before=st.binary(max_size=20),
)
def test_every_member_is_found_and_read(
    files: dict[str, bytes], method: int, before: bytes
) -> None:
    content = before + packed(files, method)
    found = members(content)
    assert {member.name: read(content, member) for member in found} == files
    assert [member.length for member in found] == [len(files[member.name]) for member in found]
    assert all(needed(content[one.header :], one.packed) >= one.packed for one in found)


def test_a_zip_that_was_streamed_is_read_and_checked() -> None:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", b"a picture" * 50)
    content = pipe.getvalue()
    (member,) = members(content)
    assert read(content, member) == b"a picture" * 50
    later = content.index(b"PK\x07\x08") + 4
    broken = content[:later] + b"\0\0\0\0" + content[later + 4 :]
    with pytest.raises(OSError, match="checksum"):
        read(broken, member)


def test_folders_are_passed_over_and_names_of_old_zips_are_text() -> None:
    content = packed({"images/": b"", "images/caf\xe9.jpg": b"1"})
    assert [member.name for member in members(content)] == ["images/café.jpg"]
    old = packed({"images/cafe.jpg": b"1"}).replace(b"cafe", b"caf\x82")
    (member,) = members(old)
    assert member.name == "images/café.jpg"
    assert read(old, member) == b"1"


def test_large_zips_say_lengths_in_64_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    files = {f"{number}.bin": bytes(20) + b"%d" % number for number in range(3)}
    content = packed(files, zipfile.ZIP_STORED)
    assert b"PK\x06\x06" in content
    assert {member.name: read(content, member) for member in members(content)} == files


def test_a_directory_longer_than_a_block_of_it_is_read_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"a/long/folder/for/a/picture/of/the/number/{number:08d}.jpg", b"x")
    with path.open("rb") as stream:
        tracemalloc.start()
        count = sum(1 for _ in zip_members(stream, path.stat().st_size, "many.zip"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 4 << 20, "zipfile holds 9 MB for these"


def test_a_zip_cut_anywhere_or_none_at_all_is_refused() -> None:
    whole = packed({"a.jpg": b"abc" * 30, "b.jpg": b"xyz"})
    for cut in range(len(whole)):
        with pytest.raises(DamagedZip, match=r"a\.zip"):
            members(whole[:cut])
    with pytest.raises(DamagedZip, match="no zip, or it is cut"):
        members(b"not a zip" * 1000)


@given(st.data())
def test_a_flipped_bit_never_gives_other_bytes(data: st.DataObject) -> None:
    files = {"a.jpg": b"abcdef" * 30, "b.jpg": b"xyz"}
    whole = bytearray(packed(files))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= 1 << data.draw(st.integers(0, 7))
    content = bytes(whole)
    try:
        found = {one.name: read(content, one) for one in members(content)}
    except (DamagedZip, OSError, struct.error):
        return
    assert all(files.get(name, bytes_) == bytes_ for name, bytes_ in found.items())


def test_what_cannot_be_undone_is_named() -> None:
    content = bytearray(packed({"secret.jpg": b"x"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DamagedZip, match=r"secret\.jpg' is encrypted"):
        members(bytes(content))

    lzma = packed({"small.jpg": b"x" * 100}, zipfile.ZIP_LZMA)
    with pytest.raises(DamagedZip, match=r"small\.jpg' is packed by method 14"):
        members(lzma)


def test_a_member_that_is_another_by_now_is_an_error() -> None:
    content = packed({"a.jpg": b"1", "b.jpg": b"2"})
    first, second = members(content)
    with pytest.raises(OSError, match="another member"):
        unzipped(content[second.header :], second.packed, "a.jpg")
    with pytest.raises(OSError, match="no member begins there"):
        unzipped(content[first.header + 1 :], first.packed, "a.jpg")
    with pytest.raises(OSError, match="ends after"):
        unzipped(content[first.header : first.header + 36], 1000, "a.jpg")
