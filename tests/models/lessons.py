"""What the tests of supervisions share: lessons, batches of four colours, a gallery of them."""

from typing import Any

import torch
from torch.nn import functional

from data import taxonomy
from data.taxonomy import DescriptorType
from models.learner import Learner, Schedule
from models.networks.base import Encoder
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision import SUPERVISIONS
from models.supervision.base import Batch, Lesson

CPU = torch.device("cpu")
SCHEDULE = Schedule("adamw", 5e-3, 0.05, warm_up=4, steps=40)
COLOURS = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9], [0.8, 0.8, 0.1]])
SYNONYMS = 2
SIDE = 12

Taught = tuple[taxonomy.Supervision, str, DescriptorType]

METHODS: list[Taught] = [
    (word, name, descriptor)
    for word, teaching in SUPERVISIONS.items()
    for descriptor in (DescriptorType.BINARY, DescriptorType.REAL_VALUED)
    for name in teaching.methods_for(descriptor)
]
"""Every method of every supervision, with each descriptor it is made for."""


def lesson(descriptor: DescriptorType, **changes: Any) -> Lesson:
    """Four classes of pictures, each with two words of its own, and one word for all."""
    words = [f"{name}{number}" for name in "abcd" for number in range(SYNONYMS)] + ["photo"]
    said: dict[str, Any] = {
        "dimensions": 16,
        "classes": tuple("abcd"),
        "words": words,
        "pictures": 96,
    }
    return Lesson(descriptor=descriptor, **(said | changes))


def batch(seed: int, count: int = 24) -> Batch:
    """Flat pictures of four colours, with noise: a class is a colour, words are true."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(0, 4, (count,), generator=generator)
    images = COLOURS[classes].view(count, 3, 1, 1).expand(-1, -1, SIDE, SIDE)
    noise = torch.rand(count, 3, SIDE, SIDE, generator=generator) * 0.2
    targets = functional.one_hot(classes, 4).float()
    which = torch.randint(0, SYNONYMS, (count,), generator=generator)
    words = functional.one_hot(classes * SYNONYMS + which, 4 * SYNONYMS + 1).float()
    words[:, -1] = 1
    rows = torch.arange(count)
    return Batch((images * 0.8 + noise).clamp(0, 1), targets, generator, words, rows)


class Shown:
    """A gallery of 96 pictures of four colours."""

    def __init__(self) -> None:
        self._all = batch(500, 96)

    @torch.no_grad()
    def pooled(self, encoder: Encoder) -> torch.Tensor:
        """What ENCODER makes of each before its head."""
        learns = encoder.training
        pooled = encoder.eval().pooled(self._all.images)
        encoder.train(learns)
        return pooled

    @property
    def targets(self) -> torch.Tensor | None:
        """Their classes."""
        return self._all.targets

    @property
    def words(self) -> torch.Tensor | None:
        """What was said of them."""
        return None if self._all.words is None else self._all.words.to_sparse()


def learner(
    taught: Taught, schedule: Schedule = SCHEDULE, shown: Shown | None = None, **changes: Any
) -> Learner:
    """A small encoder that has taken no step yet, and its teacher, which has seen what is SHOWN."""
    word, method, descriptor = taught
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder(16, width=4)
    teacher = SUPERVISIONS[word].load()(lesson(descriptor, method=method, **changes))
    found = Learner(encoder, teacher, schedule, CPU)
    teacher.before_epoch(0, encoder, shown or Shown())
    return found
