"""Averages over the steps of a training, which often search better than the last step's encoder."""

import copy

import torch
from torch import nn

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

    def follow(self, encoder: Encoder, step: int) -> None:
        """Take in ENCODER, which has made STEP steps."""
        move_towards(self.encoder, encoder, 1 - min(self.decay, (1 + step) / (10 + step)))


@torch.no_grad()
def move_towards(follower: nn.Module, leader: nn.Module, weight: float) -> None:
    """Let all numbers of FOLLOWER go WEIGHT, from 0 to 1, of the way to those of LEADER.

    Means and variances of batches are among them; what is whole numbers is copied.
    """
    mine, others = follower.state_dict(), leader.state_dict()
    numbers = [name for name, value in mine.items() if value.is_floating_point()]
    torch._foreach_lerp_(
        [mine[name] for name in numbers], [others[name] for name in numbers], weight
    )
    for name in mine.keys() - set(numbers):
        mine[name].copy_(others[name])
