"""Archives: members of tars, tars in tars and zips, with uris that read them; files in them."""

import bz2
import gzip
import io
import zipfile
from pathlib import Path

import fsspec
import pytest

from data.adapters.archives import Entry, content_of, entries, opened
from data.adapters.headers import DamagedTar
from data.adapters.reading import member_of, read_uri, read_uris
from data.adapters.stamps import stamp_of
from data.adapters.zips import DamagedZip
from tests.data.tarred import tarred

FILES = {"a/1.jpg": b"one" * 200, "a/2.jpg": b"", "b.txt": b"words\n"}


def zipped(files: dict[str, bytes], extra: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, (name, content) in enumerate(files.items()):
            member = zipfile.ZipInfo(name)
            member.compress_type = (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)[number % 2]
            member.extra = extra
            archive.writestr(member, content)
    return out.getvalue()


def read(found: list[Entry]) -> dict[str, bytes | OSError]:
    return dict(
        zip([one.name for one in found], read_uris([one.uri for one in found]), strict=True)
    )


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("name", ["x.tar", "x.zip"])
def test_members_are_listed_in_order_and_read_where_they_lie(
    tmp_path: Path, name: str, remote: bool
) -> None:
    archive = f"memory://{tmp_path.name}/{name}" if remote else str(tmp_path / name)
    with fsspec.open(archive, "wb") as out:
        out.write(zipped(FILES) if name.endswith("zip") else tarred(FILES))
    found = list(entries(archive))
    assert [(one.name, one.size) for one in found] == [
        (member, len(content)) for member, content in FILES.items()
    ]
    assert read(found) == FILES


def test_a_tar_in_a_tar_is_a_range_and_so_are_its_members(tmp_path: Path) -> None:
    path = tmp_path / "train.tar"
    inner = {f"n{number}.tar": tarred(FILES | {"own": b"%d" % number}) for number in range(3)}
    path.write_bytes(tarred(inner))
    for number, one in enumerate(entries(str(path))):
        assert read(list(entries(one.uri))) == FILES | {"own": b"%d" % number}
    (tmp_path / "cut.tar").write_bytes(tarred({"n0.tar": inner["n0.tar"][:700]}))
    (cut,) = entries(str(tmp_path / "cut.tar"))
    with pytest.raises(DamagedTar, match=r"cut\.tar#512,700 is cut"):
        list(entries(cut.uri))


def test_a_zip_with_long_extra_fields_takes_a_second_look(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zipped(FILES, extra=b"\xfe\xca\xd0\x07" + bytes(2000)))
    assert read(list(entries(str(path)))) == FILES


def test_a_zip_written_anew_answers_with_errors_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(zipped(FILES))
    found = list(entries(str(path)))
    path.write_bytes(zipped({"new.jpg": b"new"} | FILES))
    answers = read(found)
    assert all(isinstance(answer, OSError) for answer in answers.values())
    assert "written anew" in str(answers["a/1.jpg"])
    assert str(path) in str(answers["a/1.jpg"])
    path.unlink()
    assert isinstance(read_uri(found[0].uri), FileNotFoundError)


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    for name, error in (("x.tar", DamagedTar), ("x.zip", DamagedZip)):
        (tmp_path / name).write_bytes(b"<html>Sign in</html>" * 100)
        with pytest.raises(error, match=name):
            list(entries(str(tmp_path / name)))
        with pytest.raises(ValueError, match=name):
            content_of(f"{tmp_path / name}::a")
        with pytest.raises(FileNotFoundError, match="nowhere"):
            list(entries(f"/nowhere/{name}"))


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2"])
def test_a_file_in_an_archive_is_opened_by_its_name(tmp_path: Path, name: str) -> None:
    archive = tmp_path / name
    content = zipped(FILES) if name.endswith("zip") else tarred(FILES)
    if name.endswith("gz"):
        content = gzip.compress(content)
    elif name.endswith("bz2"):
        content = bz2.compress(content)
    archive.write_bytes(content)
    with opened(f"{archive}::a/1.jpg") as stream:
        assert stream.read(5) == b"oneon"
    assert content_of(f"{archive}::b.txt") == b"words\n"
    assert stamp_of(f"{archive}::b.txt").size == archive.stat().st_size
    with pytest.raises(FileNotFoundError, match=f"{name} holds no c.txt"):
        content_of(f"{archive}::c.txt")


def test_a_file_beside_the_pictures_is_unpacked_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a,b\n")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n"))
    assert content_of(str(tmp_path / "a.csv")) == content_of(str(tmp_path / "a.csv.gz")) == b"a,b\n"
    with pytest.raises(FileNotFoundError, match=r"b\.csv"):
        content_of(str(tmp_path / "b.csv"))


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("/x/a.zip::b/c.jpg", ("/x/a.zip", "b/c.jpg")),
        ("s3://x/a.ZIP::b::c", ("s3://x/a.ZIP", "b::c")),
        ("/x/a.tar.gz::b", ("/x/a.tar.gz", "b")),
        ("/x/a.tgz::b.zip::c", ("/x/a.tgz", "b.zip::c")),
        ("/x/a::b.jpg", ("/x/a::b.jpg", "")),
        ("/x/a.zip", ("/x/a.zip", "")),
        ("/x/a.zip::", ("/x/a.zip::", "")),
    ],
)
def test_a_member_is_told_from_its_archive(path: str, parts: tuple[str, str]) -> None:
    assert member_of(path) == parts
