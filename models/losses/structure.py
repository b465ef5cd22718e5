"""Losses of the structure of the data: what lies close together before is to do so afterwards."""

import torch
from torch.nn import functional

from models.losses.terms import cosines, in_float32


@in_float32
def neighbourhoods(
    features: torch.Tensor, source: torch.Tensor, temperature: float = 0.1
) -> torch.Tensor:
    """How badly FEATURES (B, D) have the neighbours that the SOURCE (B, F) has, a scalar.

    The mean over i of KL(p_i || q_i), where p_i and q_i say with what chance i would choose each
    other image as its neighbour: softmax over cosines / TEMPERATURE of the SOURCE, which learns
    nothing, and of FEATURES (Hinton and Roweis, "Stochastic Neighbor Embedding", 2002, equations
    1 to 3, with cosines in place of distances).
    """
    near, wanted = (
        (_others(cosines(rows, rows)) / temperature).log_softmax(dim=1)
        for rows in (features, source.detach())
    )
    return functional.kl_div(near, wanted, reduction="batchmean", log_target=True)


def _others(square: torch.Tensor) -> torch.Tensor:
    """SQUARE (B, B) without its diagonal, (B, B - 1): off it lie B in a row between two of it."""
    count = len(square)
    return square.flatten()[1:].view(count - 1, count + 1)[:, :-1].reshape(count, count - 1)
