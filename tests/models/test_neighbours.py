"""Mutual neighbours are those of all pairs of distances, and walks stay among them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from models import neighbours
from models.neighbours import NOBODY, mutual_neighbours, reduced, walked


def points(seed: int, count: int, width: int = 5) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def nearest(rows: torch.Tensor, k: int) -> list[list[int]]:
    """The k nearest others of each, by the cosine, in loops."""
    found = []
    for one, row in enumerate(rows.double()):
        near = [
            (-float(functional.cosine_similarity(row, other, dim=0)), number)
            for number, other in enumerate(rows.double())
            if number != one
        ]
        found.append([number for _, number in sorted(near)[:k]])
    return found


@pytest.mark.parametrize("block", [1, 70, 1 << 24])
@pytest.mark.parametrize(("count", "k"), [(30, 4), (7, 3), (4, 10), (2, 1)])
def test_mutual_are_those_who_have_each_other_among_their_nearest(
    count: int, k: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "DISTANCES", block)
    rows = points(count, count)
    near = nearest(rows, k)
    wanted = [[other for other in near[one] if one in near[other]] for one in range(count)]
    found = mutual_neighbours(rows, k)
    assert found.shape == (count, min(k, count - 1))
    told = [[other for other in row if other != NOBODY] for row in found.tolist()]
    assert told == wanted
    for row, mine in zip(found.tolist(), wanted, strict=True):
        assert row[len(mine) :] == [NOBODY] * (len(row) - len(mine))


@pytest.mark.parametrize("count", [0, 1])
def test_who_is_alone_has_nobody(count: int) -> None:
    assert mutual_neighbours(points(0, count), 3).numel() == 0


@given(st.integers(0, 20), st.integers(0, 4), st.integers(1, 3))
def test_a_walk_goes_from_neighbour_to_neighbour(seed: int, steps: int, k: int) -> None:
    table = mutual_neighbours(points(seed, 20), k).numpy()
    reached = [{row} for row in range(20)]
    for _ in range(steps):
        onwards = [
            [{int(n) for n in table[at] if n != NOBODY} or {at} for at in places]
            for places in reached
        ]
        reached = [set().union(*sets) for sets in onwards]
    ends = walked(table, np.arange(20), steps, np.random.default_rng(seed))
    assert all(int(end) in where for end, where in zip(ends, reached, strict=True))


def test_every_neighbour_is_as_likely_and_lots_decide() -> None:
    table = np.array([[1, 2, NOBODY], [0, NOBODY, NOBODY], [0, NOBODY, NOBODY]])
    begin = np.zeros(4000, np.int64)
    ends = walked(table, begin, 1, np.random.default_rng(0))
    assert np.bincount(ends, minlength=3)[0] == 0
    assert abs(int((ends == 1).sum()) - 2000) < 200  # six standard deviations
    assert np.array_equal(ends, walked(table, begin, 1, np.random.default_rng(0)))


def test_principal_directions_keep_what_there_is_to_keep() -> None:
    flat = points(1, 40, 3) @ points(2, 3, 12) + 5  # three dimensions within twelve
    found = reduced(flat, 3)
    centred = functional.normalize(flat - flat.mean(dim=0))
    assert torch.allclose(found @ found.T, centred @ centred.T, atol=1e-4)
    assert reduced(flat, 64).shape == (40, 12)
    assert reduced(points(0, 2), 64).shape == (2, 2)


def test_directions_of_many_points_are_those_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    many = points(0, 600, 4) * torch.tensor([9.0, 3.0, 1.0, 0.1])
    whole = reduced(many, 2)
    monkeypatch.setattr(neighbours, "SAMPLE", 300)
    found = reduced(many, 2, seed=1)
    assert not torch.equal(found, whole)
    assert float((found @ found.T - whole @ whole.T).abs().mean()) < 0.1
    assert torch.equal(found, reduced(many, 2, seed=1))
    assert not torch.equal(found, reduced(many, 2, seed=2))
