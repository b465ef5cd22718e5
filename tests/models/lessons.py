"""What the tests of supervisions share: pictures of four colours, shown to a small encoder."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from data import taxonomy
from data.taxonomy import DescriptorType
from models.hashing import signs
from models.learner import Learner, Schedule
from models.networks.base import Encoder
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision import SUPERVISIONS
from models.supervision.base import Batch, Lesson, Rows
from models.text.vocabulary import FIRST

Mates = Callable[[Rows, np.random.Generator], Rows]

Case = tuple[taxonomy.Supervision, str, DescriptorType]
"""A supervision, a method of its, and what is to be stored."""

CPU = torch.device("cpu")
SCHEDULE = Schedule("adamw", 5e-3, 0.05, warm_up=4, steps=60)
COUNT = 96
COLOURS = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9], [0.8, 0.8, 0.1]])
SYNONYMS = 2
"""Words that each class goes by; one more is said of all pictures."""


class Shown:
    """The pictures of a batch as a gallery."""

    def __init__(self, told: Batch | None = None) -> None:
        self._batch = batch(500, COUNT) if told is None else told

    def __len__(self) -> int:
        return len(self._batch.images)

    @torch.inference_mode()
    def pooled(self, encoder: Encoder, rows: Rows | None = None) -> torch.Tensor:
        learns = encoder.training
        images = self._batch.images
        found = encoder.eval().pooled(images if rows is None else images[torch.from_numpy(rows)])
        encoder.train(learns)
        return found

    @property
    def targets(self) -> torch.Tensor | None:
        return self._batch.targets

    @property
    def words(self) -> torch.Tensor | None:
        return None if self._batch.words is None else self._batch.words.to_sparse()


def lesson(descriptor: DescriptorType, pictures: int = COUNT, **changes: Any) -> Lesson:
    """Four classes of pictures, each with words of its own, and one word for all."""
    words = [f"{name}{number}" for name in "abcd" for number in range(SYNONYMS)] + ["photo"]
    said: dict[str, Any] = {
        "dimensions": 16,
        "classes": tuple("abcd"),
        "words": words,
        "pictures": pictures,
        "clusters": 4,
        "vocabulary": tuple(words),
    }
    return Lesson(descriptor=descriptor, **(said | changes))


def batch(seed: int, count: int = 24) -> Batch:
    """Flat pictures of four colours, with noise: a class is a colour, words are true.

    A sentence is "photo" and the picture's own word.
    """
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(0, 4, (count,), generator=generator)
    images = COLOURS[classes].view(count, 3, 1, 1).expand(-1, -1, 16, 16)
    noise = torch.rand(count, 3, 16, 16, generator=generator) * 0.2
    targets = functional.one_hot(classes, 4).float()
    images = (images * 0.8 + noise).clamp(0, 1)
    which = torch.randint(0, SYNONYMS, (count,), generator=generator)
    words = functional.one_hot(classes * SYNONYMS + which, 4 * SYNONYMS + 1).float()
    words[:, -1] = 1
    own = classes * SYNONYMS + which
    sentences = FIRST + torch.stack([torch.full_like(own, 4 * SYNONYMS), own], dim=1)
    return Batch(images, targets, generator, words, torch.arange(count), sentences)


def tinted(seed: int, count: int) -> Batch:
    """Pictures of four colours, each with a tint of its own, so that classes overlap."""
    told = batch(seed, count)
    tints = torch.randn(count, 3, 1, 1, generator=torch.Generator().manual_seed(seed + 1))
    return replace(told, images=(told.images + 0.15 * tints).clamp(0, 1))


def some(told: Batch, seed: int, count: int = 24, mates: Mates | None = None) -> Batch:
    """COUNT pictures of TOLD, drawn by SEED; the second half MATES of the first, if there are."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(told.images), generator=generator)[:count]
    if mates is not None:
        first = rows[: count // 2].numpy()
        theirs = mates(first, np.random.default_rng(seed))
        rows = torch.from_numpy(np.concatenate([first, theirs]))
    targets = None if told.targets is None else told.targets[rows]
    words = None if told.words is None else told.words[rows]
    sentences = None if told.sentences is None else told.sentences[rows]
    return Batch(told.images[rows], targets, generator, words, rows, sentences)


def partly(told: Batch, known: int) -> Batch:
    """TOLD with the targets of the first KNOWN pictures alone."""
    assert told.targets is not None
    targets = told.targets.clone()
    targets[known:] = 0
    return replace(told, targets=targets)


def precision(encoder: Encoder, told: Batch, binary: bool) -> float:
    """The mean average precision of ENCODER when each picture of TOLD asks for its class."""
    assert told.targets is not None
    with torch.inference_mode():
        features = encoder.eval()(told.images)
    if binary:
        features = signs(features)
    near = (features @ features.T).fill_diagonal_(float("inf"))  # it comes first, and counts not
    order = near.argsort(dim=1, descending=True, stable=True)[:, 1:]
    classes = told.targets.argmax(dim=1)
    right = (classes[order] == classes[:, None]).double()
    ranks = torch.arange(1, order.shape[1] + 1)
    precisions = right.cumsum(dim=1) / ranks
    return float(((precisions * right).sum(dim=1) / right.sum(dim=1)).mean())


def learner(
    word: taxonomy.Supervision,
    method: str,
    descriptor: DescriptorType,
    schedule: Schedule = SCHEDULE,
    **changes: Any,
) -> Learner:
    """A small encoder that has taken no step yet, and its teacher, who has seen no gallery."""
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder(16, width=8)
    supervision = SUPERVISIONS[word].load()(lesson(descriptor, method=method, **changes))
    return Learner(encoder, supervision, schedule, CPU)


def schooled(
    case: Case, schedule: Schedule = SCHEDULE, shown: Shown | None = None, **changes: Any
) -> Learner:
    """The `learner` of CASE, whose teacher has seen what is SHOWN."""
    found = learner(*case, schedule, **changes)
    found.supervision.before_epoch(0, found.encoder, shown or Shown())
    return found
