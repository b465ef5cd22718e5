"""Product quantisation against its definition in loops, and what must hold of any codebooks."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.taxonomy import DescriptorType
from models.clustering import kmeans
from models.codebooks import WORDS, Codebooks
from models.descriptors.quantised import Quantised
from models.distances import between, prepared
from models.quantiser import Quantiser, enough
from models.spec import EncoderSpec
from models.weights import build, restored, save

Array = np.ndarray[Any, np.dtype[Any]]


def drawn(seed: int, parts: int = 3, numbers: int = 2) -> Codebooks:
    """Codebooks of words that are drawn."""
    words = np.random.default_rng(seed).standard_normal((parts, WORDS, numbers))
    return Codebooks(words.astype(np.float32))


def vectors(seed: int, count: int, width: int = 6) -> Array:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


def test_a_code_names_the_nearest_word_of_each_part() -> None:
    books, rows = drawn(0), vectors(1, 20)
    codes = books.encoded(rows)
    assert codes.shape == (20, 3)
    assert codes.dtype == np.uint8
    for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
        for part, chosen in enumerate(code):
            apart = []
            for word in books.words[part].tolist():
                apart.append(sum((row[2 * part + n] - word[n]) ** 2 for n in range(2)))
            assert chosen == apart.index(min(apart))


def test_of_equal_words_the_first_is_chosen() -> None:
    words = np.ones((1, WORDS, 2), np.float32)
    assert Codebooks(words).encoded(vectors(0, 4, 2)).tolist() == [[0]] * 4


@given(seed=st.integers(0, 999), queries=st.integers(1, 4), parts=st.sampled_from([1, 2, 6]))
def test_looking_up_is_decoding_and_the_cosine(seed: int, queries: int, parts: int) -> None:
    books = drawn(seed, parts, 6 // parts)
    asked = vectors(seed + 1, queries)
    codes = np.random.default_rng(seed).integers(0, WORDS, (30, parts), dtype=np.uint8)
    apart = books.apart(asked, codes)
    wanted = between(prepared(asked, "cosine"), prepared(books.decoded(codes), "cosine"), "cosine")
    np.testing.assert_allclose(apart, wanted, atol=2e-6)
    assert ((apart >= 0) & (apart <= 2 + 1e-5)).all()


@given(seed=st.integers(0, 999))
def test_who_stands_beside_a_row_decides_nothing(seed: int) -> None:
    books, asked, rows = drawn(seed), vectors(seed, 2), vectors(seed + 1, 25)
    order = np.random.default_rng(seed).permutation(25)
    codes = books.encoded(rows)
    assert (books.encoded(rows[order]) == codes[order]).all()
    assert (books.apart(asked, codes[order]) == books.apart(asked, codes)[:, order]).all()
    assert (books.encoded(rows[:1]) == codes[:1]).all()


@given(seed=st.integers(0, 999))
def test_what_is_decoded_has_its_own_code(seed: int) -> None:
    books = drawn(seed)
    codes = books.encoded(vectors(seed, 25))
    again = books.encoded(books.decoded(codes))
    assert (books.decoded(again) == books.decoded(codes)).all()
    assert (books.off(vectors(seed, 25), codes) == 0).all()
    assert (books.off(vectors(seed, 25), codes ^ 1) > 0).all()


def test_a_row_that_stands_for_nothing_is_at_distance_one() -> None:
    books = Codebooks(np.zeros((2, WORDS, 3), np.float32))
    apart = books.apart(vectors(0, 3), np.zeros((5, 2), np.uint8))
    assert (apart == 1).all()


@pytest.mark.parametrize("seed", range(3))
def test_words_that_are_found_are_nearer_than_words_that_are_drawn(seed: int) -> None:
    features = torch.from_numpy(prepared(vectors(seed, 900, 8), "cosine"))
    quantiser = Quantiser(8, 2)
    quantiser.fit(features, seed)
    books = Codebooks(quantiser.words.numpy())
    some = features[torch.randperm(900, generator=torch.Generator().manual_seed(seed))[:WORDS]]
    others = Codebooks(some.reshape(WORDS, 2, 4).permute(1, 0, 2).contiguous().numpy())

    def error(of: Codebooks, rows: Array) -> float:
        return float(np.square(of.decoded(of.encoded(rows)) - rows).sum())

    assert error(books, features.numpy()) < 0.8 * error(others, features.numpy())
    unseen = prepared(vectors(seed + 100, 400, 8), "cosine")
    assert error(books, unseen) < error(others, unseen)
    again = Quantiser(8, 2)
    again.fit(features, seed)
    assert torch.equal(again.words, quantiser.words)


def test_each_part_has_the_means_of_k_means() -> None:
    features = torch.from_numpy(vectors(0, 600, 6))
    quantiser = Quantiser(6, 3)
    quantiser.fit(features, 7)
    for part in range(3):
        wanted = kmeans(features[:, 2 * part : 2 * part + 2].contiguous(), WORDS, 7 + part)
        assert torch.equal(quantiser.words[part], wanted.centres)


def test_fewer_pictures_than_words_are_refused() -> None:
    enough(256)
    with pytest.raises(ValueError, match=r"there are 255 pictures .* storage: float32"):
        Quantiser(8, 2).fit(torch.zeros(WORDS - 1, 8), 0)


def test_codebooks_lie_in_the_file_of_their_encoder() -> None:
    spec = EncoderSpec(arguments={"width": 4}, dimensions=8, storage="pq", pq_parts=2)
    encoder = build(spec)
    assert encoder.quantiser is not None
    encoder.quantiser.words.copy_(torch.from_numpy(drawn(3, 2, 4).words))
    again, said = restored(save(encoder, spec))
    assert again.quantiser is not None
    assert torch.equal(again.quantiser.words, encoder.quantiser.words)
    assert said == spec
    stored = said.stored()
    assert isinstance(stored, Quantised)
    assert (stored.metric, stored.width, str(stored.value_type)) == ("cosine", 8, "float")
    plain = EncoderSpec(arguments={"width": 4}, dimensions=8)
    assert build(plain).quantiser is None
    assert "pq_parts" not in plain.model_dump_json()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"dimensions": 10, "storage": "pq", "pq_parts": 4}, r"not a multiple of 4 .* pq_parts: 5"),
        ({"dimensions": 8, "storage": "pq"}, "of 0 parts"),
        ({"dimensions": 8, "pq_parts": 2}, "stored as float32"),
        (
            {
                "dimensions": 8,
                "storage": "pq",
                "pq_parts": 2,
                "descriptor": DescriptorType.BINARY,
            },
            "binary descriptor",
        ),
    ],
)
def test_descriptions_of_no_codes_are_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        EncoderSpec.model_validate(said)


def test_what_are_no_codebooks_codes_or_rows_is_refused() -> None:
    for words in (np.zeros((2, 255, 3), np.float32), np.zeros((0, WORDS, 3), np.float32)):
        with pytest.raises(ValueError, match="Codebooks must be"):
            Codebooks(words)
    with pytest.raises(ValueError, match="NaN"):
        Codebooks(np.full((1, WORDS, 1), np.nan, np.float32))
    books = drawn(0)
    with pytest.raises(ValueError, match="Rows must be"):
        books.encoded(vectors(0, 2, 5))
    for codes in (np.zeros((2, 4), np.uint8), np.zeros((2, 3), np.int64)):
        with pytest.raises(ValueError, match="Codes must be"):
            books.decoded(codes)
    with pytest.raises(ValueError, match="decode them first"):
        prepared(np.zeros((2, 3), np.uint8), "cosine")
    with pytest.raises(ValueError, match="NaN"):
        books.apart(np.full((1, 6), np.nan, np.float32), np.zeros((2, 3), np.uint8))
