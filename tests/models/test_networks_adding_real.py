"""What networks with a term of their own are worth on real digits, against themselves untrained.

With few labels beside it the term neither helps nor harms on the mean of three seeds, so nothing is
held of that here. What the defaults are was chosen on other pictures than these.
"""

from pathlib import Path

import pytest
import torch

from data.adapters.idx import load_idx
from data.taxonomy import DescriptorType, Network
from models.networks.base import Encoder
from models.supervision.base import Lesson
from tests.models.games import Silent, built, learned, settled, worth

BINARY = DescriptorType.BINARY
Digits = tuple[torch.Tensor, torch.Tensor]

pytestmark = [pytest.mark.slow, pytest.mark.real]


def digits(folder: Path, part: str, count: int) -> Digits:
    """The first COUNT pictures (N, 3, 28, 28) uint8 of PART, and what they show (N,)."""
    images, kinds = (
        torch.from_numpy(load_idx(str(folder / f"{part}-{name}-ubyte.gz"))[:count].copy())
        for name in ("images-idx3", "labels-idx1")
    )
    return images.unsqueeze(1).expand(-1, 3, -1, -1), kinds.long()


@pytest.fixture(scope="module")
def asked(shared_datasets: Path) -> Digits:
    return digits(shared_datasets / "mnist", "t10k", 4000)


def network(word: Network, **said: str) -> Encoder:
    return built(word, BINARY, 32, width=8, **said)


def test_bits_of_an_autoencoder_find_digits_that_nobody_has_named(
    shared_datasets: Path, asked: Digits
) -> None:
    images, _ = digits(shared_datasets / "mnist", "train", 3000)
    untrained = worth(settled(network(Network.AUTOENCODER), images), *asked, 500)
    trained = network(Network.AUTOENCODER)
    learned(trained, Silent(Lesson(32, BINARY, flip=False)), images, None, steps=300, batch=32)
    assert worth(trained, *asked, 500) > untrained + 0.15


@pytest.mark.parametrize(("kind", "more"), [("adversarial_code", 0.15), ("bingan", 0.02)])
def test_bits_of_a_gan_find_digits_that_nobody_has_named(
    shared_datasets: Path, asked: Digits, kind: str, more: float
) -> None:
    images, _ = digits(shared_datasets / "mnist", "train", 3000)
    untrained = worth(settled(network(Network.GAN, kind=kind), images), *asked, 500)
    trained = network(Network.GAN, kind=kind)
    learned(trained, Silent(Lesson(32, BINARY, flip=False)), images, None, steps=150, batch=32)
    assert worth(trained, *asked, 500) > untrained + more
