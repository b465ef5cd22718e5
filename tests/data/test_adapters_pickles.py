"""Pickles of datasets give arrays and run nothing, whatever they ask for."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from data.adapters.pickles import PickleRefused, load_arrays

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class Call:
    """Pickles as a call of FUNCTION, which an ordinary unpickler makes."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> tuple[object, ...]:
        return self.reduced


@given(arrays(np.uint8, array_shapes(max_dims=3)), st.sampled_from([0, 1, 2, 3, 4]))
def test_arrays_of_bytes_come_back_as_they_were(pixels: Pixels, protocol: int) -> None:
    content = pickle.dumps({"data": pixels, b"fortran": np.asfortranarray(pixels)}, protocol)
    loaded = load_arrays(content, "p")
    values = list(loaded.values())
    assert all(np.array_equal(value, pixels) for value in values)
    assert all(value.shape == pixels.shape and value.dtype == np.uint8 for value in values)


def test_texts_of_python_2_come_as_bytes() -> None:
    content = b"\x80\x02}(U\x06labels](K\x06K\x09eU\x04nameU\x03\xe9\xff\x00u."
    assert load_arrays(content, "p") == {b"labels": [6, 9], b"name": b"\xe9\xff\x00"}


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_that_runs_code_is_refused_and_named(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "it ran"
    content = pickle.dumps({b"data": Call(exec, f"open({str(mark)!r}, 'w').close()")}, protocol)
    pickle.loads(content)
    assert mark.exists(), "the attack is real: an ordinary unpickler runs it"
    mark.unlink()
    with pytest.raises(PickleRefused, match=r"batch_1: refused: it asks for .*exec"):
        load_arrays(content, "batch_1")
    with pytest.raises(pickle.UnpicklingError):
        load_arrays(content, "batch_1")
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.",
        b"cbuiltins\ngetattr\n.",
        b"Pouter\n.",
        b"\x82\x01.",
    ],
)
def test_any_name_that_no_array_needs_is_refused(content: bytes) -> None:
    with pytest.raises(PickleRefused):
        load_arrays(content, "p")


@pytest.mark.parametrize(
    "content",
    [
        b"(dS'a'\ncnumpy\nndarray\ns.",  # a stand-in where data should be
        b"cnumpy\nndarray\n(K\x01tR.",
        b"cnumpy\nndarray\n)\x81}b.",
        b"cnumpy\ndtype\n}(S'__setstate__'\nK\x01ub.",  # a state set on the class itself
        b"cnumpy\ndtype\nN}(S'x'\nK\x01u\x86b.",
        b"c_codecs\nencode\n(VA\nS'rot13'\ntR.",
        b"c_codecs\nencode\nN}(S'x'\nK\x01u\x86b.",
    ],
)
def test_the_stand_ins_hold_bytes_and_do_nothing_else(content: bytes) -> None:
    with pytest.raises(PickleRefused):
        load_arrays(content, "p")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(3, np.float32),
        np.array([{"a": 1}], dtype=object),
        np.zeros(2, [("a", "u1")]),
        np.array(["text"]),
    ],
)
def test_arrays_of_anything_but_bytes_are_refused(array: Any) -> None:
    with pytest.raises(PickleRefused):
        load_arrays(pickle.dumps({b"data": array}, 2), "p")


def test_an_array_whose_bytes_do_not_fill_its_shape_is_refused() -> None:
    content = pickle.dumps({b"data": np.zeros((2, 3), np.uint8)}, 2)
    assert load_arrays(content, "p")[b"data"].shape == (2, 3)
    with pytest.raises(PickleRefused, match=r"shape \(2, 4\) with 6 bytes"):
        load_arrays(content.replace(b"K\x02K\x03", b"K\x02K\x04"), "p")


GOOD = pickle.dumps({b"data": np.arange(12, dtype=np.uint8).reshape(3, 4), b"labels": [1, 2]}, 2)


@settings(max_examples=300)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=4))
def test_damage_is_refused_or_gives_data_but_never_another_error(at: int, noise: bytes) -> None:
    broken = GOOD[:at] + noise + GOOD[at + len(noise) :]
    try:
        loaded = load_arrays(broken, "p")
    except PickleRefused:
        return
    assert isinstance(loaded, dict)


@pytest.mark.parametrize("memo", [b"r\x00\x00\x00\x02", b"p33554432\n"])
def test_a_memo_that_would_take_half_a_gigabyte_is_refused(memo: bytes) -> None:
    assert load_arrays(b"\x80\x02}r\x04\x00\x00\x00.", "p") == {}
    with pytest.raises(PickleRefused, match=r"p is damaged.*memo 33554432"):
        load_arrays(b"\x80\x02}" + memo + b".", "p")


@given(st.integers(0, len(GOOD) - 1))
def test_a_cut_pickle_is_refused(cut: int) -> None:
    with pytest.raises(PickleRefused, match="p is damaged"):
        load_arrays(GOOD[:cut], "p")


def test_a_pickle_of_something_else_than_a_dict_is_refused() -> None:
    with pytest.raises(PickleRefused, match="p: it holds a list, not a dict"):
        load_arrays(pickle.dumps([1]), "p")
