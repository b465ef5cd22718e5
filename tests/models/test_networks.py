"""Every network in the table keeps the encoder's contract."""

from typing import Any

import pytest
import torch

from data.taxonomy import Network
from models.networks import NETWORKS
from models.networks.base import Encoder
from models.networks.convolutional import ConvolutionalEncoder
from models.pooling import Pooling
from models.spec import EncoderSpec
from models.weights import build


@pytest.fixture(params=sorted(NETWORKS))
def encoder(request: pytest.FixtureRequest) -> Encoder:
    torch.manual_seed(0)
    return NETWORKS[request.param].load()(24)


def images(count: int, size: int) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(size))


@pytest.mark.parametrize("size", [28, 32, 64])
def test_features_are_unit_vectors_of_the_promised_length(encoder: Encoder, size: int) -> None:
    for mode in (True, False):
        features = encoder.train(mode)(images(4, size))
        assert features.shape == (4, 24)
        assert features.dtype == torch.float32
        assert torch.allclose(features.norm(dim=1), torch.ones(4), atol=1e-5)


def test_features_of_an_image_do_not_depend_on_its_neighbours(encoder: Encoder) -> None:
    encoder(images(8, 32))
    batch = images(6, 32)
    with torch.inference_mode():
        together = encoder.eval()(batch)
        alone = torch.cat([encoder(batch[row : row + 1]) for row in range(6)])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "said"),
    [*((word, {}) for word in sorted(NETWORKS)), (Network.AUTOENCODER, {"noise": 0.2})],
)
def test_of_a_single_picture_nothing_can_be_learned(network: Network, said: dict[str, Any]) -> None:
    learning, lots = NETWORKS[network].load()(24, **said), torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match=r"single picture to learn from.*epochs: 0"):
        learning.see(images(1, 32), None, lots)
    assert learning.eval().see(images(1, 32), None, lots).features.shape == (1, 24)


def test_every_parameter_learns(encoder: Encoder) -> None:
    encoder.train()(images(4, 32))[:, 0].sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("network", [Network.AUTOENCODER, Network.GAN])
def test_beside_what_it_puts_there_a_network_is_the_convolutional_one(network: Network) -> None:
    own, bare = (
        build(EncoderSpec(network=word, dimensions=24), seed=3).state_dict()
        for word in (network, Network.CONVOLUTIONAL)
    )
    assert own.keys() == bare.keys()
    assert all(torch.equal(value, bare[name]) for name, value in own.items())


def test_only_the_head_of_a_frozen_encoder_learns(encoder: Encoder) -> None:
    encoder.freeze()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    encoder.train()
    encoder(images(4, 32))[:, 0].sum().backward()
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.grad is not None:
                parameter.sub_(parameter.grad)
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith("head."), name


@pytest.mark.parametrize("width", [4, 8, 12, 16])
@pytest.mark.parametrize(("stem", "size"), [(1, 28), (2, 96), (4, 112), (8, 224)])
def test_a_narrow_network_learns_in_channels_last(width: int, stem: int, size: int) -> None:
    encoder = ConvolutionalEncoder(8, width=width, stem=stem)
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = images(2, size).contiguous(memory_format=torch.channels_last)
    encoder(batch)[:, 0].sum().backward()  # crashed the process once, see Block
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_an_impossible_stem_is_refused() -> None:
    with pytest.raises(ValueError, match="1, 2, 4 or 8 pixels, not 3"):
        ConvolutionalEncoder(8, stem=3)


@pytest.mark.parametrize("pooling", ["average", "rmac", {"gem": {"p": 2.0}, "vlad": {"words": 4}}])
def test_a_network_pools_as_it_is_told(pooling: Pooling) -> None:
    encoder = ConvolutionalEncoder(24, width=8, pooling=pooling)
    assert encoder(images(3, 32)).shape == (3, 24)


def test_the_table_speaks_the_taxonomy() -> None:
    assert set(NETWORKS) <= set(Network)
    assert all(issubclass(one.load(), Encoder) for one in NETWORKS.values())
