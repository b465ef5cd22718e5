"""WebDataset tars: samples by their headers, what stands beside an image, and tars that are cut."""

import gzip
import io
import pickle
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.adapters import open_dataset
from data.adapters.headers import DamagedTar, headers
from data.adapters.tars import expanded
from data.sample import Sample


def pack(*members: tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def samples(root: Path | str, **options: str) -> list[Sample]:
    return list(open_dataset("tars", str(root), options).samples())


def put(path: Path, *members: tuple[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pack(*members))
    return path


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_images_are_read_where_they_lie_in_any_form_of_tar(tmp_path: Path, form: int) -> None:
    names = ["a.jpg", "folder/b.png", "l" * 90 + ".jpg", "empty.webp"]
    contents = [b"first", b"x" * 513, b"long", b""]
    path = tmp_path / "t.tar"
    path.write_bytes(pack(*zip(names, contents, strict=True), form=form))
    dataset = open_dataset("tars", str(path), {})
    found = list(dataset.samples())
    assert [one.key for one in found] == [f"t/{name.rpartition('.')[0]}" for name in names]
    assert [one.size for one in found] == [len(content) for content in contents]
    assert list(dataset.read([one.uri for one in found])) == contents
    with tarfile.open(path) as tar:
        assert [one.uri for one in found] == [
            f"{path}#{member.offset_data},{member.size}" for member in tar
        ]


def test_what_stands_beside_an_image_is_said_of_it(tmp_path: Path) -> None:
    json = b'{"label": 3, "tags": ["sea", 7], "captions": ["one", "two"], "split": "val", "x": {}}'
    path = put(
        tmp_path / "t.tar",
        ("0.cls", b"12\n"), ("0.jpg", b""), ("0.txt", "ein Bär".encode()),
        ("1.json", json), ("1.jpg", b""),
        ("2.jpg", b""), ("2.cls", b"cat"), ("2.seg.txt", b"not said of it"),
    )  # fmt: skip
    zero, one, two = samples(path)
    assert (zero.labels, zero.captions) == (("12",), ("ein Bär",))
    assert (one.labels, one.tags, one.captions) == (("3",), ("sea", "7"), ("one", "two"))
    assert one.split == "val"
    assert (two.labels, two.captions) == (("cat",), ())


def test_words_that_cannot_be_understood_are_counted_and_the_image_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = put(
        tmp_path / "t.tar",
        ("0.jpg", b""), ("0.json", b"{broken"),
        ("1.jpg", b""), ("1.json", b"[1]"),
        ("2.jpg", b""), ("2.json", b"[" * 100_000),
        ("3.jpg", b""), ("3.txt", b"\xff"),
        ("4.jpg", b""), ("4.cls", b"x" * ((1 << 20) + 1)),
        ("5.jpg", b""), ("5.json", b'{"label": "\\ud800", "tags": {"no": 1}}'),
    )  # fmt: skip
    found = samples(path)
    assert [one.key for one in found] == [f"t/{number}" for number in range(6)]
    assert [one.labels for one in found] == [(), (), (), (), (), ("?",)]
    assert "3 members passed over: json that cannot be understood" in caplog.text
    assert "1 members passed over: txt that cannot be understood" in caplog.text
    assert "1 members passed over: cls of more than" in caplog.text
    assert len(list(open_dataset("tars", str(path), {}).listing())) == 1


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_pickles_beside_an_image_are_never_opened(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "it ran"))
    suffixes = ("pyd", "pkl", "pickle", "pth", "pt")
    members = [(f"0.{suffix}", bomb) for suffix in suffixes]
    path = put(tmp_path / "t.tar", ("0.jpg", b"x"), *members)
    assert [one.key for one in samples(path)] == ["t/0"]
    assert not (tmp_path / "it ran").exists()
    assert "5 members passed over: pickles" in caplog.text


def test_a_member_is_never_a_name_on_disk(tmp_path: Path) -> None:
    path = put(tmp_path / "t.tar", ("../../out.jpg", b"1"), ("/etc/in.jpg", b"2"))
    dataset = open_dataset("tars", str(path), {})
    found = list(dataset.samples())
    assert [one.uri.rpartition("#")[0] for one in found] == [str(path)] * 2
    assert list(dataset.read([one.uri for one in found])) == [b"1", b"2"]
    assert [one.name for one in tmp_path.iterdir()] == ["t.tar"]


def test_only_regular_members_are_images(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind in (
            ("folder.jpg", tarfile.DIRTYPE), ("link.jpg", tarfile.SYMTYPE),
            ("hard.jpg", tarfile.LNKTYPE), ("pipe.jpg", tarfile.FIFOTYPE),
            ("real.jpg", tarfile.REGTYPE),
        ):  # fmt: skip
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "real.jpg"
            tar.addfile(member)
    (tmp_path / "t.tar").write_bytes(out.getvalue())
    assert [one.key for one in samples(tmp_path / "t.tar")] == ["t/real"]


def test_several_images_of_a_sample_keep_their_own_names(tmp_path: Path) -> None:
    path = put(
        tmp_path / "t.tar",
        ("0.jpg", b"1"), ("0.png", b"2"), ("0.left.jpg", b"3"), ("0.cls", b"c"),
    )  # fmt: skip
    found = samples(path)
    assert [(one.key, one.labels) for one in found] == [
        ("t/0", ("c",)), ("t/0.png", ("c",)), ("t/0.left", ("c",))
    ]  # fmt: skip
    assert [one.key for one in samples(path, extensions=["png"])] == ["t/0"]  # type: ignore[arg-type]


def test_a_name_that_is_in_a_tar_twice_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "t.tar", ("0.jpg", b"1"), ("1.jpg", b""), ("0.jpg", b"2"))
    with pytest.raises(ValueError, match=r"t\.tar holds '0\.jpg' twice"):
        samples(path)


@pytest.mark.parametrize(
    ("root", "keys"),
    [
        ("", ["a/t-0/0", "a/t-1/0", "b/t-0/0"]),
        ("a", ["t-0/0", "t-1/0"]),
        ("a/t-1.tar", ["t-1/0"]),
        ("{a,b}/t-{0..0}.tar", ["a/t-0/0", "b/t-0/0"]),
        ("a/t-{0..1}.tar", ["t-0/0", "t-1/0"]),
        ("*/t-0.tar", ["a/t-0/0", "b/t-0/0"]),
        ("a/t-[1-9].tar", ["t-1/0"]),
    ],
)
def test_a_root_is_a_tar_a_folder_or_a_pattern(tmp_path: Path, root: str, keys: list[str]) -> None:
    for name in ("a/t-0", "a/t-1", "b/t-0", ".hidden/t-0"):
        put(tmp_path / "tars" / f"{name}.tar", ("0.jpg", b""))
    (tmp_path / "tars" / "a" / "notes.txt").write_text("no tar")
    assert [one.key for one in samples(f"{tmp_path}/tars/{root}")] == keys


def test_a_pattern_without_a_tar_and_a_tar_that_is_missing_are_errors(tmp_path: Path) -> None:
    put(tmp_path / "t-0.tar", ("0.jpg", b""))
    with pytest.raises(FileNotFoundError, match="No tar at"):
        samples(tmp_path / "u-*.tar")
    with pytest.raises(FileNotFoundError, match=r"t-1\.tar"):
        samples(tmp_path / "t-{0..1}.tar")


def test_the_folder_over_a_tar_says_its_split(tmp_path: Path) -> None:
    put(tmp_path / "train" / "0.tar", ("0.jpg", b""))
    put(tmp_path / "more" / "1.tar", ("0.jpg", b""))
    assert {one.key: one.split for one in samples(tmp_path)} == {
        "train/0/0": "train", "more/1/0": ""
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a", ["a"]),
        ("{08..11}", ["08", "09", "10", "11"]),
        ("{9..11}", ["9", "10", "11"]),
        ("x{a,b}{1..2}y", ["xa1y", "xa2y", "xb1y", "xb2y"]),
        ("{a", ["{a"]),
    ],
)
def test_braces_are_written_out(pattern: str, words: list[str]) -> None:
    assert expanded(pattern) == words


WHOLE = pack(
    *((f"{number}.{kind}", b"c" * (number * 300)) for number in range(5) for kind in ("cls", "jpg"))
)
END = len(WHOLE.rstrip(b"\0")) // 512 * 512 + 512


@settings(max_examples=60)
@given(st.integers(0, len(WHOLE) - 1))
def test_a_cut_tar_gives_what_came_before_and_an_error_never_less_in_silence(cut: int) -> None:
    everything = list(headers(io.BytesIO(WHOLE), len(WHOLE), "t"))
    found = []
    damaged = False
    try:
        for member in headers(io.BytesIO(WHOLE[:cut]), cut, "t"):
            found.append(member)
    except DamagedTar:
        damaged = True
    assert found == everything[: len(found)]
    assert all(member.offset + member.length <= cut for member in found)
    assert damaged or found == everything
    whole = [one for one in everything if -(-(one.offset + one.length) // 512) * 512 <= cut]
    assert len(found) >= len(whole)


@settings(max_examples=100)
@given(st.integers(0, END), st.binary(min_size=1, max_size=600))
def test_a_damaged_tar_ends_in_an_error_or_an_end(at: int, noise: bytes) -> None:
    broken = WHOLE[:at] + noise + WHOLE[at + len(noise) :]
    try:
        found = list(headers(io.BytesIO(broken), len(broken), "t"))
    except DamagedTar:
        return
    assert all(0 <= one.offset <= one.offset + one.length <= len(broken) for one in found)


def test_a_cut_tar_stops_the_listing_or_not_as_the_recipe_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "0.tar").write_bytes(WHOLE[: END - 600])
    put(tmp_path / "1.tar", ("0.jpg", b""))
    with pytest.raises(DamagedTar, match=r"0\.tar is cut or damaged at offset \d+ of \d+"):
        samples(tmp_path)
    assert [one.key for one in samples(tmp_path, damaged="keep")] == [
        "0/0", "0/1", "0/2", "0/3", "1/0"
    ]  # fmt: skip
    assert "0.tar is cut" in caplog.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(WHOLE), "is compressed: unpack it"),
        (b"", "empty file"),
        (b"no tar at all" * 100, "is no tar"),
    ],
)
def test_a_file_that_is_no_tar_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "t.tar").write_bytes(content)
    with pytest.raises(DamagedTar, match=said):
        samples(tmp_path / "t.tar")


def test_an_empty_tar_holds_nothing(tmp_path: Path) -> None:
    assert samples(put(tmp_path / "t.tar")) == []
