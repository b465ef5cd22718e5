"""What the tests of terms share: pictures, a teacher who says nothing, and what codes are worth."""

from typing import Any

import numpy as np
import torch

from data.taxonomy import DescriptorType, Network
from models import augment, distances, metrics
from models.learner import Learner, Schedule, reproducible
from models.networks import NETWORKS
from models.networks.base import Encoder, Term, Views, drawn_from
from models.supervision.base import Batch, Lesson, Supervision, Taught

CPU = torch.device("cpu")


class Silent(Supervision):
    """Shows gently changed pictures and wants nothing of them: the network's term alone teaches."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        self.flip = lesson.flip

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        images = augment.gentle(batch.images, batch.generator, self.flip)
        alike = None if batch.targets is None else batch.targets @ batch.targets.T > 0
        views = encoder.see(images, alike, batch.generator)
        return Taught(views.features.sum() * 0, views)


def built(network: Network, descriptor: DescriptorType, dimensions: int, **said: Any) -> Encoder:
    """The NETWORK with weights drawn from 0, as `build` makes it for a recipe."""
    with drawn_from(0):
        encoder = NETWORKS[network].load()(dimensions, **said)
    encoder.binary = descriptor is DescriptorType.BINARY
    return encoder


def term_of(encoder: Encoder) -> Term:
    """The term of ENCODER, drawn from 0."""
    term = encoder.term(0)
    assert term is not None
    return term


def views(encoder: Encoder, size: int = 16, count: int = 8, seed: int = 0) -> Views:
    """What ENCODER makes of COUNT noisy pictures, two of each kind."""
    draw = torch.Generator().manual_seed(seed)
    kinds = torch.rand(count // 2, 3, size, size, generator=draw).repeat_interleave(2, dim=0)
    images = kinds * 0.3 + torch.rand(count, 3, size, size, generator=draw) * 0.7
    alike = torch.eye(count // 2).repeat_interleave(2, 0).repeat_interleave(2, 1) > 0
    return encoder.see(images, alike, draw)


def patterns(count: int, seed: int, size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """COUNT pictures of four patterns, bright on dark, (N, 3, S, S), and which each is, (N,)."""
    draw = torch.Generator().manual_seed(seed)
    kinds = torch.randint(0, 4, (count,), generator=draw)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    drawn = torch.stack([rows // 4 % 2, columns // 4 % 2, (rows + columns) // 4 % 2,
                         (rows // 4 + columns // 4) % 2]).float()  # fmt: skip
    one, other = torch.rand(2, count, 3, 1, 1, generator=draw)
    shown = drawn[kinds, None]
    images = (0.6 + 0.4 * one) * shown + 0.4 * other * (1 - shown)
    noise = torch.rand(count, 3, size, size, generator=draw) * 0.1
    return (images * 0.9 + noise).clamp(0, 1), kinds


def learned(
    encoder: Encoder,
    teacher: Supervision,
    images: torch.Tensor,
    targets: torch.Tensor | None,
    steps: int,
    weight: float = 1.0,
    batch: int = 64,
) -> list[float]:
    """The losses of STEPS in which ENCODER learns from IMAGES (N, 3, H, W), in [0, 1] or uint8."""
    schedule = Schedule("adamw", 2e-3, 0.05, warm_up=max(1, steps // 20), steps=steps)
    losses, generator = [], torch.Generator().manual_seed(0)
    with reproducible(CPU, 1):
        learner = Learner(encoder, teacher, schedule, CPU, term=encoder.term(0), weight=weight)
        for _ in range(steps):
            chosen = torch.randperm(len(images), generator=generator)[:batch]
            seen = images[chosen] if images.is_floating_point() else images[chosen] / 255
            said = None if targets is None else targets[chosen]
            losses.append(float(learner.step(Batch(seen, said, generator))))
    return losses


def settled(encoder: Encoder, images: torch.Tensor) -> Encoder:
    """ENCODER with the statistics of IMAGES and the weights it had: whitened, but not trained."""
    encoder.train()
    with torch.no_grad():
        for first in range(0, 1280, 64):
            rows = torch.arange(first, first + 64) % len(images)
            encoder(images[rows] if images.is_floating_point() else images[rows] / 255)
    return encoder


@torch.inference_mode()
def worth(encoder: Encoder, images: torch.Tensor, kinds: torch.Tensor, queries: int) -> float:
    """mAP[all] of the first QUERIES of IMAGES among the others; ties of codes in no order."""
    encoder.eval()
    parts = [part if part.is_floating_point() else part / 255 for part in torch.split(images, 250)]
    features = torch.cat([encoder(part) for part in parts]).numpy()
    same = (kinds[:queries, None] == kinds[None, queries:]).numpy()
    if not encoder.binary:
        order = np.argsort(-(features[:queries] @ features[queries:].T), axis=1, kind="stable")
        hits = np.take_along_axis(same, order, axis=1)
        return metrics.mean(metrics.average_precision(hits, hits.sum(axis=1), "R")).value
    codes = distances.prepared(np.packbits(features >= 0, axis=1), "hamming")
    apart = distances.between(codes[:queries], codes[queries:], "hamming").astype(int)
    bits = features.shape[1] + 1
    counts = np.stack([np.bincount(row, minlength=bits) for row in apart])
    found = np.stack(
        [np.bincount(row[own], minlength=bits) for row, own in zip(apart, same, strict=True)]
    )
    return metrics.mean(metrics.expected_average_precision(counts, found, None, "R")).value
