"""VLAD and NetVLAD against loops over local features and visual words."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from models.aggregation.netvlad import NetVLAD, sharpness
from models.aggregation.vlad import VLAD, residuals, vlad

Vector = list[float]


def drawn(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(
        torch.randn(shape, generator=generator, dtype=torch.float64), dim=-1
    )


def squared(x: Vector, y: Vector) -> float:
    return sum((a - b) ** 2 for a, b in zip(x, y, strict=True))


def unit(x: Vector) -> Vector:
    norm = math.sqrt(sum(a * a for a in x))
    return [a / norm for a in x] if norm else x


def summed(local: list[Vector], words: list[Vector], m: int) -> dict[int, Vector]:
    """The summed residual of each word that one of the local features has among its M nearest."""
    sums: dict[int, Vector] = {}
    for x in local:
        for k in sorted(range(len(words)), key=lambda k: squared(x, words[k]))[:m]:
            before = sums.get(k, [0.0] * len(x))
            sums[k] = [s + a - c for s, a, c in zip(before, x, words[k], strict=True)]
    return sums


@pytest.mark.parametrize("assignments", [1, 3])
def test_residuals_are_added_up_for_each_image_and_word(assignments: int) -> None:
    local, words = drawn(0, 3, 9, 5), drawn(1, 4, 5)
    slots, sums = residuals(local, words, assignments)
    expected = {
        b * 4 + k: vector
        for b in range(3)
        for k, vector in summed(local[b].tolist(), words.tolist(), assignments).items()
    }
    assert slots.tolist() == sorted(expected)
    for slot, found in zip(slots.tolist(), sums, strict=True):
        assert found.tolist() == pytest.approx(expected[slot])


def test_vlad_is_normalised_word_by_word_and_whole() -> None:
    local, words = drawn(2, 2, 6, 5), drawn(3, 4, 5)
    vectors = vlad(local, words)
    assert vectors.shape == (2, 4 * 5)
    for b in range(2):
        sums = summed(local[b].tolist(), words.tolist(), 1)
        whole = [x for k in range(4) for x in unit(sums.get(k, [0.0] * 5))]
        assert vectors[b].tolist() == pytest.approx(unit(whole))


@given(st.integers(0, 99))
def test_words_of_any_length_are_nearest_by_distance(seed: int) -> None:
    """As centres are, which lie within the sphere on which local features do."""
    local, lengths = drawn(seed, 1, 8, 5), drawn(seed + 2, 4, 2)[:, :1].abs() + 0.1
    words = drawn(seed + 1, 4, 5) * lengths
    sums = summed(local[0].tolist(), words.tolist(), 1)
    expected = [x for k in range(4) for x in unit(sums.get(k, [0.0] * 5))]
    assert vlad(local, words)[0].tolist() == pytest.approx(unit(expected))


def test_the_cosine_of_two_vlads_is_the_mean_over_words_that_they_share() -> None:
    local, words = drawn(4, 2, 7, 5), drawn(5, 6, 5)
    one, other = (summed(local[b].tolist(), words.tolist(), 1) for b in range(2))
    shared = sum(
        sum(a * b for a, b in zip(unit(one[k]), unit(other[k]), strict=True))
        for k in set(one) & set(other)
    )
    cosine = vlad(local, words).prod(dim=0).sum()
    assert float(cosine) == pytest.approx(shared / math.sqrt(len(one) * len(other)))


def test_the_words_of_vlad_are_centres_of_the_local_features() -> None:
    pool = VLAD(5, words=3)
    samples = (drawn(6, 3, 5)[:, None] + 0.01 * drawn(7, 3, 50, 5)).flatten(0, 1).float()
    pool.fit(samples, seed=0)
    means = samples.view(3, 50, 5).mean(dim=1)
    assert torch.cdist(means, pool.words).amin(dim=1).max() < 1e-6
    assert "words" in pool.state_dict()


def test_netvlad_is_the_papers_formula() -> None:
    torch.manual_seed(0)
    pool = NetVLAD(5, words=3).double()
    with torch.no_grad():  # the three sets of weights are learned apart from each other
        for parameter in pool.parameters():
            parameter.add_(torch.randn_like(parameter))
    maps = torch.rand(2, 5, 2, 3, dtype=torch.float64)
    w, b, c = pool.assign.weight.tolist(), pool.assign.bias.tolist(), pool.centres.tolist()
    for image in range(2):
        sums = [[0.0] * 5 for _ in range(3)]
        for y in range(2):
            for x in range(3):
                local = unit(maps[image, :, y, x].tolist())
                logits = [
                    sum(p * q for p, q in zip(w[k], local, strict=True)) + b[k] for k in range(3)
                ]
                total = sum(math.exp(logit) for logit in logits)
                for k in range(3):
                    share = math.exp(logits[k]) / total
                    sums[k] = [
                        s + share * (v - m) for s, v, m in zip(sums[k], local, c[k], strict=True)
                    ]
        whole = [value for k in range(3) for value in unit(sums[k])]
        assert pool(maps)[image].tolist() == pytest.approx(unit(whole))


@given(st.integers(0, 99))
def test_netvlad_with_a_sharp_softmax_is_vlad(seed: int) -> None:
    pool, centres = NetVLAD(6, words=4).double(), drawn(seed, 4, 6)
    pool.start(centres, alpha=1e4)
    maps = drawn(seed + 1, 2, 5, 5, 6).movedim(3, 1)
    squares = torch.cdist(pool.samples(maps).flatten(0, 1), centres).square().sort(dim=1)[0]
    if (squares[:, 1] - squares[:, 0]).min() > 5e-3:
        assert torch.allclose(pool(maps), vlad(pool.samples(maps), centres), atol=1e-6)


def test_netvlad_starts_where_vlad_would_be_and_a_hundred_times_as_sure_of_the_nearest() -> None:
    samples, pool = drawn(8, 400, 6).float(), NetVLAD(6, words=8)
    pool.fit(samples, seed=1)
    twin = VLAD(6, words=8)
    twin.fit(samples, seed=1)
    assert torch.equal(pool.centres, twin.words)
    top = pool.assign(samples).detach().softmax(dim=1).topk(2, dim=1)[0]
    assert float((top[:, 0] / top[:, 1]).log().mean().exp()) == pytest.approx(100, rel=0.01)
    assert sharpness(samples, pool.centres[:1]) == pytest.approx(math.log(100))
