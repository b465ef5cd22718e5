"""Folding normalisations away changes the amount of work and nothing else."""

import copy

import pytest
import torch
from torch import nn

from data.taxonomy import Network
from models.folding import fold
from models.networks import NETWORKS


def _trained(module: nn.Module) -> nn.Module:
    """MODULE in evaluation mode, its normalisations with statistics and weights of their own."""
    draw = torch.Generator().manual_seed(7)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor in (part.running_mean, part.bias.data):
                assert tensor is not None
                tensor.copy_(torch.randn(tensor.shape, generator=draw))
            for tensor in (part.running_var, part.weight.data):
                assert tensor is not None
                tensor.copy_(torch.rand(tensor.shape, generator=draw) + 0.5)
    return module.eval()


def _norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_a_folded_encoder_makes_the_same_features(network: Network) -> None:
    torch.manual_seed(3)
    encoder = _trained(NETWORKS[network].load()(16))
    ours = copy.deepcopy(encoder)
    fold(ours)
    images = torch.rand(5, 3, 48, 48)
    with torch.inference_mode():
        assert torch.allclose(ours(images), encoder(images), atol=1e-5)
    assert _norms(ours) == 0 or _norms(ours) < _norms(encoder)


def test_neighbours_alone_are_folded_and_nothing_moves() -> None:
    convolution, norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
    apart = _trained(nn.Sequential(convolution, nn.ReLU(), norm, nn.Conv2d(4, 2, 1)))
    images = torch.rand(2, 3, 8, 8)
    before = apart(images)
    fold(apart)
    assert torch.equal(apart(images), before)
    assert _norms(apart) == 1

    nested = _trained(
        nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
    )
    before = nested(images)
    fold(nested)
    assert torch.allclose(nested(images), before, atol=1e-5)
    assert _norms(nested) == 0
    assert isinstance(nested[0][2], nn.ReLU)  # type: ignore[index]


def test_statistics_of_the_batch_itself_cannot_be_folded() -> None:
    drifting = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)
    ).eval()
    images = torch.rand(4, 3, 8, 8)
    before = drifting(images)
    fold(drifting)
    assert torch.equal(drifting(images), before)


def test_an_order_of_its_own_is_left_alone() -> None:
    class Backwards(nn.Sequential):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            for part in reversed(self):
                images = part(images)
            return images

    odd = _trained(Backwards(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    images = torch.rand(2, 3, 4, 4)
    before = odd(images)
    fold(odd)
    assert torch.equal(odd(images), before)
