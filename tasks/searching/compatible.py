"""Encoders whose descriptors may meet: one that was trained to be compatible with another says so.

Everything else of two encoders means nothing together. The promise has one direction: an index of
the older encoder answers queries of the newer, which has learned where the older one puts things.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from data.store import Store
from models.hashing import signs
from models.spec import EncoderSpec
from models.supervision.base import Lesson, Supervision
from models.supervision.compatible import ByClasses, ByDescriptors
from tasks.encoders import load_encoder, the_encoder
from tasks.training.everything import Everything
from tasks.training.group import Group
from tasks.training.plan import TrainPlan
from tasks.training.selection import Selected
from tasks.training.training_set import TrainingSet

if TYPE_CHECKING:
    from models.weights import Embedder


def fitting_older(
    store: Store,
    dataset: str,
    chosen: Selected,
    plan: TrainPlan,
    spec: EncoderSpec,
    own: Supervision,
    device: torch.device,
    group: Group,
) -> Supervision:
    """What teaches an encoder of SPEC to be compatible with the one that PLAN names.

    Each picture is described once by the older encoder, at the size and by the transform that it
    has itself; so what is learned from is what the older one's index holds.

    Args:
        store: holds both.
        dataset: whose pictures are learned from.
        chosen: which of them.
        plan: what to train.
        spec: of the encoder that learns.
        own: the plan's supervision, which teaches besides where the two are to agree in classes.
        device: where.
        group: the workers, of which this is one.

    Raises:
        FileNotFoundError: there is no such encoder.
        ValueError: the two store other things of a picture; says what to set.
    """
    digest = the_encoder(store, plan.compatible_with)
    older = load_encoder(store, digest, str(device))
    check_same_shape(older, spec)
    pictures = TrainingSet(
        store, dataset, chosen, transform=older.spec.transform, memory=0, threads=plan.threads
    )
    everything = Everything(pictures, device, plan.batch, group)
    features, good = everything.features(older.encoder, np.arange(len(pictures)))
    told = signs(features) if older.metric == "hamming" else features
    told = functional.normalize(told * good[:, None])  # of one that is bad nothing is said
    if plan.compatible_by == "descriptors":
        lesson = Lesson(
            spec.dimensions,
            spec.descriptor,
            margin=plan.margin,
            flip=plan.flip,
            change=plan.change,
            sketches=plan.sketches,
        )
        return ByDescriptors(lesson, told)
    targets = everything.targets
    if targets is None:
        raise ValueError("compatible_by: classes needs labels, and none are looked at.")
    return ByClasses(own, told, targets)


def check_same_shape(older: "Embedder", spec: EncoderSpec) -> None:
    """Return if what an encoder of SPEC stores of a picture can be compared with what OLDER does.

    Raises:
        ValueError: it cannot; says what to set.
    """
    mine = spec.stored()
    if older.metric == "asmk":
        raise ValueError(
            f"Encoder {older.digest[:12]} makes sets of visual words, which nothing else can be "
            "compatible with: choose an encoder of real_valued or binary descriptors."
        )
    if (mine.metric, mine.width) != (older.metric, older.width):
        kind = "binary" if older.metric == "hamming" else "real_valued"
        size = 8 * older.width if kind == "binary" else older.width
        raise ValueError(
            f"Encoder {older.digest[:12]} makes {kind} descriptors of {size}, this plan others: "
            f"set train: {{descriptor: {kind}, dimensions: {size}}}."
        )
