"""Every aggregation in the table keeps its contract, and is what its paper's formula says."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from models.aggregation import AGGREGATIONS
from models.aggregation.attention import AttentionPooling
from models.aggregation.average import Average
from models.aggregation.base import Aggregation, local_features
from models.aggregation.gem import GeM
from models.aggregation.grid import Grid
from models.aggregation.mac import MAC
from models.aggregation.rmac import RMAC, regions
from models.aggregation.spoc import SPoC, centre_prior

ORDERLESS = sorted(set(AGGREGATIONS) - {"spoc", "rmac", "grid"})
"""Those to which it does not matter where in the picture a local feature is."""


def maps(seed: int = 0, shape: tuple[int, ...] = (2, 6, 5, 7)) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(word: str, inputs: int = 6) -> Aggregation:
    torch.manual_seed(0)
    return AGGREGATIONS[word].load()(inputs)


def unit(vector: list[float]) -> list[float]:
    norm = math.sqrt(sum(x * x for x in vector))
    return [x / norm for x in vector]


@pytest.mark.parametrize("word", sorted(AGGREGATIONS))
@pytest.mark.parametrize("size", [(1, 1), (7, 7), (4, 9)])
def test_one_vector_an_image_of_the_promised_length(word: str, size: tuple[int, int]) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        exact = torch.float64 if dtype == torch.float64 else torch.float32
        pool = built(word).to(exact)
        vectors = pool(maps(0, (3, 6, *size)).to(dtype))
        assert vectors.shape == (3, pool.dimensions)
        assert vectors.dtype == exact
        assert torch.isfinite(vectors).all()


@pytest.mark.parametrize("word", sorted(AGGREGATIONS))
def test_an_image_does_not_depend_on_its_neighbours(word: str) -> None:
    pool, batch = built(word).double(), maps(1, (4, 6, 3, 3))
    alone = torch.cat([pool(batch[n : n + 1]) for n in range(4)])
    assert torch.allclose(pool(batch), alone, atol=1e-12)


@pytest.mark.parametrize("word", sorted(AGGREGATIONS))
def test_a_network_of_less_precision_is_pooled_in_full(word: str) -> None:
    pool, batch = built(word), maps(1).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        vectors = pool(batch)
    assert torch.equal(vectors, pool(batch.float()))


@pytest.mark.parametrize("word", sorted(AGGREGATIONS))
def test_gradients_are_those_of_finite_differences(word: str) -> None:
    pool = built(word).double()
    batch = (maps(2, (2, 6, 3, 4)) + 0.05).requires_grad_()
    given = [parameter for parameter in pool.parameters() if parameter.requires_grad]
    assert torch.autograd.gradcheck(lambda x, *_: pool(x), (batch, *given))


@pytest.mark.parametrize("word", ORDERLESS)
@given(seed=st.integers(0, 999))
def test_the_order_of_the_local_features_does_not_matter(word: str, seed: int) -> None:
    pool, batch = built(word).double(), maps(seed, (1, 6, 4, 4))
    order = torch.randperm(16, generator=torch.Generator().manual_seed(seed))
    mixed = batch.flatten(2)[:, :, order].view(1, 6, 4, 4)
    assert torch.allclose(pool(batch), pool(mixed), atol=1e-9)


@pytest.mark.parametrize("word", sorted(AGGREGATIONS))
def test_what_it_fits_is_the_same_for_the_same_seed_and_moves_its_vectors(word: str) -> None:
    pool, twin, batch = built(word), built(word), maps(3, (20, 6, 4, 4)).float()
    before = pool(batch).detach()
    for one in (pool, twin):
        samples = one.samples(batch).detach()
        assert samples.shape[::2] == (20, 6)
        one.fit(samples.flatten(0, 1), seed=5)
    assert torch.equal(pool(batch), twin(batch))
    assert torch.equal(pool(batch), before) != pool.fits


def test_local_features_are_the_columns_of_a_map() -> None:
    batch = maps()
    local = local_features(batch)
    assert local.shape == (2, 35, 6)
    assert torch.equal(local[1, 2 * 7 + 3], batch[1, :, 2, 3])


def test_gem_is_the_papers_formula() -> None:
    batch = maps()
    loops = [
        [(sum(float(x) ** 3 for x in plane.flatten()) / 35) ** (1 / 3) for plane in one]
        for one in batch
    ]
    assert torch.allclose(GeM(6).double()(batch), torch.tensor(loops, dtype=torch.float64))


def test_gem_lies_between_the_mean_and_the_maximum() -> None:
    batch = maps()
    assert torch.allclose(GeM(6, 1.0).double()(batch), Average(6)(batch))
    assert torch.allclose(GeM(6, 2000.0).double()(batch), MAC(6)(batch), rtol=3e-3)


@pytest.mark.parametrize("p", [1.0, 3.0, 12.0, 60.0])
def test_gem_of_a_dead_channel_has_a_gradient(p: float) -> None:
    dead = torch.zeros(1, 2, 3, 3, requires_grad=True)
    pool = GeM(2, p)
    pool(dead).sum().backward()
    assert pool(dead).tolist() == [[pytest.approx(1e-6)] * 2]
    assert pool.p.grad is not None
    assert torch.isfinite(pool.p.grad)


def test_spoc_weighs_cells_by_their_distance_from_the_middle() -> None:
    batch = maps()
    deviation = 5 / 2 / 3
    weights = [
        [
            math.exp(-((y + 0.5 - 2.5) ** 2 + (x + 0.5 - 3.5) ** 2) / (2 * deviation**2))
            for x in range(7)
        ]
        for y in range(5)
    ]
    total = sum(map(sum, weights))
    for b in range(2):
        for f in range(6):
            summed = sum(
                float(batch[b, f, y, x]) * weights[y][x] for y in range(5) for x in range(7)
            )
            assert float(SPoC(6)(batch)[b, f]) == pytest.approx(summed / total)
    assert float(centre_prior(5, 7).sum()) == pytest.approx(1)
    assert centre_prior(5, 7).argmax() == 2 * 7 + 3


@pytest.mark.parametrize(("height", "width", "cells"), [(8, 8, 4), (5, 7, 3), (2, 3, 4), (4, 4, 1)])
def test_a_grid_is_the_mean_of_each_cell(height: int, width: int, cells: int) -> None:
    batch = maps(shape=(2, 6, height, width))
    found = Grid(6, cells)(batch).view(2, 6, cells, cells)
    for y in range(cells):
        top, bottom = y * height // cells, -(-(y + 1) * height // cells)
        for x in range(cells):
            left, right = x * width // cells, -(-(x + 1) * width // cells)
            window = batch[:, :, top:bottom, left:right].flatten(2)
            assert torch.allclose(found[:, :, y, x], window.sum(dim=2) / window.shape[2])


def test_a_grid_of_no_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 cell a side, not 0"):
        Grid(6, 0)


def test_mac_is_the_maximum_of_each_channel() -> None:
    batch = maps()
    assert MAC(6)(batch).tolist() == [[max(plane.flatten().tolist()) for plane in b] for b in batch]


def test_rmac_adds_up_the_maxima_of_its_regions() -> None:
    batch = maps()
    for b in range(2):
        total = [0.0] * 6
        for top, left, side in regions(5, 7, 3):
            window = batch[b, :, top : top + side, left : left + side]
            vector = unit([max(plane.flatten().tolist()) for plane in window])
            total = [x + y for x, y in zip(total, vector, strict=True)]
        assert RMAC(6)(batch)[b].tolist() == pytest.approx(unit(total))


def test_regions_of_a_square_map_are_1_4_and_9() -> None:
    found = regions(12, 12, 3)
    assert found[0] == (0, 0, 12)
    assert found[1:5] == [(0, 0, 8), (0, 4, 8), (4, 0, 8), (4, 4, 8)]
    assert found[5:] == [(y, x, 6) for y in (0, 3, 6) for x in (0, 3, 6)]


@given(st.integers(1, 12), st.integers(0, 60))
def test_as_many_regions_lie_along_a_map_as_overlap_by_nearly_40_percent(
    short: int, more: int
) -> None:
    if not more:
        assert len(regions(short, short, 1)) == 1
        return
    overlaps = {gaps: 1 - more / gaps / short for gaps in range(1, 200)}
    best = min(overlaps, key=lambda gaps: abs(overlaps[gaps] - 0.4))
    for height, width in ((short, short + more), (short + more, short)):
        assert len(regions(height, width, 1)) == 1 + best


def test_regions_of_a_long_map_are_l_by_l_plus_m_minus_1() -> None:
    found = regions(10, 16, 3)  # two squares of 10 along 16 overlap by 40 %
    assert [side for _, _, side in found] == [10] * 2 + [6] * 6 + [5] * 12
    assert [left for top, left, side in found if side == 10] == [0, 6]
    assert [left for top, left, side in found if side == 6 and top == 0] == [0, 5, 10]
    assert regions(16, 10, 3) == sorted(
        ((left, top, side) for top, left, side in found), key=lambda at: (-at[2], at[0], at[1])
    )


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4))
def test_regions_lie_within_the_map_and_reach_its_edges(h: int, w: int, scales: int) -> None:
    found = regions(h, w, scales)
    assert all(top + s <= h and left + s <= w and s >= 1 for top, left, s in found)
    for side in {side for _, _, side in found}:
        if side == min(h, w) or side * 3 == 2 * min(h, w):
            at = [(top, left) for top, left, s in found if s == side]
            assert min(at) == (0, 0)
            assert max(at) == (h - side, w - side)


def test_rmac_of_a_constant_map_is_the_direction_of_the_constant() -> None:
    constant = torch.tensor([1.0, 2, 3, 0, 5, 6])
    vectors = RMAC(6)(constant.view(1, 6, 1, 1).expand(1, 6, 9, 5))
    assert torch.allclose(vectors[0], functional.normalize(constant, dim=0))


def test_whitened_regions_have_no_favourite_direction() -> None:
    pool, batch = RMAC(6, whiten=True), maps(4, (60, 6, 6, 6)).float()
    samples = pool.samples(batch).flatten(0, 1)
    pool.fit(samples, seed=0)
    assert pool.whitening is not None
    white = (samples - pool.whitening.mean) @ pool.whitening.matrix.T
    assert torch.allclose(white.T @ white / len(white), torch.eye(6), atol=1e-3)
    vectors = pool(batch)
    by_hand = functional.normalize(
        functional.normalize(white, dim=1).view(60, -1, 6).sum(dim=1), dim=1
    )
    assert torch.allclose(vectors, by_hand, atol=1e-5)


def test_attention_by_norm_is_the_papers_sum_but_for_its_length() -> None:
    batch = maps()
    pooled = AttentionPooling(6)(batch)
    for b in range(2):
        columns = [batch[b, :, y, x].tolist() for y in range(5) for x in range(7)]
        norms = [math.sqrt(sum(v * v for v in column)) for column in columns]
        summed = [sum(n * c[f] for n, c in zip(norms, columns, strict=True)) for f in range(6)]
        assert unit(pooled[b].tolist()) == pytest.approx(unit(summed))


@pytest.mark.parametrize("score", ["norm", "softplus"])
def test_attention_looks_at_what_was_pasted(score: str) -> None:
    torch.manual_seed(0)
    pool = AttentionPooling(6, score)  # type: ignore[arg-type]
    batch = 0.01 * maps(5, (64, 6, 8, 8)).float()
    batch[:, :, 2:4, 5:7] += maps(6, (64, 6, 2, 2)).float()
    if score == "softplus":  # taught to tell how strong the pasted patch is, and nothing else
        optimiser = torch.optim.Adam(pool.parameters(), 0.02)
        wanted = batch[:, :, 2:4, 5:7].mean(dim=(2, 3))
        for _ in range(60):
            optimiser.zero_grad()
            (pool(batch) - wanted).square().sum().backward()
            optimiser.step()
    weights = pool.weights(batch)
    assert torch.allclose(weights.sum(dim=(1, 2)), torch.ones(64))
    assert weights[:, 2:4, 5:7].sum(dim=(1, 2)).min() > 0.5


def test_attention_to_nothing_is_nothing() -> None:
    blank = torch.zeros(1, 6, 3, 3, requires_grad=True)
    pooled = AttentionPooling(6)(blank)
    pooled.sum().backward()
    assert not pooled.any()
    assert blank.grad is not None
    assert torch.isfinite(blank.grad).all()


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="Unknown score 'max' of attention: choose from norm"):
        AttentionPooling(6, "max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 1 scale of regions, not 0"):
        RMAC(6, scales=0)
