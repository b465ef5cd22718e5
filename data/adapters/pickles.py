"""The arrays in a pickle of a dataset from the Python 2 days, with nothing of it executed.

A pickle is a program that may call any function it can name. Here the only names are four, and
what stands behind each is a class of this file that can do no more than hold bytes: not even
numpy's own constructors are reached.
"""

import io
import math
import pickle
import pickletools
import warnings
from typing import Any, Final, Literal

import numpy as np


class PickleRefused(pickle.UnpicklingError, ValueError):
    """A pickle that is damaged, or that asks for more than arrays of bytes; says what."""


_DAMAGE: Final = (
    EOFError, ValueError, TypeError, LookupError, AttributeError, MemoryError, RecursionError,
    OverflowError,
)  # fmt: skip
"""What Python's unpickler raises on bytes that are no pickle, beside its own error."""


def load_arrays(content: bytes, path: str) -> dict[Any, Any]:
    """The dict that CONTENT, the pickle at PATH, holds: bytes, numbers, lists and arrays of uint8.

    Texts of Python 2 come as bytes.

    Raises:
        PickleRefused: CONTENT is cut, is no pickle, or names anything but what an array of bytes
            needs; says what.
    """
    try:
        _refuse_far_memos(content)
        loaded = _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
        if not isinstance(loaded, dict):
            raise PickleRefused(f"it holds a {type(loaded).__name__}, not a dict of arrays.")
        return {key: _opened(value) for key, value in loaded.items()}
    except PickleRefused as error:
        raise PickleRefused(f"{path}: {error}") from error
    except (pickle.UnpicklingError, *_DAMAGE) as error:
        raise PickleRefused(f"{path} is damaged, or no pickle of arrays: {error}") from error


def _refuse_far_memos(content: bytes) -> None:
    """Nothing; the unpickler clears memory up to the highest memo, 64 GiB where a bit is flipped.

    Raises:
        ValueError: a memo has a higher number than CONTENT could have counted to, or CONTENT is no
            pickle at all.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # damaged texts have odd escapes
        for opcode, number, _ in pickletools.genops(content):
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and (number or 0) > len(content):
                raise ValueError(f"memo {number} in {len(content)} bytes.")


class _Inert:
    """What a pickle may build: something that remembers a state and refuses any other."""

    def __setstate__(self, state: object) -> None:
        raise PickleRefused(f"a state is set on {type(self).__name__}, which has none.")


class _NdarrayType(_Inert):
    """Stands for the class ``numpy.ndarray``: named by an array's pickle, never called."""

    def __init__(self, *_: object) -> None:
        raise PickleRefused("numpy.ndarray is called.")


class _Dtype(_Inert):
    """Stands for a dtype: only that of bytes, ``u1``."""

    def __init__(self, name: object, *_: object) -> None:
        if name not in ("u1", b"u1", "|u1", b"|u1"):
            raise PickleRefused(f"an array of {name!r}, where only bytes (u1) are expected.")

    def __setstate__(self, state: object) -> None:
        """Nothing: byte order and padding mean nothing for one byte."""


class _Array(_Inert):
    """Stands for an array that is being rebuilt: shape, order and bytes."""

    def __init__(self, *_: object) -> None:
        self.array: np.ndarray[Any, np.dtype[np.uint8]] | None = None

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise PickleRefused("an array's state is not (version, shape, dtype, order, bytes).")
        _, shape, dtype, fortran, content = state
        whole = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
        if not whole or not isinstance(dtype, _Dtype) or not isinstance(content, bytes):
            raise PickleRefused("an array's shape, dtype or bytes are of the wrong kind.")
        if math.prod(shape) != len(content):
            raise PickleRefused(f"an array of shape {shape} with {len(content)} bytes.")
        order: Literal["F", "C"] = "F" if fortran else "C"
        self.array = np.frombuffer(content, np.uint8).reshape(shape, order=order)


class _Latin1(_Inert):
    """Stands for ``_codecs.encode``, by which Python 3 writes bytes into an old pickle."""

    def __new__(cls, text: object, encoding: object) -> Any:
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            raise PickleRefused("_codecs.encode of something else than text in latin1.")
        return text.encode("latin1")


_KNOWN: Final = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _NdarrayType,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _Latin1,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The inert stand-in for MODULE.NAME, where an array needs it."""
        if (module, name) not in _KNOWN:
            raise PickleRefused(
                f"refused: it asks for {module}.{name}, which no array of bytes needs. "
                "Unpickling it could run any code; get the file from its publisher."
            )
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Never: an array refers to nothing outside its pickle."""
        raise PickleRefused("refused: it refers to an object outside itself.")


def _opened(value: object) -> object:
    if isinstance(value, _Array) and value.array is not None:
        return value.array
    if isinstance(value, _Inert | type):
        raise PickleRefused(f"{value!r} stands where data should.")
    return value
