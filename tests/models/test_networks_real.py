"""On real pictures each network beats what it must beat, in a minute or two of one core."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data.taxonomy import DescriptorType, Network
from models import losses
from models.learner import Learner, Schedule, reproducible
from models.networks import NETWORKS
from models.networks.base import Encoder
from models.supervision.base import Batch, Lesson
from models.supervision.supervised import Supervised

pytestmark = [pytest.mark.slow, pytest.mark.real]

Set = tuple[torch.Tensor, torch.Tensor]
"""Pictures (N, 3, H, W) uint8 and their classes (N,)."""


def mnist(folder: Path, split: str, count: int) -> Set:
    """The first COUNT digits of SPLIT, "train" or "t10k"."""
    images = gzip.decompress((folder / "mnist" / f"{split}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "mnist" / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    grey = np.frombuffer(images, np.uint8, count * 784, offset=16).reshape(-1, 1, 28, 28)
    classes = np.frombuffer(labels, np.uint8, count, offset=8).astype(np.int64)
    return torch.from_numpy(grey.copy()).expand(-1, 3, -1, -1), torch.from_numpy(classes)


def cifar10(folder: Path) -> Set:
    """The first 4,000 pictures of the training split, as they were published."""
    sprites = [
        np.asarray(Image.open(path).convert("RGB")).reshape(-1, 32, 32, 3)
        for path in sorted((folder / "cifar-10" / "lossless_first4000").glob("*.png"))
    ]
    pictures = torch.from_numpy(np.concatenate(sprites)).permute(0, 3, 1, 2).contiguous()
    order = np.load(folder / "cifar-10" / "official_label_order.npz")["train"]
    return pictures, torch.from_numpy(order[: len(pictures)].astype(np.int64))


def trained(
    network: Network,
    shown: Set,
    kind: DescriptorType,
    *,
    epochs: int,
    **said: object,
) -> Encoder:
    """NETWORK after EPOCHS of SHOWN, labels and all; 0 epochs leave it as it is drawn."""
    torch.manual_seed(0)
    encoder = NETWORKS[network].load()(32, **said)
    images, classes = shown
    steps = len(images) // 64
    lesson = Lesson(32, kind, [str(name) for name in range(10)], flip=False)
    schedule = Schedule("adamw", 2e-3, 0.05, steps, max(1, epochs * steps))
    learner = Learner(
        encoder,
        Supervised(lesson),
        schedule,
        torch.device("cpu"),
        term=encoder.term(0),
    )
    lots = torch.Generator().manual_seed(0)
    with reproducible(torch.device("cpu"), 1):
        for _ in range(epochs):
            order = torch.randperm(len(images), generator=lots)[: steps * 64]
            for rows in torch.split(order, 64):
                targets = torch.nn.functional.one_hot(classes[rows], 10).float()
                learner.step(Batch(images[rows].float() / 255, targets, lots))
    return encoder.eval()


@torch.inference_mode()
def features(encoder: Encoder, images: torch.Tensor) -> torch.Tensor:
    return torch.cat([encoder(some.float() / 255) for some in torch.split(images, 250)])


def worth(codes: torch.Tensor, classes: torch.Tensor) -> float:
    """The mAP of the bits, each picture asked among all others."""
    pairs = losses.Pairs.known(classes[:, None] == classes)
    return float(losses.average_precision_reward(losses.sign(codes), pairs).mean())


def first_right(vectors: torch.Tensor, classes: torch.Tensor) -> float:
    """The R@1, each picture asked among all others."""
    nearest = (vectors @ vectors.T).fill_diagonal_(-2).argmax(dim=1)
    return float((classes[nearest] == classes).float().mean())


def test_attention_learns_cifar10_from_three_thousand_pictures(shared_datasets: Path) -> None:
    images, classes = cifar10(shared_datasets)
    shown, held = (images[:3000], classes[:3000]), (images[3000:], classes[3000:])

    def found(epochs: int) -> float:
        encoder = trained(
            Network.ATTENTION,
            shown,
            DescriptorType.BINARY,
            epochs=epochs,
            width=16,
            pooling="attention",
        )
        return worth(features(encoder, held[0]), held[1])

    drawn, learned = found(0), found(6)
    assert learned > drawn + 0.05


def test_triplets_of_five_digits_tell_the_other_five_apart(shared_datasets: Path) -> None:
    images, classes = mnist(shared_datasets, "train", 3000)
    shown = images[classes < 5], classes[classes < 5]
    others, names = mnist(shared_datasets, "t10k", 3000)
    others, names = others[names >= 5], names[names >= 5]

    def found(epochs: int) -> float:
        encoder = trained(
            Network.SIAMESE_TRIPLET, shown, DescriptorType.REAL_VALUED, epochs=epochs, width=8
        )
        return first_right(features(encoder, others), names)

    drawn, learned = found(0), found(6)
    assert learned > drawn + 0.1


def test_a_policy_s_bits_beat_bits_by_lot_and_come_near_those_of_the_teacher_alone(
    shared_datasets: Path,
) -> None:
    shown = mnist(shared_datasets, "train", 1500)
    images, classes = mnist(shared_datasets, "t10k", 1500)

    def codes(network: Network, epochs: int) -> torch.Tensor:
        encoder = trained(network, shown, DescriptorType.BINARY, epochs=epochs, width=8)
        return features(encoder, images)

    learned = worth(codes(Network.REINFORCEMENT_LEARNING, 7), classes)
    taught = worth(codes(Network.CONVOLUTIONAL, 7), classes)
    lots = torch.rand(len(classes), 32, generator=torch.Generator().manual_seed(0)) - 0.5
    assert learned > worth(lots, classes) + 0.5
    assert learned > 0.9 * taught
