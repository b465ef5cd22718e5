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
    count = len(features)
    others = ~torch.eye(count, dtype=torch.bool, device=features.device)
    near, wanted = (
        (cosines(rows, rows)[others].view(count, count - 1) / temperature).log_softmax(dim=1)
        for rows in (features, source.detach())
    )
    return functional.kl_div(near, wanted, reduction="batchmean", log_target=True)
