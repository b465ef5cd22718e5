"""Every descriptor in the table keeps its contract: rows of the promised type and width."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from data.indexes import index_schema, metric_of
from data.taxonomy import DescriptorType
from models.aggregation.rows import packed, unpacked
from models.descriptors import DESCRIPTORS
from models.descriptors.aggregated import Aggregated, VisualWords
from models.descriptors.base import Storage
from models.descriptors.binary import Binary
from models.descriptors.real_valued import RealValued


@pytest.mark.parametrize("kind", sorted(DESCRIPTORS))
@pytest.mark.parametrize("storage", ["float32", "float16"])
def test_rows_fill_a_column_of_the_promised_type(kind: DescriptorType, storage: Storage) -> None:
    descriptor = DESCRIPTORS[kind](32, storage)
    rows = descriptor(torch.randn(5, 32))
    assert rows.shape == (5, descriptor.width)
    column = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), descriptor.width)
    assert column.type == pa.list_(descriptor.value_type, descriptor.width)
    assert descriptor.metric == metric_of(index_schema(descriptor.value_type, descriptor.width))


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float32, (3, 24), elements=st.floats(-1, 1, width=32)))
def test_bits_are_signs_the_first_in_the_highest_place(features: np.ndarray) -> None:
    rows = Binary(24)(torch.from_numpy(features))
    for row in range(3):
        for byte in range(3):
            value = 0
            for bit in range(8):
                value = value * 2 + (1 if features[row, byte * 8 + bit] >= 0 else 0)
            assert rows[row, byte] == value


def test_the_sign_of_zero_is_positive() -> None:
    assert Binary(8)(torch.tensor([[0.0, -0.0, -1.0, 1.0, 0, 0, 0, 0]])).tolist() == [[0b11011111]]


def test_hamming_distance_counts_the_signs_that_differ() -> None:
    features = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))
    first, second = Binary(64)(features)
    counted = sum(
        bin(a ^ b).count("1") for a, b in zip(first.tolist(), second.tolist(), strict=True)
    )
    assert counted == int(((features[0] >= 0) != (features[1] >= 0)).sum())


def test_real_rows_have_unit_length_in_their_own_precision() -> None:
    features = torch.randn(4, 48) * 7
    for storage, tolerance in (("float32", 1e-6), ("float16", 2e-3)):
        rows = DESCRIPTORS[DescriptorType.REAL_VALUED](48, storage)(features)  # type: ignore[arg-type]
        assert rows.dtype == np.dtype(storage)
        assert np.linalg.norm(rows.astype(np.float64), axis=1) == pytest.approx(1, abs=tolerance)


def test_bits_that_fill_no_byte_are_refused() -> None:
    with pytest.raises(ValueError, match="12 bits are not a multiple of 8"):
        Binary(12)
    assert RealValued(12).width == 12


def test_the_table_knows_every_descriptor_of_the_taxonomy() -> None:
    assert set(DESCRIPTORS) == set(DescriptorType)


@pytest.mark.parametrize("storage", ["float32", "float16"])
def test_an_aggregated_vector_is_stored_as_a_real_one(storage: Storage) -> None:
    features = torch.randn(4, 48) * 7
    one, other = Aggregated(48, storage)(features), RealValued(48, storage)(features)
    assert np.array_equal(one, other)
    assert one.dtype == np.dtype(storage)


@settings(max_examples=60, deadline=None)
@given(there=hnp.arrays(np.bool_, (3, 5)), seed=st.integers(0, 99))
def test_visual_words_are_stored_slot_by_slot(there: np.ndarray, seed: int) -> None:
    features = torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(seed))
    features *= torch.from_numpy(there)[:, :, None]
    features[:, :, 7] = 0.0  # a sign of 0 is positive, where there is another number
    descriptor = VisualWords(160, words=5, slots=5)
    rows = descriptor(features.reshape(3, 160))
    assert (rows.dtype, rows.shape) == (np.dtype(np.uint16), (3, descriptor.width))
    assert pa.array(rows.ravel()).type == descriptor.value_type
    for row in range(3):
        expected = [3]
        for word in np.flatnonzero(there[row]).tolist():
            bits = "".join("1" if x >= 0 else "0" for x in features[row, word].tolist())
            expected += [word, int(bits[:16], 2), int(bits[16:], 2)]
        expected += [0xFFFF] * (descriptor.width - len(expected))
        assert rows[row].tolist() == expected
    some = unpacked(rows)
    assert some.sizes.tolist() == there.sum(axis=1).tolist()
    assert np.array_equal(packed(some, 5), rows)


def test_visual_words_that_fill_no_slots_are_refused() -> None:
    with pytest.raises(ValueError, match="24 bits are not a multiple of 16"):
        VisualWords(96, words=4, slots=4)
    rows = VisualWords(64, words=4, slots=4)(torch.ones(1, 64))
    with pytest.raises(ValueError, match="An image has 4 words, more than 3 slots"):
        packed(unpacked(rows), 3)
    with pytest.raises(ValueError, match=r"must be \(N, W\) uint16 but are .* int32"):
        unpacked(rows.astype(np.int32))
    with pytest.raises(ValueError, match="Rows of 8 values hold no whole slots of 2"):
        unpacked(rows[:, :8])
    other = VisualWords(128, words=4, slots=4)(torch.ones(1, 128))
    with pytest.raises(ValueError, match=r"one length but are of \[2, 3\] values"):
        unpacked(np.concatenate([rows, other[:, :9]]))
