"""Learned codes are found by the digest of a picture, and only as they were written."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.learned_codes import LearnedCodes, digest_of

WIDTH = 2


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@given(
    st.lists(st.integers(0, 40), unique=True, max_size=20),
    st.lists(st.integers(0, 40), max_size=20),
)
def test_what_is_written_is_read_and_found(held: list[int], asked: list[int]) -> None:
    rows = np.array([[n, 255 - n] for n in held], np.uint8).reshape(-1, WIDTH)
    content = LearnedCodes.of([digest(n) for n in held], rows).written()
    backwards = LearnedCodes.of([digest(n) for n in held[::-1]], rows[::-1])
    assert backwards.written() == content
    codes = LearnedCodes.read(content, digest_of(content), WIDTH)
    assert len(codes) == len(held)
    names = [digest(n) for n in asked]
    assert codes.known(names).tolist() == [n in held for n in asked]
    made = np.full((len(asked), WIDTH), 7, np.uint8)
    wanted = [[n, 255 - n] if n in held else [7, 7] for n in asked]
    assert codes.over(names, made).tolist() == wanted
    assert (made == 7).all()


def test_other_bytes_than_the_encoder_names_are_no_codes_of_it() -> None:
    content = LearnedCodes.of([digest(1)], np.array([[1, 2]], np.uint8)).written()
    with pytest.raises(ValueError, match=r"have bytes whose digest is \w+: they are damaged"):
        LearnedCodes.read(content + b"\0", digest_of(content), WIDTH)
    with pytest.raises(ValueError, match="Learned codes are"):
        LearnedCodes.read(content, digest_of(content), 3)
