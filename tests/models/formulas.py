"""What the oracles of the losses share: drawn numbers, and formulas in plain loops."""

import math
from collections.abc import Sequence

import torch

B, D, C = 6, 8, 4
"""A batch's images, their features, and the classes."""

LABELS = (0, 1, 2, 0, 1, 0)
"""Of the batch; class 3 has no image."""


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal numbers, float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniform(*shape: int, seed: int = 0) -> torch.Tensor:
    """Numbers in [0, 1), float64."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def targets(several: bool = False, unlabelled: Sequence[int] = ()) -> torch.Tensor:
    """(B, C) of `LABELS`, each row with a second label where SEVERAL, none for some rows."""
    rows = torch.zeros(B, C, dtype=torch.float64)
    for row, label in enumerate(LABELS):
        rows[row, label] = 1
        if several and row % 2:
            rows[row, (label + 1) % C] = 1
    rows[list(unlabelled)] = 0
    return rows


def dot(a: Sequence[float] | torch.Tensor, b: Sequence[float] | torch.Tensor) -> float:
    return sum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def squared(a: torch.Tensor, b: torch.Tensor) -> float:
    """The squared distance of the unit vectors along A and B."""
    lengths = math.sqrt(dot(a, a)), math.sqrt(dot(b, b))
    return sum(
        (float(x) / lengths[0] - float(y) / lengths[1]) ** 2 for x, y in zip(a, b, strict=True)
    )


def cross_entropy(logits: Sequence[float], shares: Sequence[float]) -> float:
    total = math.log(sum(math.exp(logit) for logit in logits))
    return -sum(share * (logit - total) for share, logit in zip(shares, logits, strict=True))


def softmax(logits: Sequence[float]) -> list[float]:
    total = sum(math.exp(logit) for logit in logits)
    return [math.exp(logit) / total for logit in logits]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def pairs_of(rows: torch.Tensor) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The ordered pairs of labelled rows that share a label, and those that do not."""
    alike: list[tuple[int, int]] = []
    unlike: list[tuple[int, int]] = []
    for i in range(len(rows)):
        for j in range(len(rows)):
            if i != j and rows[i].sum() and rows[j].sum():
                (alike if dot(rows[i], rows[j]) else unlike).append((i, j))
    return alike, unlike
