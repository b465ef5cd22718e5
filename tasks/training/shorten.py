"""Keep the best bits that an encoder has learned, in an order of which each prefix is a code.

One training serves codes of every length: the 16-bit code of a picture is the beginning of its
32-bit code. Which bits come first is a fact of pictures that teach, or that choose the best epoch;
no query has a part in it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from data.store import Store
from models import bit_selection
from models.networks.base import Encoder
from models.networks.heads import keep
from models.spec import EncoderSpec
from tasks.training.everything import Everything, some
from tasks.training.group import Group
from tasks.training.marks import Marks
from tasks.training.plan import TrainPlan
from tasks.training.school import wanted
from tasks.training.selection import selected
from tasks.training.training_set import TrainingSet

PICTURES: Final = 500
"""Whose codes an order is found for, at most: all of them are compared at each of its steps."""
STEP: Final = 8
"""Bits by which the lengths differ that an order is to serve."""
LESSONS: Final = {"steps": 30, "samples": 4}
"""Of the policy, after which a greedy order is hardly mended any more."""
NEAR: Final = 0.05
"""Share of the pictures that count as alike where nobody says which are: those of nearest features
before they became bits."""


@dataclass(frozen=True)
class Shortened:
    """An encoder of the best bits of another.

    Args:
        encoder: makes them, best first.
        spec: that builds it.
        order: all bits of the other in the order in which they are kept.
        worth: the mean average precision of the prefixes of the order, by their length.
        pictures: by whose codes it was found.
    """

    encoder: Encoder
    spec: EncoderSpec
    order: list[int]
    worth: dict[str, float]
    pictures: int


def shorten(
    store: Store,
    dataset: str,
    version: int,
    plan: TrainPlan,
    encoder: Encoder,
    spec: EncoderSpec,
    device: torch.device,
) -> Shortened:
    """ENCODER, which SPEC builds and PLAN's whole has made, without all but the bits that are kept.

    The order does not depend on how many are kept, so a shorter code begins a longer one. By lot
    it is any order: what the best must beat.

    Args:
        store: holds the dataset.
        dataset: its name.
        version: of its manifest.
        plan: says how many bits are kept, and what was learned from.
        encoder: trained; it is changed.
        spec: that builds it.
        device: where it looks at pictures.

    Raises:
        ValueError: none of the pictures can be decoded, or no two are alike.
    """
    features, alike = _examples(store, dataset, version, plan, encoder.to(device), spec, device)
    codes = features >= 0
    lengths = range(STEP, codes.shape[1] + 1, STEP)
    if plan.bits_by == "lot":
        lots = torch.Generator().manual_seed(plan.seed)
        order = torch.randperm(codes.shape[1], generator=lots)
    else:
        start = bit_selection.forward_order(codes, alike)
        order = bit_selection.policy_order(codes, alike, lengths, start, **LESSONS, seed=plan.seed)
    keep(encoder.cpu(), order[: plan.dimensions])
    return Shortened(
        encoder,
        EncoderSpec.model_validate(spec.model_dump() | {"dimensions": plan.dimensions}),
        order.tolist(),
        {str(n): round(bit_selection.worth(codes, alike, order[:n]), 6) for n in lengths},
        len(codes),
    )


def _examples(
    store: Store,
    dataset: str,
    version: int,
    plan: TrainPlan,
    encoder: Encoder,
    spec: EncoderSpec,
    device: torch.device,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (N, K) of pictures of PLAN, those held out where there are some; who is alike."""
    chosen = selected(store, dataset, version, wanted(plan))
    learned, held = chosen.parted(plan.validation)
    chosen = held or learned
    if chosen.labels is not None:
        chosen = chosen.at(chosen.labels.counts > 0)
    inside = np.isin(np.arange(len(chosen)), some(len(chosen), PICTURES, plan.seed))
    chosen = chosen.at(inside)
    pictures = TrainingSet(
        store,
        dataset,
        chosen,
        transform=spec.transform,
        memory=plan.memory_mb << 20,
        threads=plan.threads,
    )
    rows = np.arange(len(chosen))
    everything = Everything(pictures, device, plan.batch, Group())
    features, good = everything.features(encoder, rows)
    rows, features = rows[good.numpy()], features[good]
    if not len(rows):
        raise ValueError("No picture could be looked at: none can be decoded.")
    return features, _alike(features, chosen.labels, rows)


def _alike(features: torch.Tensor, labels: Marks | None, rows: np.ndarray) -> torch.Tensor:
    """Who of N pictures is alike, (N, N) bool: by LABELS of their ROWS, else by FEATURES (N, K)."""
    if labels is not None:
        return torch.from_numpy(labels.shared(rows, labels, rows))
    count = len(features)
    near = max(2, round(NEAR * count))  # each is the nearest of itself
    nearest = (features @ features.T).topk(min(near, count), dim=1).indices
    alike = torch.zeros(count, count, dtype=torch.bool).scatter_(1, nearest, value=True)
    return alike | alike.T | torch.eye(count, dtype=torch.bool)
