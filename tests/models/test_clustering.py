"""Clusters are found again, equal for equal seeds, and none is empty that need not be."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import clustering
from models.clustering import kmeans, nearest
from models.losses import sinkhorn


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def blobs(clusters: int, each: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (K each, 4) about far centres, and the number of each point's centre."""
    centres = 20 * torch.eye(clusters, 4, dtype=torch.float64) + drawn(seed, clusters, 4)
    points = centres[:, None] + 0.5 * drawn(seed + 1, clusters, each, 4)
    return points.flatten(0, 1), torch.arange(clusters).repeat_interleave(each)


@given(st.integers(0, 99), st.sampled_from([0, 64]))
def test_clusters_that_are_far_apart_are_found(seed: int, batch: int) -> None:
    points, truth = blobs(4, 40)
    found = kmeans(points, 4, seed, batch=batch)
    names = {(int(t), int(label)) for t, label in zip(truth, found.labels, strict=True)}
    assert len(names) == 4
    for t, label in names:
        near = 1e-9 if not batch else 0.5
        assert (found.centres[label] - points[truth == t].mean(dim=0)).norm() < near


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_round_is_lloyds(rounds: int) -> None:
    points = drawn(0, 30, 2)
    found = kmeans(points, 4, seed=3, rounds=rounds)
    before = kmeans(points, 4, seed=3, rounds=rounds - 1).centres.tolist()
    groups: dict[int, list[list[float]]] = {}
    for point in points.tolist():
        apart = [math.dist(point, centre) for centre in before]
        groups.setdefault(apart.index(min(apart)), []).append(point)
    for k, group in groups.items():
        mean = [sum(axis) / len(group) for axis in zip(*group, strict=True)]
        assert found.centres[k].tolist() == pytest.approx(mean)


def test_a_round_of_some_moves_a_centre_to_the_mean_of_all_that_ever_came_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = drawn(0, 30, 2)
    monkeypatch.setattr(clustering, "_plus_plus", lambda *_: points[:3])
    found = kmeans(points, 3, seed=5, rounds=4, batch=12)
    lots, centres = torch.Generator().manual_seed(5), points[:3].tolist()
    came: list[list[list[float]]] = [[], [], []]
    inertia = []
    for _ in range(4):
        total, before = 0.0, list(centres)
        for row in torch.randint(30, (12,), generator=lots).tolist():
            apart = [math.dist(points[row].tolist(), centre) ** 2 for centre in before]
            came[apart.index(min(apart))].append(points[row].tolist())
            total += min(apart)
        inertia.append(total)
        centres = [[sum(axis) / len(group) for axis in zip(*group, strict=True)] for group in came]
    for one, other in zip(found.centres.tolist(), centres, strict=True):
        assert one == pytest.approx(other)
    assert list(found.inertia[:-1]) == pytest.approx(inertia)


@pytest.mark.parametrize("seed", range(4))
def test_it_begins_with_the_best_of_a_few_points_drawn_by_squared_distance(seed: int) -> None:
    points = drawn(3, 40, 2).tolist()
    lots = torch.Generator().manual_seed(seed)
    taken = [int(torch.randint(40, (1,), generator=lots))]
    apart = [math.dist(point, points[taken[0]]) ** 2 for point in points]
    while len(taken) < 5:
        tried = []
        for chance in torch.rand(3, generator=lots, dtype=torch.float64).tolist():
            mark, drawn_one = chance * sum(apart), 0
            while mark >= apart[drawn_one]:
                mark -= apart[drawn_one]
                drawn_one += 1
            left = [
                min(far, math.dist(point, points[drawn_one]) ** 2)
                for far, point in zip(apart, points, strict=True)
            ]
            tried.append((sum(left), drawn_one, left))
        _, best, apart = min(tried)
        taken.append(best)
    found = kmeans(drawn(3, 40, 2), 5, seed, rounds=0).centres
    assert torch.equal(found, drawn(3, 40, 2)[taken])


@given(st.integers(0, 99))
def test_every_round_brings_the_points_nearer_to_their_centres(seed: int) -> None:
    inertia = kmeans(drawn(seed, 200, 3), 8, seed).inertia
    assert all(b <= a * (1 + 1e-12) for a, b in pairwise(inertia))


@pytest.mark.parametrize("batch", [0, 32])
def test_equal_seeds_give_equal_clusters_and_other_seeds_others(batch: int) -> None:
    points = drawn(1, 300, 5).float()
    one, two, other = (kmeans(points, 9, seed, batch=batch) for seed in (7, 7, 8))
    assert torch.equal(one.centres, two.centres)
    assert torch.equal(one.labels, two.labels)
    assert not torch.equal(one.centres, other.centres)


def test_the_labels_are_the_nearest_centres() -> None:
    points = drawn(2, 150, 3)
    found = kmeans(points, 6, 0, rounds=2)
    assert torch.equal(found.labels, torch.cdist(points, found.centres).argmin(dim=1))
    squares = (points - found.centres[found.labels]).square().sum()
    assert found.inertia[-1] == pytest.approx(float(squares))


def test_a_centre_that_nobody_comes_to_goes_where_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points, _ = blobs(3, 20)
    far = torch.full((1, 4), 900.0, dtype=torch.float64)
    start = torch.cat([points[:2], far])  # two centres in one blob, the third nowhere
    monkeypatch.setattr(clustering, "_plus_plus", lambda *_: start)
    found = kmeans(points, 3, 0)
    assert torch.bincount(found.labels, minlength=3).tolist() == [20, 20, 20]


def test_fewer_different_points_than_clusters_are_no_trouble() -> None:
    points = torch.tensor([[0.0, 0.0]] * 5 + [[1.0, 1.0]] * 5)
    found = kmeans(points, 4, 0)
    assert found.inertia[-1] == 0
    assert torch.isfinite(found.centres).all()


@given(st.integers(1, 5), st.integers(0, 99))
def test_the_nearest_are_those_of_a_full_sort_however_it_is_cut(count: int, seed: int) -> None:
    points, centres = drawn(seed, 23, 3), drawn(seed + 1, 5, 3)
    before = clustering.CHUNK
    try:
        clustering.CHUNK = 40  # type: ignore[misc]
        numbers, squares = nearest(points, centres, count)
    finally:
        clustering.CHUNK = before  # type: ignore[misc]
    for n in range(23):
        apart = [math.dist(points[n].tolist(), centre) ** 2 for centre in centres.tolist()]
        order = sorted(range(5), key=apart.__getitem__)[:count]
        assert numbers[n].tolist() == order
        assert squares[n].tolist() == pytest.approx([apart[k] for k in order])


def test_of_equally_near_centres_the_first_is_meant() -> None:
    centres = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])
    assert nearest(torch.zeros(1, 2), centres, 3)[0].tolist() == [[0, 1, 2]]
    assert nearest(torch.zeros(1, 2), centres)[0].tolist() == [[0]]


def test_sinkhorn_is_the_papers_listing() -> None:
    scores = torch.rand(12, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    q = [[math.exp(float(s) / 0.05) for s in row] for row in scores]
    total = sum(map(sum, q))
    q = [[x / total for x in row] for row in q]
    for _ in range(3):
        columns = [sum(row[k] for row in q) for k in range(4)]
        q = [[x / columns[k] / 4 for k, x in enumerate(row)] for row in q]
        q = [[x / sum(row) / 12 for x in row] for row in q]
    expected = torch.tensor([[x * 12 for x in row] for row in q], dtype=torch.float64)
    assert torch.allclose(sinkhorn(scores), expected)


def test_sinkhorn_spreads_points_evenly_even_where_all_prefer_one_cluster() -> None:
    scores = torch.rand(400, 5, generator=torch.Generator().manual_seed(0))
    scores[:, 0] += 3  # exp(60) would overflow in float16 and drown the others in a plain softmax
    shares = sinkhorn(scores, iterations=20)
    assert torch.allclose(shares.sum(dim=1), torch.ones(400), atol=1e-5)
    assert torch.allclose(shares.sum(dim=0), torch.full((5,), 80.0), rtol=0.02)


def test_more_clusters_than_points_are_refused() -> None:
    with pytest.raises(ValueError, match="3 points cannot make 4 clusters"):
        kmeans(torch.rand(3, 2), 4, 0)
    with pytest.raises(ValueError, match="3 points cannot make 0 clusters"):
        kmeans(torch.rand(3, 2), 0, 0)
