"""All ranks of a database, in blocks: what comes out is what plain NumPy gives for all at once."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data.relevance import Judged, Kind, Truth
from models.measures import measure
from tasks.measuring import depth as work
from tasks.measuring.depth import Rows, depth
from tasks.measuring.ranking import TOP

Array = np.ndarray[Any, np.dtype[Any]]
Q, N = 23, 150
CLASSES = 5


def judged(asked: list[int], held: list[int], own: bool = False) -> Judged:
    out = tuple((f"{n}",) if own else () for n in range(len(asked)))
    truth = Truth(Kind(), tuple((str(one),) for one in asked), out)
    keys = pa.array([str(n) for n in range(len(held))])
    return truth.among(keys, pa.array([[str(one)] for one in held]))


def brute(apart: Array, right: Array, may: Array) -> list[float]:
    """Average precision of each query over all ranks, without ties."""
    values = []
    for distances, hits, allowed in zip(apart, right, may, strict=True):
        order = np.argsort(distances[allowed], kind="stable")
        found = hits[allowed][order]
        ranks = np.flatnonzero(found) + 1
        values.append(float((np.arange(1, len(ranks) + 1) / ranks).mean()))
    return values


@pytest.mark.parametrize("pairs", [1, 4 * N, 10**6])
@pytest.mark.parametrize("own", [False, True])
def test_real_descriptors_are_ranked_to_the_last(
    pairs: int, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "PAIRS", pairs)
    monkeypatch.setattr(work, "LEVELS", 100)
    draw = np.random.default_rng(0)
    asked = draw.standard_normal((Q, 8)).astype(np.float32)
    held = draw.standard_normal((N, 8)).astype(np.float32)
    labels = draw.integers(0, CLASSES, Q + N)
    rows = Rows(N, 8, 0)
    for part in np.array_split(held, 3):
        rows.add(part)
    truth = judged(labels[:Q].tolist(), labels[Q:].tolist(), own)
    images = draw.integers(0, 2**60, N, dtype=np.uint64)
    found = depth(rows, images, asked, truth, [measure("map[all]"), measure("cmc@1")])
    unit = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (asked, held)]
    apart = 1 - unit[0] @ unit[1].T
    may = np.ones((Q, N), bool)
    if own:
        may[np.arange(Q), np.arange(Q)] = False
    right = labels[:Q, None] == labels[None, Q:]
    np.testing.assert_allclose(found.values["map[all]"], brute(apart, right, may), atol=1e-9)
    nearest: Array = np.argsort(np.where(may, apart, np.inf), axis=1)[:, :TOP]
    assert np.array_equal(found.answers, nearest)
    first = right[np.arange(Q), nearest[:, 0]]
    assert np.array_equal(found.values["cmc@1"], first.astype(float))


@pytest.mark.parametrize("bits", [8, 48, 64, 264])
def test_codes_are_counted_as_bits_differ(bits: int) -> None:
    draw = np.random.default_rng(bits)
    asked = draw.integers(0, 256, (Q, bits // 8), dtype=np.uint8)
    held = draw.integers(0, 256, (N, bits // 8), dtype=np.uint8)
    labels = draw.integers(0, CLASSES, Q + N)
    rows = Rows(N, bits // 8, bits)
    rows.add(held)
    images = draw.integers(0, 2**60, N, dtype=np.uint64)
    found = depth(
        rows, images, asked, judged(labels[:Q].tolist(), labels[Q:].tolist()), [measure("p[h<=4]")]
    )
    apart = np.unpackbits(asked[:, None] ^ held[None], axis=2).sum(axis=2)
    right = labels[:Q, None] == labels[None, Q:]
    near = apart <= 4
    expected = (near & right).sum(axis=1) / np.maximum(near.sum(axis=1), 1)
    np.testing.assert_allclose(found.values["p[h<=4]"], expected)
    for query in range(Q):
        order = np.lexsort((images, apart[query]))[:TOP]
        assert found.answers[query].tolist() == order.tolist()


def test_a_small_database_leaves_places_empty_and_large_rows_are_mapped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "HELD", 0)
    rows = Rows(5, 2, 0)
    rows.add(np.eye(2, dtype=np.float32))
    assert isinstance(rows.vectors, np.memmap)
    asked = np.array([[1, 0.1]], np.float32)
    found = depth(rows, np.zeros(2, np.uint64), asked, judged([1], [0, 1]), [measure("map[all]")])
    assert found.values["map[all]"].tolist() == [0.5]
    assert found.answers[0].tolist() == [0, 1] + [-1] * (TOP - 2)
    only = rows.only(np.array([False, True]))
    assert only.vectors.tolist() == [[0, 1]]
