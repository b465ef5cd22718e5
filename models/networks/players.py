"""What plays against an encoder, and how two players of one step keep out of each other's way."""

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import spectral_norm

from models.networks.base import Encoder


class Critic(nn.Module):
    """Vectors (B, N) -> scores (B,), high for what it holds for real.

    Two layers of spectral norm 1, so that no score changes faster than its vector does (Miyato et
    al., "Spectral Normalization for Generative Adversarial Networks", 2018, equation 8).
    """

    def __init__(self, inputs: int, width: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            spectral_norm(nn.Linear(inputs, width)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Linear(width, 1)),
        )

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """The scores (B,) of VECTORS (B, N)."""
        scores: torch.Tensor = self.layers(vectors)
        return scores[:, 0]


class Trunk(nn.Module):
    """An encoder as far as its head."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The pooled activations (B, F) of IMAGES."""
        return self.encoder.pooled(images)


def uncounted(module: nn.Module, given: torch.Tensor) -> torch.Tensor:
    """What MODULE makes of GIVEN; it learns from it, but no statistics of batches are kept."""
    return _called(module, {}, given)


def still(module: nn.Module, given: torch.Tensor) -> torch.Tensor:
    """What MODULE makes of GIVEN as it stands: nothing in it learns, only what made GIVEN does."""
    return _called(module, {name: one.detach() for name, one in module.named_parameters()}, given)


def _called(
    module: nn.Module, weights: dict[str, torch.Tensor], given: torch.Tensor
) -> torch.Tensor:
    """What MODULE makes of GIVEN with WEIGHTS in place of its own, its buffers a copy's."""
    counted = {name: one.clone() for name, one in module.named_buffers()}
    made: torch.Tensor = functional_call(module, {**weights, **counted}, (given,))
    return made
