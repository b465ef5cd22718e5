"""What the methods of self-supervised learning ask of two views of each picture."""

from abc import ABC, abstractmethod
from typing import Final

import torch
from torch import nn

from models import losses
from models.networks.base import Encoder, Views, drawn_from
from models.supervision.base import Lesson, spread
from models.supervision.constants import Constants

WIDEST: Final = 512
"""Numbers of a projection at most. How many come out of it makes little difference to what is
learned (Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020,
section 4.2), and of the thousands of a VLAD it would be most of what each step has to do."""


class Twins(nn.Module, ABC):
    """Views (2B of them, the second view of a picture B after the first) -> a scalar loss.

    What a method learns besides the encoder, a projection say, is a parameter of it.

    Args:
        lesson: says how many dimensions there are.
        constants: of the loss.
    """

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__()
        self.temperature = constants.temperature

    @abstractmethod
    def forward(self, views: Views) -> torch.Tensor:
        """The loss of VIEWS."""

    def begin(self, encoder: Encoder) -> None:
        """Called once with ENCODER as it is before the first step."""

    def after_step(self, encoder: Encoder) -> None:
        """Called after each step, when ENCODER has learned."""


class SimCLR(Twins):
    """Each view finds its twin among all of the batch, behind a projection.

    The projection is thrown away afterwards: what is best for telling views apart is not what is
    best for search.
    """

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        self.project = Projector(lesson)

    def forward(self, views: Views) -> torch.Tensor:
        """The loss of VIEWS."""
        first, second = self.project(spread(views.features)).chunk(2)
        return losses.ntxent(first, second, self.temperature, views.alike)


class CIBHash(Twins):
    """The sampled bits of each view find those of its twin.

    Whitened features cannot grow, so how sure a bit may be is a gain that is learned.
    """

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        self.gain = nn.Parameter(torch.tensor(3.0))

    def forward(self, views: Views) -> torch.Tensor:
        """The loss of VIEWS."""
        first, second = (spread(views.features) * self.gain).chunk(2)
        noise = torch.rand((2, *first.shape), generator=views.generator, device=first.device)
        return losses.cibhash(first, second, noise, self.temperature, alike=views.alike)


class Projector(nn.Sequential):
    """Features (B, D) -> (B, W) by two layers, drawn from the seed of a lesson.

    Args:
        lesson: says D; W is as many, but `WIDEST` at most.
    """

    def __init__(self, lesson: Lesson) -> None:
        width = min(lesson.dimensions, WIDEST)
        with drawn_from(lesson.seed):
            super().__init__(
                nn.Linear(lesson.dimensions, width), nn.ReLU(), nn.Linear(width, width)
            )
        self.width = width
