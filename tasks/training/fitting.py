"""Codebooks and whitenings of poolings, found in closed form before an encoder learns and after."""

from typing import Final

import torch

from models.aggregation.base import Aggregation
from models.networks.base import Encoder
from tasks.training.everything import Everything

LOCAL: Final = 50_000
"""Local features, or regions, from which a codebook or a whitening is found, at most."""


def fit_poolings(
    encoder: Encoder, everything: Everything, seed: int, *, again: bool = False
) -> list[torch.Tensor]:
    """Find what the poolings of ENCODER do not learn; the numbers in which it lies.

    They are a part of the encoder like any weight; equal seeds find equal ones on a CPU.

    Args:
        encoder: on the device where EVERYTHING looks at it.
        everything: the pictures.
        seed: of all that is drawn.
        again: it has learned since; what then learned on from where it began is left alone.

    Raises:
        ValueError: there are too few pictures.
    """
    found: list[torch.Tensor] = []
    for part in encoder.modules():
        if isinstance(part, Aggregation) and part.fits and not (again and part.learns):
            part.fit(everything.local(encoder, part, LOCAL, seed), seed)
            found += part.state_dict().values()
    return found
