"""Clusters: k-means.

Letters: N points, D dimensions, K clusters. Equal seeds give equal clusters on a CPU.
"""

import math
from typing import Final, NamedTuple

import torch

CHUNK: Final = 2**24
"""Numbers held at once while distances are computed: 64 MB of float32."""


class Clusters(NamedTuple):
    """What k-means found.

    Args:
        centres: (K, D).
        labels: (N,) int64, the nearest centre of each point.
        inertia: the sum of squared distances to the nearest centre before each round, and at last.
    """

    centres: torch.Tensor
    labels: torch.Tensor
    inertia: tuple[float, ...]


def kmeans(
    points: torch.Tensor, clusters: int, seed: int, rounds: int = 25, batch: int = 0
) -> Clusters:
    """K clusters of POINTS (N, D) whose centres are their means, begun by k-means++.

    Each round assigns the points and moves the centres to their means (Lloyd, "Least Squares
    Quantization in PCM", 1982), until nothing changes; or, with BATCH, assigns that many drawn at
    random, and a centre becomes the mean of all that ever came to it (Sculley, "Web-Scale K-Means
    Clustering", 2010). A centre that no point came to takes the place of the point that is worst
    served.

    Args:
        points: finite numbers.
        clusters: K; at most N.
        seed: of all that is drawn.
        rounds: the most there are.
        batch: points a round; 0: all.

    Raises:
        ValueError: there are fewer points than clusters, or no cluster.
    """
    if not 1 <= clusters <= len(points):
        raise ValueError(f"{len(points)} points cannot make {clusters} clusters.")
    generator = torch.Generator().manual_seed(seed)
    centres = _plus_plus(points, clusters, generator)
    counts = torch.zeros(clusters, dtype=points.dtype, device=points.device)
    inertia: list[float] = []
    for _ in range(rounds):
        some = points
        if batch:
            drawn = torch.randint(len(points), (batch,), generator=generator)
            some = points[drawn.to(points.device)]
        else:
            counts.zero_()  # a round of all points starts from nothing
        labels, squares = (of[:, 0] for of in nearest(some, centres))
        inertia.append(float(squares.sum()))
        moved = _means(some, labels, centres, counts)
        _reseed(some, squares, moved, counts)
        if not batch and torch.equal(moved, centres):
            break
        centres = moved
    labels, squares = (of[:, 0] for of in nearest(points, centres))
    return Clusters(centres, labels, (*inertia, float(squares.sum())))


def nearest(
    points: torch.Tensor, centres: torch.Tensor, count: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """The COUNT nearest CENTRES (K, D) of POINTS (N, D): numbers (N, n), squared distances (N, n).

    The nearest comes first; at equal distance the lower number.
    """
    lengths = centres.square().sum(dim=1)  # (K,)
    numbers, squares = [], []
    for some in torch.split(points, max(1, CHUNK // max(len(centres), count * points.shape[1]))):
        apart = lengths - 2 * (some @ centres.T)  # (n, K), but for the length of the point
        first = _least(apart, count)
        numbers.append(first)
        exact = (some[:, None, :] - centres[first]).square().sum(dim=2)  # no difference of squares
        squares.append(exact)
    return torch.cat(numbers), torch.cat(squares)


def _least(apart: torch.Tensor, count: int) -> torch.Tensor:
    """The columns of the COUNT least of each row of APART (N, K); where they tie, the lower."""
    if count == 1:
        return apart.argmin(dim=1, keepdim=True)
    return apart.argsort(dim=1, stable=True)[:, :count]


def _plus_plus(points: torch.Tensor, clusters: int, generator: torch.Generator) -> torch.Tensor:
    """CLUSTERS of POINTS that lie far apart, (K, D).

    Some are drawn with the square of their distance to those taken before, and of these the one is
    taken that leaves the points nearest to what is taken (Arthur and Vassilvitskii, "k-means++: The
    Advantages of Careful Seeding", 2007, the greedy variant).
    """
    taken = [int(torch.randint(len(points), (1,), generator=generator))]
    trials = 2 + int(math.log(clusters))
    apart = _squares(points, points[taken])[:, 0]
    while len(taken) < clusters:
        if not apart.any():  # fewer different points than clusters: more of the same
            there = set(taken)
            taken += [n for n in range(len(points)) if n not in there][: clusters - len(taken)]
            break
        total = apart.cumsum(dim=0)
        marks = torch.rand(trials, generator=generator, dtype=torch.float64).to(total) * total[-1]
        drawn = torch.searchsorted(total, marks, right=True).clamp_max(len(points) - 1)
        left = torch.minimum(apart[:, None], _squares(points, points[drawn]))  # (N, trials)
        best = int(left.sum(dim=0).argmin())
        taken.append(int(drawn[best]))
        apart = left[:, best]
        apart[taken[-1]] = 0
    return points[taken].clone()


def _squares(points: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """The squared distances (N, K) float64 of POINTS from few CENTRES."""
    lengths = points.square().sum(dim=1, keepdim=True) + centres.square().sum(dim=1)  # (N, K)
    return (lengths - 2 * (points @ centres.T)).clamp_min(0).double()


def _means(
    points: torch.Tensor, labels: torch.Tensor, centres: torch.Tensor, counts: torch.Tensor
) -> torch.Tensor:
    """The means of all that came to CENTRES: COUNTS (K,) before, and now POINTS, counted too."""
    sums = (centres * counts[:, None]).index_add(0, labels, points)
    counts += torch.bincount(labels, minlength=len(centres)).to(counts)
    return torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], centres)


def _reseed(
    points: torch.Tensor, squares: torch.Tensor, centres: torch.Tensor, counts: torch.Tensor
) -> None:
    """Put CENTRES that no point ever came to on those of POINTS with the greatest SQUARES."""
    empty = torch.nonzero(counts == 0).flatten()[: len(points)]
    worst = squares.argsort(descending=True, stable=True)[: len(empty)]
    apart = squares[worst] > 0  # else a centre lies there already
    centres[empty[apart]] = points[worst[apart]]
