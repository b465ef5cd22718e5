"""The average of an encoder over the steps of its training, which often searches better than it."""

import copy

import torch

from models.networks.base import Encoder


class Averaged:
    """An encoder whose weights are an exponential moving average of those of one that learns.

    After step t the average is d of itself and 1 - d of the encoder, d the lesser of DECAY and
    (1 + t) / (10 + t), so that the weights as they were drawn are soon forgotten (Polyak and
    Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992; the rise of d is
    TensorFlow's). Means and variances of batches are averaged too; what is whole numbers is copied.

    Args:
        encoder: as it is before its first step, on its device.
        decay: between 0 and 1.
    """

    def __init__(self, encoder: Encoder, decay: float) -> None:
        self.encoder = copy.deepcopy(encoder).requires_grad_(False).eval()
        self.decay = decay

    @torch.no_grad()
    def follow(self, encoder: Encoder, step: int) -> None:
        """Take in ENCODER, which has made STEP steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        mine, others = self.encoder.state_dict(), encoder.state_dict()
        numbers = [name for name, value in mine.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [mine[name] for name in numbers], [others[name] for name in numbers], 1 - decay
        )
        for name in mine.keys() - set(numbers):
            mine[name].copy_(others[name])
