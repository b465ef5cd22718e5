"""The idx format: every kind of number, packed or not, and files that are not what they say."""

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from data.adapters.idx import KINDS, load_idx

ARRAYS = st.sampled_from(sorted(KINDS.values())).flatmap(
    lambda kind: arrays(np.dtype(kind), array_shapes(max_dims=3, min_side=0, max_side=5))
)


def idx(array: "np.ndarray[Any, np.dtype[Any]]") -> bytes:
    """ARRAY as the publisher of MNIST writes one."""
    kind = next(byte for byte, name in KINDS.items() if np.dtype(name) == array.dtype)
    head = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    return head + array.tobytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("idx") / "a-idx"


@given(array=ARRAYS, packed=st.booleans())
def test_an_array_is_read_as_it_was_written(
    place: Path, array: "np.ndarray[Any, np.dtype[Any]]", packed: bool
) -> None:
    place.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    found = load_idx(str(place))
    assert (found.shape, found.dtype) == (array.shape, array.dtype)
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is cut: 0 bytes where 4"),
        (b"\0\0\x08\x02\0\0\0\x01", "is cut: 4 bytes where 8"),
        (b"\0\0\x08\x01\0\0\0\x03ab", "is cut: 2 bytes where 3"),
        (b"\0\0\x08\x01\xff\xff\xff\xffab", "is cut: 2 bytes where 4294967295"),
        (b"\0\0\x08\x01\0\0\0\x01ab", "goes on after"),
        (b"\0\0\x07\x01\0\0\0\x01a", "no idx file"),
        (b"\0\0\x08\0a", "no idx file"),
        (b"\x89PNG\r\n", "no idx file"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_named(
    tmp_path: Path, content: bytes, said: str, packed: bool
) -> None:
    path = tmp_path / "a-idx"
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(ValueError, match=rf"{path}.*{said}"):
        load_idx(str(path))


def test_a_packed_file_that_is_cut_or_damaged_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a-idx.gz"
    whole = gzip.compress(idx(np.arange(200, dtype=np.uint8)))
    for cut in range(2, len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=r"a-idx\.gz"):
            load_idx(str(path))
    refused = 0
    for at in range(10, len(whole) - 8):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        try:
            found = load_idx(str(path))
        except ValueError:
            refused += 1
        else:
            assert np.array_equal(found, np.arange(200)), "a bit that means nothing may be flipped"
    assert refused > 200


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_idx("/nowhere/a-idx")
