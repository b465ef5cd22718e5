"""Made-up rows and how far apart they are, by loops: what the tests of search share."""

from typing import Any

import numpy as np

from models.aggregation.rows import EMPTY

Array = np.ndarray[Any, np.dtype[Any]]
Words = dict[int, tuple[int, int]]


def pictures(n: int) -> dict[str, tuple[str, str, str]]:
    """N pictures of three classes, for `World.write`."""
    return {f"{i:03d}": (f"content {i}", f"class {i % 3}", "live") for i in range(n)}


def words_of(row: Array) -> Words:
    """The two values of each visual word of a row."""
    slots = row[1:].reshape(-1, 3).tolist()
    return {word: (one, other) for word, one, other in slots if word != EMPTY}


def kernel(one: Words, other: Words) -> float:
    """The selective match kernel of two images, normalised, as the paper writes it."""
    total = 0.0
    for word in one.keys() & other.keys():
        bits = sum((x ^ y).bit_count() for x, y in zip(one[word], other[word], strict=True))
        u = (32 - 2 * bits) / 32
        total += u**3 if u > 0 else 0.0
    return float(total / (len(one) * len(other)) ** 0.5)


def apart(one: Array, other: Array) -> float:
    """How far apart two rows of a `World` are, by the definition of their metric."""
    if one.dtype == np.uint8:
        return float(np.unpackbits((one ^ other).astype(np.uint8)).sum())
    if one.dtype == np.uint16:
        return 1 - kernel(words_of(one), words_of(other))
    cosine = one.astype(float) @ other.astype(float)
    return float(
        1 - cosine / np.linalg.norm(one.astype(float)) / np.linalg.norm(other.astype(float))
    )


def similar(one: Array, other: Array) -> float:
    """How like they are, from -1 or 0 to 1."""
    far = apart(one, other)
    return 1 - far / (4 * len(one)) if one.dtype == np.uint8 else 1 - far
