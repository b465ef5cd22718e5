"""Whitening an encoder after its training: found in closed form, it becomes the encoder's head."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.composition import Whitening
from models.networks.base import Encoder, Head
from models.networks.heads import WhiteningHead
from models.whitening import learned_whitening, pca_whitening
from tasks.training.marks import Marks

PAIRS: Final = 50_000
"""Matching pairs that a whitening is learned from, at most."""
NUMBERS: Final = 2**27
"""Numbers of all pooled vectors that a whitening is found from, at most."""
ENOUGH: Final = 4
"""Paired pictures a dimension of what is pooled, without which nobody knows how much matching ones
differ in every direction: where they seem not to, they would be all that counts."""

Rows = NDArray[np.int64]


def head_of(encoder: Encoder) -> Head | WhiteningHead:
    """The head of ENCODER, which can be made to whiten.

    Raises:
        ValueError: it has none that projects.
    """
    if isinstance(encoder.head, Head | WhiteningHead):
        return encoder.head
    raise ValueError(
        f"whitening becomes the projection of an encoder, and {type(encoder).__name__} of "
        f"{encoder.dimensions} dimensions has none: choose fewer dimensions, or whitening: none."
    )


def whiten(
    encoder: Encoder, pooled: torch.Tensor, kind: Whitening, labels: Marks | None, seed: int
) -> None:
    """Make the head of ENCODER whiten what comes to it; of unit length where it is made for that.

    Args:
        encoder: trained.
        pooled: (N, F) what it makes of the pictures it learned from; a row of zeros is a bad one.
        kind: "pca", or "half_pca" with half its power, or "learned" from pairs of pictures of one
            class; "none" of a head that only whitens: learned where `ENOUGH` pictures have a
            partner, else pca.
        labels: of those pictures, where they are looked at.
        seed: of the choice of pairs.

    Raises:
        ValueError: no two pictures match; or there are no more pictures than dimensions.
    """
    head, dimensions = head_of(encoder), encoder.dimensions
    good = pooled.abs().sum(dim=1) > 0
    pooled = pooled[good]
    if isinstance(head, WhiteningHead):
        pooled, dimensions = functional.normalize(pooled), head.dimensions
        if len(pooled) <= dimensions:
            raise ValueError(
                f"{len(pooled)} pictures tell no whitening of {dimensions} dimensions: choose "
                "fewer dimensions than there are pictures."
            )
    pairs = np.empty((0, 2), np.int64)
    if labels is not None and kind in ("learned", "none"):
        pairs = matching(labels.at(good.numpy()).first, seed)
    if kind == "learned" or len(np.unique(pairs)) >= ENOUGH * pooled.shape[1]:
        head.fix(*learned_whitening(pooled, torch.from_numpy(pairs), dimensions))
    else:
        head.fix(*pca_whitening(pooled, dimensions, power=0.5 if kind == "half_pca" else 1.0))
    encoder.dimensions = dimensions


def most_of(encoder: Encoder) -> int:
    """How many pictures the whitening of ENCODER may be found from."""
    head = head_of(encoder)
    inputs = head.inputs if isinstance(head, WhiteningHead) else head.project.in_features
    return max(1, NUMBERS // inputs)


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
