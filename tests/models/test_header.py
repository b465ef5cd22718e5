"""The header of a safetensors file: how long it is, what it says, and what is none."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.header import LONGEST_HEADER, START, header_of, length_of


def file(header: bytes, rest: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + rest


@given(st.dictionaries(st.text(), st.text()), st.binary(max_size=9))
def test_a_header_is_what_was_written_whatever_comes_behind(
    said: dict[str, str], rest: bytes
) -> None:
    content = file(json.dumps(said).encode(), rest)
    assert header_of(content) == said
    assert length_of(content[:START], len(content)) == len(content) - START - len(rest)


def test_a_header_ends_within_its_file() -> None:
    content = file(b'{"a": "b"}')
    assert header_of(content) == {"a": "b"}
    for missing in (1, 5, len(content) - START):
        with pytest.raises(ValueError, match="a safetensors header of 10 bytes is more than"):
            header_of(content[:-missing])


def test_a_header_is_no_longer_than_the_format_allows() -> None:
    assert length_of(struct.pack("<Q", LONGEST_HEADER), 2**40) == LONGEST_HEADER == 100_000_000
    with pytest.raises(ValueError, match="header of 100,000,001 bytes is more than there is"):
        length_of(struct.pack("<Q", LONGEST_HEADER + 1), 2**40)


@pytest.mark.parametrize(("start", "size"), [(b"", 0), (b"\0" * 7, 90), (b"\0" * 8, 7)])
def test_what_is_too_short_has_no_header(start: bytes, size: int) -> None:
    with pytest.raises(ValueError, match="too short for a safetensors header"):
        length_of(start, size)


@pytest.mark.parametrize("header", [b"[]", b"1", b'"words"', b"null"])
def test_a_header_is_an_object(header: bytes) -> None:
    with pytest.raises(ValueError, match="its safetensors header is no object"):
        header_of(file(header))


def test_a_header_that_is_nested_deeply_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        header_of(file(b"[" * 200_000))
