"""A listing says exactly what its samples say, in their order, in batches of bounded length."""

from dataclasses import asdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.sample import LISTING, Box, Sample, listing_batches

words = st.lists(st.text(max_size=8), max_size=3).map(tuple)
numbers = st.integers(0, 2**63 - 1)
sides = st.floats(0, 1e6, width=32)
boxes = st.builds(Box, st.text(max_size=8), sides, sides, sides, sides, st.booleans())
samples = st.builds(
    Sample,
    key=st.text(min_size=1),
    uri=st.text(min_size=1),
    size=numbers,
    mtime=numbers,
    etag=st.text(max_size=8),
    labels=words,
    tags=words,
    captions=words,
    boxes=st.lists(boxes, max_size=2).map(tuple),
    split=st.text(max_size=8),
)


def spoken(row: dict[str, object]) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}


@given(st.lists(samples, max_size=12), st.integers(1, 5))
def test_a_listing_holds_every_sample_in_order_and_in_batches(
    pictures: list[Sample], rows: int
) -> None:
    batches = list(listing_batches(pictures, rows))
    assert [len(batch) for batch in batches[:-1]] == [rows] * (len(batches) - 1)
    assert all(0 < len(batch) <= rows for batch in batches)
    told = [row for batch in batches for row in batch.to_pylist()]
    assert told == [spoken(asdict(picture)) for picture in pictures]


def test_a_listing_of_nothing_is_no_batch() -> None:
    assert list(listing_batches([])) == []


def test_the_columns_of_a_listing_are_the_fields_of_a_sample() -> None:
    assert LISTING.names == list(Sample.__dataclass_fields__)


def test_a_listing_is_drawn_from_its_samples_a_batch_at_a_time() -> None:
    drawn = []

    def stream() -> object:
        for number in range(10):
            drawn.append(number)
            yield Sample(str(number), "u", 1)

    next(listing_batches(stream(), rows=3))  # type: ignore[arg-type]
    assert len(drawn) == 3


def test_a_picture_without_a_key_cannot_be_listed() -> None:
    with pytest.raises(pa.ArrowTypeError, match="int"):
        list(listing_batches([Sample(key=3, uri="u", size=1)]))  # type: ignore[arg-type]
