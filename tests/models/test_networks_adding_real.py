"""What the networks with a term of their own are worth on real digits, against their baselines.

Each baseline is the same encoder from the same weights: as it was drawn, or taught the same without
the term. Minutes on one thread; what the defaults are was chosen on other pictures than these.
"""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from data.adapters.idx import load_idx
from data.taxonomy import DescriptorType, Network
from models.networks.base import Encoder
from models.supervision.base import Lesson
from models.supervision.supervised import Supervised
from tests.models.games import Silent, built, learned, settled, worth

BINARY = DescriptorType.BINARY
DIGITS = tuple("0123456789")
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


def network(word: Network) -> Encoder:
    return built(word, BINARY, 32, width=8)


def test_bits_of_an_autoencoder_find_digits_that_nobody_has_named(
    shared_datasets: Path, asked: Digits
) -> None:
    images, _ = digits(shared_datasets / "mnist", "train", 3000)
    untrained = worth(settled(network(Network.AUTOENCODER), images), *asked, 500)
    trained = network(Network.AUTOENCODER)
    learned(trained, Silent(Lesson(32, BINARY, flip=False)), images, None, steps=300, batch=32)
    assert worth(trained, *asked, 500) > untrained + 0.15


@pytest.mark.parametrize("word", [Network.AUTOENCODER])
def test_few_labels_teach_more_with_the_term_than_without(
    shared_datasets: Path, asked: Digits, word: Network
) -> None:
    images, kinds = digits(shared_datasets / "mnist", "train", 300)
    targets = functional.one_hot(kinds, 10).float()
    found = []
    for weight in (0.0, 1.0):
        encoder = network(word)
        teacher = Supervised(Lesson(32, BINARY, classes=DIGITS, flip=False))
        learned(encoder, teacher, images, targets, steps=150, weight=weight, batch=32)
        found.append(worth(encoder, *asked, 500))
    assert found[1] > found[0], found
