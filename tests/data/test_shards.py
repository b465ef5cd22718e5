"""Shards: equal input makes equal tars, WebDataset reads them, and damage is told."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
import webdataset
from hypothesis import given
from hypothesis import strategies as st

from data.shards import BLOCK, CorruptShard, ShardWriter, Span, members, pack

contents = st.lists(st.binary(max_size=3 * BLOCK), unique=True, max_size=8)


def named(content: bytes, suffix: str = "jpg") -> tuple[str, bytes]:
    return f"{hashlib.sha256(content).hexdigest()}.{suffix}", content


def packed(pictures: list[bytes]) -> tuple[bytes, list[Span]]:
    out = io.BytesIO()
    spans = pack(map(named, pictures), out)
    return out.getvalue(), spans


@given(contents)
def test_what_is_packed_is_read_back_from_the_places_that_pack_named(pictures: list[bytes]) -> None:
    tar, spans = packed(pictures)
    read = list(members(io.BytesIO(tar)))
    assert [(name, content) for name, _, content in read] == list(map(named, pictures))
    assert [span for _, span, _ in read] == spans
    assert [tar[span.offset : span.offset + span.length] for span in spans] == pictures


@given(contents)
def test_a_shard_is_byte_for_byte_what_tarfile_itself_writes(pictures: list[bytes]) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in map(named, pictures):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o444
            tar.addfile(info, io.BytesIO(content))
    assert packed(pictures)[0] == out.getvalue()


def test_members_carry_no_time_and_no_owner() -> None:
    with tarfile.open(fileobj=io.BytesIO(packed([b"one"])[0])) as tar:
        (info,) = tar.getmembers()
    assert (info.mtime, info.uid, info.gid, info.uname, info.gname) == (0, 0, 0, "", "")
    assert info.mode == 0o444


@pytest.mark.filterwarnings("ignore:Exception ignored in")  # webdataset leaves its file open
def test_webdataset_reads_the_raw_bytes_in_order(tmp_path: Path) -> None:
    pictures = [bytes([i]) * (i * 100) for i in range(1, 30)]
    path = tmp_path / "s.tar"
    path.write_bytes(packed(pictures)[0])
    samples = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [sample["jpg"] for sample in samples] == pictures
    assert [sample["__key__"] for sample in samples] == [named(p)[0][:64] for p in pictures]


def test_the_streaming_writer_needs_nothing_but_write_and_holds_no_picture() -> None:
    class Sink(io.RawIOBase):
        pieces: list[bytes] = []  # noqa: RUF012

        def write(self, data: object) -> int:
            self.pieces.append(bytes(data))  # type: ignore[call-overload]
            return len(self.pieces[-1])

    sink = Sink()
    writer = ShardWriter(sink)  # type: ignore[arg-type]
    spans = [writer.add(*named(content)) for content in (b"first", b"second" * 200)]
    assert sum(map(len, sink.pieces)) == writer.size
    writer.close()
    writer.close()
    assert (b"".join(sink.pieces), spans) == packed([b"first", b"second" * 200])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../../etc/passwd", "DIGEST.SUFFIX"),
        ("abc.jpg", "DIGEST.SUFFIX"),
        ("A" * 64 + ".jpg", "DIGEST.SUFFIX"),
        ("a" * 64 + ".b.jpg", "DIGEST.SUFFIX"),
        ("a" * 64 + ".jpg\n", "DIGEST.SUFFIX"),
        ("a" * 64, "DIGEST.SUFFIX"),
        ("a" * 64 + ".pickle", "choose from"),
    ],
)
def test_a_name_that_is_no_digest_with_a_known_suffix_is_refused(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ShardWriter(io.BytesIO()).add(name, b"")


def test_a_digest_is_stored_once() -> None:
    with pytest.raises(ValueError, match="stored once"):
        packed([b"same", b"same"])


def test_nothing_is_added_after_the_end() -> None:
    writer = ShardWriter(io.BytesIO())
    writer.close()
    with pytest.raises(ValueError, match="after the end"):
        writer.add(*named(b"late"))


@given(st.data())
def test_a_tar_cut_anywhere_before_its_end_is_told_with_the_offset(data: st.DataObject) -> None:
    tar, spans = packed([b"x" * 700, b"y" * 512, b""])
    end = spans[-1].offset + 2 * BLOCK
    cut = data.draw(st.integers(0, end - 1))
    with pytest.raises(CorruptShard, match=f"ends at offset {cut},"):
        list(members(io.BytesIO(tar[:cut])))


def test_pictures_before_the_cut_are_still_read() -> None:
    tar, spans = packed([b"whole", b"torn" * 300])
    reader = members(io.BytesIO(tar[: spans[1].offset + 10]))
    assert next(reader)[2] == b"whole"
    with pytest.raises(CorruptShard, match="within the bytes of"):
        next(reader)


def test_a_damaged_header_is_told_with_the_offset() -> None:
    tar, spans = packed([b"one", b"two"])
    at = spans[1].offset - BLOCK
    damaged = tar[:at] + b"\xff" + tar[at + 1 :]
    with pytest.raises(CorruptShard, match=f"begins at offset {at}"):
        list(members(io.BytesIO(damaged)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_a_link_or_folder_in_a_tar_is_refused_and_not_followed(kind: bytes) -> None:
    info = tarfile.TarInfo("a" * 64 + ".jpg")
    info.type, info.linkname = kind, "/etc/passwd"
    tar = info.tobuf(tarfile.USTAR_FORMAT) + bytes(2 * BLOCK)
    with pytest.raises(CorruptShard, match=r"not a file|No shard's member"):
        list(members(io.BytesIO(tar)))


def test_somebody_elses_names_are_refused() -> None:
    info = tarfile.TarInfo("../outside.jpg")
    tar = info.tobuf(tarfile.USTAR_FORMAT) + bytes(2 * BLOCK)
    with pytest.raises(CorruptShard, match="offset 0"):
        list(members(io.BytesIO(tar)))
