"""Who is whose nearest neighbour among many points, and where walks among them end.

Letters: N points, F dimensions, k neighbours.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.whitening import principal

NOBODY: Final = -1
"""Stands where a point has fewer neighbours than a row has room."""
DISTANCES: Final = 1 << 24
"""So many distances are held at once, 64 MiB."""
SAMPLE: Final = 10_000
"""Of so many points principal directions are found, drawn by lot where there are more."""

Rows = NDArray[np.int64]


def reduced(points: torch.Tensor, dimensions: int, seed: int = 0) -> torch.Tensor:
    """POINTS (N, F) about their mean along their DIMENSIONS principal directions, unit length.

    (N, D), D the least of DIMENSIONS, F and N; the directions are those of a `SAMPLE`.
    """
    generator = torch.Generator().manual_seed(seed)
    some = torch.randperm(len(points), generator=generator)[:SAMPLE].to(points.device)
    mean, _, directions = principal(points[some], min(dimensions, *points[some].shape))
    matrix = directions.to(points).T  # (F, D)
    return functional.normalize(points @ matrix - mean.to(points) @ matrix)


def mutual_neighbours(points: torch.Tensor, k: int) -> torch.Tensor:
    """Of each of POINTS (N, F) those that are among its k nearest and have it among theirs.

    (N, k) int64 on the device of POINTS, the nearest first, and `NOBODY` where there are fewer. All
    are compared with all, by the cosine, a block of rows at a time, so that memory grows with N
    alone.
    """
    count, k = len(points), max(0, min(k, len(points) - 1))
    units = functional.normalize(points)
    nearest = torch.empty(count, k, dtype=torch.int64, device=points.device)
    rows = torch.arange(count, device=points.device)
    for some in torch.split(rows, max(1, DISTANCES // max(1, count))):
        near = units[some] @ units.T
        near[torch.arange(len(some), device=points.device), some] = float("-inf")
        nearest[some] = near.topk(k, dim=1).indices
    ahead = rows[:, None] * count + nearest  # (N, k), each edge a number
    back = nearest * count + rows[:, None]
    mutual = torch.isin(ahead, back)
    order = (~mutual).to(torch.uint8).argsort(dim=1, stable=True)
    return nearest.masked_fill(~mutual, NOBODY).gather(1, order)


def walked(neighbours: Rows, rows: Rows, steps: int, lots: np.random.Generator) -> Rows:
    """Where walks that begin at ROWS (n,) are after so many STEPS, each to a neighbour by lot.

    Who has no neighbour stays where it is. NEIGHBOURS (N, k) are as `mutual_neighbours` finds them.
    """
    at = rows
    for _ in range(steps):
        theirs = neighbours[at]
        several = (theirs != NOBODY).sum(axis=1)
        drawn = (lots.random(len(at)) * several).astype(np.int64)
        onwards = np.take_along_axis(theirs, drawn[:, None], axis=1)[:, 0]
        at = np.where(several > 0, onwards, at)
    return at
