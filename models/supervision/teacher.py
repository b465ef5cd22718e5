"""A slower copy of an encoder, which answers while the encoder learns."""

import copy

import torch
from torch import nn

from models.averaging import move_towards
from models.networks.base import Encoder


class Teacher(nn.Module):
    """Follows an encoder as the exponential moving average of its weights, and itself never learns.

    After step t it is d of itself and 1 - d of the encoder, d the lesser of DECAY and
    1 - 1 / (t + 1), so that the weights as they were drawn are soon forgotten (Tarvainen and
    Valpola, "Mean Teachers are Better Role Models", 2017, equation 2 and section 3.3). Means and
    variances of batches are averaged too.

    Args:
        encoder: as it is before its first step.
        decay: from 0 to 1; at 1 it stays what the encoder was.
    """

    steps: torch.Tensor

    def __init__(self, encoder: Encoder, decay: float) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.decay = decay
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.count = 0  # what `steps` says, but a GPU is not asked for it at every step
        self.register_load_state_dict_post_hook(_recount)  # type: ignore[no-untyped-call]
        self.train(False)

    def train(self, mode: bool = True) -> "Teacher":
        """Stay as it is: a teacher answers by the statistics that it has."""
        return super().train(False)

    @torch.no_grad()
    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        """What it makes of IMAGES before its head, (B, F)."""
        return self.encoder.pooled(images)

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Its features (B, D) of IMAGES."""
        features: torch.Tensor = self.encoder(images)
        return features

    def follow(self, encoder: Encoder) -> None:
        """Take in ENCODER, which has made one step more."""
        if self.decay == 1:
            return
        self.steps += 1
        self.count += 1
        move_towards(self.encoder, encoder, max(1 / (self.count + 1), 1 - self.decay))


def _recount(teacher: nn.Module, _: object) -> None:
    if isinstance(teacher, Teacher):
        teacher.count = int(teacher.steps)
