"""Whitening an encoder after its training: found in closed form, it becomes the encoder's head."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.networks.base import Encoder, Head
from models.whitening import learned_whitening, pca_whitening
from tasks.marks import Marks
from tasks.train_plan import Whitening

PAIRS: Final = 50_000
"""Matching pairs that a whitening is learned from, at most."""

Rows = NDArray[np.int64]


def head_of(encoder: Encoder) -> Head:
    """The head of ENCODER, which can be made to whiten.

    Raises:
        ValueError: it has none that projects.
    """
    if isinstance(encoder.head, Head):
        return encoder.head
    raise ValueError(
        f"whitening becomes the projection of an encoder, and {type(encoder).__name__} of "
        f"{encoder.dimensions} dimensions has none: choose fewer dimensions, or whitening: none."
    )


def whiten(
    encoder: Encoder, pooled: torch.Tensor, kind: Whitening, labels: Marks | None, seed: int
) -> None:
    """Make the head of ENCODER whiten what comes to it.

    Args:
        encoder: trained.
        pooled: (N, F) what it makes of the pictures it learned from; a row of zeros is a bad one.
        kind: "pca", or "learned" from pairs of pictures of one class.
        labels: of those pictures, where they are looked at.
        seed: of the choice of pairs.

    Raises:
        ValueError: no two pictures match.
    """
    head, dimensions = head_of(encoder), encoder.dimensions
    good = pooled.abs().sum(dim=1) > 0
    if kind == "pca":
        head.fix(*pca_whitening(pooled[good], dimensions))
    elif kind == "learned" and labels is not None:
        pairs = matching(labels.at(good.numpy()).first, seed)
        head.fix(*learned_whitening(pooled[good], torch.from_numpy(pairs), dimensions))


def matching(classes: Rows, seed: int) -> Rows:
    """Pairs (P, 2) of rows of the same of CLASSES (N,), at most `PAIRS`, drawn by SEED.

    Each row is paired with the next of its class in an order drawn by lot; -1 is no class.
    """
    lots = np.random.default_rng(seed)
    drawn = lots.permutation(np.flatnonzero(classes >= 0))
    drawn = drawn[np.argsort(classes[drawn], kind="stable")]
    same = classes[drawn[1:]] == classes[drawn[:-1]]
    pairs = np.stack([drawn[:-1][same], drawn[1:][same]], axis=1)
    return pairs[np.sort(lots.permutation(len(pairs))[:PAIRS])]
