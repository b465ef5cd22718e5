"""Selective match kernels, packed and in inverted files, against the kernel pair by pair."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from models.aggregation.asmk import ASMK, bags
from models.aggregation.inverted_file import InvertedFile
from models.aggregation.match_kernel import Bags, Selectivity, agreeing
from models.aggregation.rows import packed
from models.aggregation.vlad import residuals
from models.clustering import kmeans
from models.descriptors.aggregated import VisualWords
from models.whitening import pca_whitening

F = 16


def drawn(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(shape, generator=generator), dim=-1)


def signs(local: torch.Tensor, words: torch.Tensor, m: int) -> list[dict[int, list[int]]]:
    """By image, by visual word: the signs of the sum of residuals."""
    found: list[dict[int, list[int]]] = []
    for image in local.tolist():
        sums: dict[int, list[float]] = {}
        for x in image:
            apart = [sum((a - b) ** 2 for a, b in zip(x, c, strict=True)) for c in words.tolist()]
            for k in sorted(range(len(words)), key=apart.__getitem__)[:m]:
                before = sums.get(k, [0.0] * F)
                sums[k] = [s + a - c for s, a, c in zip(before, x, words[k].tolist(), strict=True)]
        found.append({k: [1 if s >= 0 else -1 for s in total] for k, total in sums.items()})
    return found


def kernel(
    one: dict[int, list[int]], other: dict[int, list[int]], alpha: float = 3, tau: float = 0
) -> float:
    """The normalised selective match kernel of two images, as the paper writes it."""
    total = 0.0
    for word in one.keys() & other.keys():
        u = sum(a * b for a, b in zip(one[word], other[word], strict=True)) / F
        total += math.copysign(abs(u) ** alpha, u) if u > tau else 0.0
    return total / math.sqrt(len(one) * len(other))


def filed(gallery: Bags, words: int, selectivity: Selectivity | None = None) -> InvertedFile:
    held = InvertedFile(words, F // 8, selectivity)
    held.add(gallery)
    return held


def part(of: Bags, start: int, stop: int) -> Bags:
    """Images START to STOP of a bag."""
    here = (of.images >= start) & (of.images < stop)
    images = (of.images[here] - start).astype(np.int32)
    return Bags(stop - start, images, of.words[here], of.codes[here])


@pytest.mark.parametrize("assignments", [1, 3])
def test_a_bag_holds_each_word_once_with_the_signs_of_its_residual(assignments: int) -> None:
    local, words = drawn(0, 5, 11, F), drawn(1, 7, F)
    found = bags(local, words, assignments)
    expected = [
        (b, k, code)
        for b, of in enumerate(signs(local, words, assignments))
        for k, code in sorted(of.items())
    ]
    assert found.count == 5
    assert found.images.tolist() == [b for b, _, _ in expected]
    assert found.words.tolist() == [k for _, k, _ in expected]
    unpacked = np.unpackbits(found.codes, axis=1).astype(int) * 2 - 1
    assert unpacked.tolist() == [code for _, _, code in expected]


@pytest.mark.parametrize(("alpha", "tau"), [(3.0, 0.0), (1.0, -1.0), (2.0, 0.25)])
@pytest.mark.parametrize("assignments", [1, 5])
def test_scores_are_the_kernel_of_every_pair(alpha: float, tau: float, assignments: int) -> None:
    words = drawn(2, 12, F)
    asking, gallery = drawn(3, 4, 9, F), drawn(4, 10, 14, F)
    held = filed(bags(gallery, words), 12, Selectivity(alpha, tau))
    scores = held.scores(bags(asking, words, assignments))
    left, right = signs(asking, words, assignments), signs(gallery, words, 1)
    expected = [[kernel(q, x, alpha, tau) for x in right] for q in left]
    assert scores == pytest.approx(np.array(expected), abs=1e-6)
    assert scores.dtype == np.float32


@given(st.integers(0, 999))
def test_an_image_is_wholly_like_itself_and_no_other_more(seed: int) -> None:
    words = drawn(seed, 9, F)
    gallery = bags(drawn(seed + 1, 6, 12, F), words)
    scores = filed(gallery, 9).scores(gallery)
    assert np.diag(scores) == pytest.approx(np.ones(6))
    assert scores.min() >= 0
    assert scores.max() <= 1 + 1e-6
    assert scores == pytest.approx(scores.T, abs=1e-6)


@given(st.integers(0, 999))
def test_the_order_of_the_local_features_does_not_matter(seed: int) -> None:
    local, words = drawn(seed, 2, 12, F), drawn(seed + 1, 6, F)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
    one, other = bags(local, words), bags(local[:, order], words)
    sums = residuals(local, words)[1]
    assert (one.words == other.words).all()
    if sums.abs().min() > 1e-6:  # a sum of nearly 0 takes its sign from the order
        assert (one.codes == other.codes).all()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(0, 99))
def test_adding_bit_by_bit_is_adding_at_once(sizes: list[int], seed: int) -> None:
    words, count = drawn(seed, 8, F), sum(sizes)
    gallery = bags(drawn(seed + 1, count, 10, F), words)
    asking = bags(drawn(seed + 2, 3, 10, F), words)
    held = InvertedFile(8, F // 8)
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        held.add(part(gallery, end - size, end))
    assert len(held) == count
    assert np.array_equal(held.scores(asking), filed(gallery, 8).scores(asking))


def test_an_image_without_a_word_is_like_nothing() -> None:
    empty = Bags(2, np.empty(0, np.int32), np.empty(0, np.int32), np.empty((0, F // 8), np.uint8))
    words = drawn(0, 4, F)
    some = bags(drawn(1, 3, 5, F), words)
    assert filed(empty, 4).scores(some).tolist() == [[0.0, 0.0]] * 3
    assert filed(some, 4).scores(empty).tolist() == [[0.0] * 3] * 2


def test_memory_is_what_is_said() -> None:
    gallery = bags(drawn(0, 50, 20, F), drawn(1, 30, F))
    entries = len(gallery.words)
    assert filed(gallery, 30).nbytes == entries * (4 + F // 8) + 50 * 4 + 31 * 8


def test_selectivity_keeps_what_is_over_the_threshold() -> None:
    assert Selectivity().table(4).tolist() == [0, 0, 0, 0.125, 1]  # cosines -1, -.5, 0, .5, 1
    assert Selectivity(alpha=3, tau=-2).table(4).tolist() == [-1, -0.125, 0, 0.125, 1]
    assert Selectivity(tau=0.5).table(4).tolist() == [0, 0, 0, 0, 1]


def test_bits_that_agree_are_counted() -> None:
    codes = np.array([[0b11110000, 0], [0b11111111, 0], [0b00001111, 255]], np.uint8)
    assert agreeing(codes[:1], codes).tolist() == [[16, 12, 0]]


def test_codes_and_words_that_do_not_fit_are_refused() -> None:
    held = InvertedFile(4, F // 8)
    some = bags(drawn(0, 1, 5, F), drawn(1, 9, F))
    with pytest.raises(ValueError, match="words 0 to 3, but there are words"):
        held.add(some)
    for word in (-1, 4):
        one = Bags(1, np.zeros(1, np.int32), np.array([word], np.int32), np.zeros((1, 2), np.uint8))
        with pytest.raises(ValueError, match=f"there are words {word} to {word}"):
            held.add(one)
    with pytest.raises(ValueError, match="must be of 2 bytes but are of 1"):
        held.scores(replace(some, codes=some.codes[:, :1]))
    with pytest.raises(ValueError, match="12 are not a multiple of 8"):
        bags(torch.rand(1, 3, 12), torch.rand(2, 12))


def test_the_signs_of_its_vectors_are_the_bags_of_what_it_whitened() -> None:
    maps = torch.rand(6, 24, 4, 5, generator=torch.Generator().manual_seed(0))
    pool = ASMK(24, words=7, bits=16)
    pool.fit(pool.samples(maps).flatten(0, 1), seed=0)
    vectors = pool(maps)
    assert vectors.shape == (6, 7 * 16)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(6), atol=1e-6)
    rows = VisualWords(112, words=7, slots=7)(vectors)
    some = bags(pool.whitening(pool.samples(maps)), pool.words)
    assert np.array_equal(rows, packed(some, 7))
    assert some.sizes.max() > 1


def test_a_residual_of_nothing_has_positive_signs() -> None:
    words = drawn(1, 9, F)
    some = bags(words[None, 3:4], words)
    assert some.words.tolist() == [3]
    assert some.codes.tolist() == [[255, 255]]


def test_words_are_the_centres_of_what_was_whitened() -> None:
    samples = torch.rand(300, 24, generator=torch.Generator().manual_seed(0))
    pool = ASMK(24, words=7, bits=16)
    pool.fit(samples, seed=3)
    white = functional.normalize(pca_whitening(samples, 16)(samples))
    assert torch.allclose(pool.whitening(samples), white, atol=1e-6)
    assert torch.equal(pool.words, kmeans(pool.whitening(samples), 7, 3).centres)


def test_codes_of_more_bits_than_a_local_feature_has_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="Local features of 24 numbers make no codes of 32 bits"):
        ASMK(24, bits=32)
