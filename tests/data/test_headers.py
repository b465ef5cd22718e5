"""Headers of tars: what is read without `tarfile` is what `tarfile` says, whole and damaged."""

import io
import tarfile
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.adapters.headers import DamagedTar, Member, headers
from data.adapters.names import legible

FORMS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
KINDS = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE)
names = st.one_of(
    st.text("abc/._ é", min_size=1, max_size=12),
    st.text("ab/", min_size=90, max_size=240),
    st.just("folder/" * 14 + "a.jpg"),
)
members = st.lists(
    st.tuples(names, st.integers(0, 1500), st.sampled_from((tarfile.REGTYPE,) * 4 + KINDS)),
    max_size=8,
)


def written(some: Iterable[tuple[str, int, bytes]], form: int, said: dict[str, str]) -> bytes:
    """A tar of SOME members in FORM; what is SAID of all of them is a header of its own."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, pax_headers=said) as tar:
        for name, size, kind in some:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.size = size if kind in (tarfile.REGTYPE, tarfile.AREGTYPE) else 0
            try:
                tar.addfile(member, io.BytesIO(bytes(member.size)))
            except ValueError:
                continue  # a name that this form cannot hold
    return out.getvalue()


def by_tarfile(content: bytes) -> tuple[list[Member], bool]:
    """The regular members of CONTENT by `tarfile` alone, and whether it is damaged."""
    found: list[Member] = []
    stream = io.BytesIO(content)
    try:
        tar = tarfile.TarFile(fileobj=stream)
        before = -1
        while (entry := tar.next()) is not None:
            if entry.offset <= before or not 0 <= entry.size <= len(content) - entry.offset_data:
                return found, True
            before = entry.offset
            if entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
                found.append(Member(legible(entry.name), entry.offset_data, entry.size))
    except (tarfile.TarError, OverflowError):
        return found, True
    stream.seek(tar.offset)
    return found, stream.read(512) != bytes(512)


def by_us(content: bytes) -> tuple[list[Member], bool]:
    found: list[Member] = []
    try:
        for one in headers(io.BytesIO(content), len(content), "t"):
            found.append(one)
    except DamagedTar:
        return found, True
    return found, False


@settings(max_examples=150)
@given(members, st.sampled_from(FORMS), st.booleans())
def test_what_is_said_is_what_tarfile_says(
    some: list[tuple[str, int, bytes]], form: int, said: bool
) -> None:
    content = written(some, form, {"comment": "all of them"} if said else {})
    assert by_us(content) == by_tarfile(content)


@settings(max_examples=300)
@given(
    members.filter(bool),
    st.sampled_from(FORMS),
    st.integers(0, 6000),
    st.one_of(
        st.binary(min_size=1, max_size=600), st.sampled_from([b"8", b"\xff", b"-", b" ", b"_"])
    ),
    st.integers(0, 3000),
)
def test_a_damaged_tar_is_as_damaged_as_tarfile_finds_it(
    some: list[tuple[str, int, bytes]], form: int, at: int, noise: bytes, cut: int
) -> None:
    content = written(some, form, {})
    content = (content[:at] + noise + content[at + len(noise) :])[: len(content) - cut]
    assert by_us(content) == by_tarfile(content)


@pytest.mark.parametrize("form", FORMS)
def test_plain_headers_need_no_tarfile(form: int, monkeypatch: pytest.MonkeyPatch) -> None:
    some = [(f"{number}/{number:03d}.jpg", 700, tarfile.REGTYPE) for number in range(50)]
    content = written(some, form, {})
    expected, _ = by_tarfile(content)
    asked: list[int] = []
    next_of = tarfile.TarFile.next

    def counted(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
        asked.append(tar.offset)
        return next_of(tar)

    monkeypatch.setattr(tarfile.TarFile, "next", counted)
    assert list(headers(io.BytesIO(content), len(content), "t")) == expected
    assert len(asked) <= 3, "the first, which says that it is a tar, and the end"


def test_what_a_header_says_of_all_that_follow_is_heeded() -> None:
    some = [(f"{number}.jpg", 10, tarfile.REGTYPE) for number in range(3)]
    content = written(some, tarfile.PAX_FORMAT, {"path": "all.jpg"})
    assert [one.name for one in headers(io.BytesIO(content), len(content), "t")] == ["all.jpg"] * 3
