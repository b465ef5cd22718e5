"""What a recipe says of pooling is built, alone and fused, or refused with what would do."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from models.aggregation.fusion import Fusion, fused
from models.aggregation.gem import GeM
from models.aggregation.mac import MAC
from models.pooling import build_pooling


def maps() -> torch.Tensor:
    return torch.rand(3, 6, 4, 5, generator=torch.Generator().manual_seed(0))


def test_a_word_is_its_aggregation_with_its_arguments() -> None:
    plain = build_pooling("gem", 6)
    assert isinstance(plain, GeM)
    assert plain.p.item() == 3
    assert torch.equal(plain(maps()), build_pooling({"gem": {}}, 6)(maps()))
    other = build_pooling({"gem": {"p": 5.0}}, 6)
    assert isinstance(other, GeM)
    assert other.p.item() == 5


def test_several_words_are_fused() -> None:
    pool = build_pooling({"gem": {"p": 2.0, "share": 3}, "mac": {}, "vlad": {"words": 2}}, 6)
    assert isinstance(pool, Fusion)
    assert pool.dimensions == 6 + 6 + 12
    assert pool.shares == (3.0, 1.0, 1.0)
    vectors = pool(maps())
    assert vectors.shape == (3, 24)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3))
    gem = functional.normalize(GeM(6, 2.0)(maps()))
    assert torch.allclose(vectors[:, :6], gem * (3 / 5) ** 0.5, atol=1e-6)
    assert torch.allclose(vectors[:, 6:12], functional.normalize(MAC(6)(maps())) * (1 / 5) ** 0.5)


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=4), st.integers(0, 99))
def test_the_cosine_of_fused_vectors_is_the_weighted_mean_of_cosines(
    shares: list[float], seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    vectors = [
        torch.randn(2, 3 + n, generator=generator).double() * 10**n for n in range(len(shares))
    ]
    one, other = fused(vectors, shares)
    cosines = [float(functional.cosine_similarity(of[:1], of[1:])) for of in vectors]
    mean = sum(s * c for s, c in zip(shares, cosines, strict=True)) / sum(shares)
    assert float(one @ other) == pytest.approx(mean, abs=1e-6)


def test_the_weights_of_all_parts_are_kept() -> None:
    names = set(build_pooling({"gem": {}, "netvlad": {"words": 2}}, 6).state_dict())
    assert names == {"parts.0.p", "parts.1.centres", "parts.1.assign.weight", "parts.1.assign.bias"}


def test_what_is_not_understood_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Unknown pooling 'gen': .*Did you mean 'gem'"):
        build_pooling("gen", 6)
    with pytest.raises(ValueError, match=r"pooling gem does not take \{'q': 3\}"):
        build_pooling({"gem": {"q": 3}}, 6)
    with pytest.raises(
        ValueError, match="pools somehow: choose from asmk, attention, average, gem"
    ):
        build_pooling({}, 6)
    with pytest.raises(ValueError, match=r"as many positive shares, not \(1.0, 0.0\)"):
        build_pooling({"gem": {}, "mac": {"share": 0}}, 8)
    with pytest.raises(ValueError, match=r"as many positive shares, not \(1.0, -2.0\)"):
        build_pooling({"gem": {}, "mac": {"share": -2}}, 6).eval()
