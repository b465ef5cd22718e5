"""Codes in closed form: a mean and a matrix whose signs are bits, and that no gradient taught.

They are the floors that anything learned has to beat. Letters: N features, D dimensions, K bits.
"""

from typing import NamedTuple

import torch

from models.whitening import Projection, principal


class Rotated(NamedTuple):
    """What iterative quantisation found.

    Args:
        projection: its signs, 0 counting as positive, are the K bits.
        errors: the squared distance of projections from their bits, after each turn; it falls.
    """

    projection: Projection
    errors: tuple[float, ...]


def pca_hash(features: torch.Tensor, bits: int) -> Projection:
    """The K principal directions of FEATURES (N, D); a bit says on which side of the mean.

    Wang, Kumar and Chang, "Semi-Supervised Hashing for Scalable Image Retrieval", 2010, with
    no labels.

    Raises:
        ValueError: BITS is not from 1 to D.
    """
    mean, _, directions = principal(features, bits)
    return Projection(mean.to(features), directions.to(features))


def itq(features: torch.Tensor, bits: int, seed: int, turns: int = 50) -> Rotated:
    """The K principal directions of FEATURES (N, D), turned so that their signs lose least.

    From a random rotation on, bits are taken as the signs of the turned projections, and the
    rotation as the one that brings the projections nearest to the bits, by turns (Gong and
    Lazebnik, "Iterative Quantization: A Procrustean Approach to Learning Binary Codes", 2011,
    equation 2).

    Args:
        features: of training images.
        bits: K.
        seed: of the first rotation.
        turns: how often.

    Raises:
        ValueError: BITS is not from 1 to D.
    """
    mean, _, directions = principal(features, bits)
    centred = (features.double() - mean) @ directions.T  # (N, K)
    rotation = rotation_of(bits, seed).to(centred)
    errors = []
    for _ in range(turns):
        codes = signs(centred @ rotation)
        left, _, right = torch.linalg.svd(codes.T @ centred)  # both (K, K)
        rotation = right.T @ left.T
        errors.append(float((codes - centred @ rotation).square().sum()))
    matrix = rotation.T @ directions
    return Rotated(Projection(mean.to(features), matrix.to(features)), tuple(errors))


def rotation_of(size: int, seed: int) -> torch.Tensor:
    """A rotation (SIZE, SIZE) float64 drawn evenly from all, reflections among them.

    Mezzadri, "How to Generate Random Matrices from the Classical Compact Groups", 2007.
    """
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(size, size, generator=generator, dtype=torch.float64)
    basis, triangle = torch.linalg.qr(normal)
    return basis * signs(triangle.diagonal())


def signs(values: torch.Tensor) -> torch.Tensor:
    """VALUES as -1 and +1, of which 0 is +1."""
    return torch.where(values < 0, -1.0, 1.0).to(values)
