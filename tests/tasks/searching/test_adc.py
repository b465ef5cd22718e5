"""Real-valued queries among codes: the definition in loops, and what it has to do with Hamming."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.store import Store
from models.distances import between, directions_of, prepared
from tasks.searching.adc import nearest_codes
from tests.tasks.conftest import World

if TYPE_CHECKING:
    import lance

ROWS, BYTES = 60, 3


@pytest.fixture
def codes(store: Store) -> World:
    """Sixty rows of 24 bits."""
    world = World(store, pa.uint8(), width=BYTES)
    world.write({f"{i:03d}": (f"content {i}", "a", "live") for i in range(ROWS)})
    world.describe_all()
    world.night("run-1")
    return world


def opened(world: World) -> "lance.LanceDataset":
    return world.open()


def by_loops(world: World, query: np.ndarray[Any, Any]) -> list[tuple[float, str]]:
    """Every key by 1 - q.b / (|q| sqrt L), b of -1 and +1."""
    found = []
    for key, (digest, _, _) in world.said.items():
        score = 0.0
        for place, bit in enumerate(np.unpackbits(world.vector(digest)).tolist()):
            score += float(query[place]) * (1 if bit else -1)
        found.append((1 - score / (np.linalg.norm(query) * len(query) ** 0.5), key))
    return sorted(found)


@pytest.mark.parametrize("k", [1, 7, ROWS + 5])
def test_rows_stand_by_the_inner_product_of_numbers_with_signs(codes: World, k: int) -> None:
    queries = np.random.default_rng(0).standard_normal((3, 8 * BYTES)).astype(np.float32)
    found = nearest_codes(opened(codes), queries, k, ["key", "uri"])
    assert len(found) == 3
    for query, answer in zip(queries, found, strict=True):
        wanted = by_loops(codes, query)[:k]
        assert answer["key"].to_pylist() == [key for _, key in wanted]
        assert answer["_distance"].to_pylist() == pytest.approx(
            [far for far, _ in wanted], abs=1e-6
        )
        assert answer["uri"].to_pylist() == [f"/{key}.jpg" for _, key in wanted]


@given(seed=st.integers(0, 999), size=st.floats(1e-3, 1e3))
def test_where_all_numbers_are_as_large_it_is_the_hamming_distance(seed: int, size: float) -> None:
    draw = np.random.default_rng(seed)
    rows = draw.integers(0, 256, (9, BYTES), dtype=np.uint8)
    query = draw.integers(0, 256, (1, BYTES), dtype=np.uint8)
    numbers = np.float32(size) * prepared(query, "hamming")
    apart = between(prepared(numbers, "cosine"), directions_of(rows), "cosine")
    bits = between(prepared(query, "hamming"), prepared(rows, "hamming"), "hamming")
    np.testing.assert_allclose(apart * 8 * BYTES / 2, bits, atol=1e-4)


@given(seed=st.integers(0, 999), factor=st.floats(0.1, 10))
def test_a_longer_query_asks_for_the_same(seed: int, factor: float) -> None:
    draw = np.random.default_rng(seed)
    rows = directions_of(draw.integers(0, 256, (9, BYTES), dtype=np.uint8))
    query = draw.standard_normal((1, 8 * BYTES)).astype(np.float32)
    one, other = (
        between(prepared(asked, "cosine"), rows, "cosine")
        for asked in (query, np.float32(factor) * query)
    )
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert ((one >= 0) & (one <= 2 + 1e-6)).all()


def test_numbers_that_are_none_are_refused(codes: World) -> None:
    with pytest.raises(ValueError, match="NaN"):
        nearest_codes(opened(codes), np.full((1, 8 * BYTES), np.nan, np.float32), 3, ["key"])
