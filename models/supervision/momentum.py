"""Self-supervised methods in which a slower copy of the encoder says what is right.

What a method remembers of earlier batches is what this process saw: each of several workers has a
memory of its own.
"""

import copy
from typing import Final

import torch
from torch import nn
from torch.nn import functional

from models import losses
from models.averaging import move_towards
from models.losses.terms import cosines
from models.networks.base import Encoder, Views
from models.supervision.base import Lesson, spread
from models.supervision.constants import Constants
from models.supervision.twins import Projector, Twins

QUEUE: Final = 4096
"""Keys that MoCo keeps: what its authors keep for CIFAR."""
SLOW_MOCO: Final = 0.99
SLOW_DINO: Final = 0.996
"""How much of itself the copy keeps a step: likewise, and where the paper's schedule begins."""
SHARP: Final = 0.04
"""The temperature of DINO's teacher."""
PROTOTYPES: Final = 1024
"""Answers that DINO's projection chooses among: the paper has 64 times as many for ImageNet."""


class Slow(nn.Module):
    """A copy of an encoder and of what projects its features, which follows both slowly.

    It learns nothing. Like what it follows it normalises by the statistics of each batch, as in
    both papers.

    Args:
        encoder: as it is before its first step.
        project: likewise.
        decay: how much of itself it keeps a step.
    """

    def __init__(self, encoder: Encoder, project: nn.Module, decay: float) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.project = copy.deepcopy(project).requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The projected features of IMAGES (V, 3, H, W)."""
        found: torch.Tensor = self.project(spread(self.encoder(images)))
        return found

    def follow(self, encoder: Encoder, project: nn.Module) -> None:
        """Take in ENCODER and PROJECT, which have made one step more."""
        for mine, other in ((self.encoder, encoder), (self.project, project)):
            move_towards(mine, other, 1 - self.decay)


class MoCo(Twins):
    """Each view finds its twin, as the slower copy sees it, among keys of earlier batches.

    Half of the pictures at most are kept, for a key of the same picture is no negative.
    """

    queue: torch.Tensor
    """(N, W) of unit length; drawn at random before there are keys."""
    place: torch.Tensor
    """Where the oldest of them is."""

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        self.project = Projector(lesson)
        length = max(1, min(QUEUE, lesson.pictures // 2))
        generator = torch.Generator().manual_seed(lesson.seed)
        drawn = torch.randn(length, self.project.width, generator=generator)
        self.register_buffer("queue", functional.normalize(drawn))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))
        self._fresh: torch.Tensor | None = None

    def begin(self, encoder: Encoder) -> None:
        """Copy ENCODER and the projection."""
        self.slow = Slow(encoder, self.project, SLOW_MOCO)

    def forward(self, views: Views) -> torch.Tensor:
        """The loss of VIEWS."""
        keys = functional.normalize(self.slow(views.images))
        self._fresh = keys
        twins = keys.roll(len(keys) // 2, dims=0)
        queries = self.project(spread(views.features))
        return losses.moco(queries, twins, self.queue, self.temperature)

    @torch.no_grad()
    def after_step(self, encoder: Encoder) -> None:
        """Put the keys of the step in place of the oldest, and let the copies follow."""
        if self._fresh is not None:
            fresh = self._fresh[-len(self.queue) :].to(self.queue)
            places = self.place + torch.arange(len(fresh), device=fresh.device)
            self.queue[places % len(self.queue)] = fresh
            self.place.copy_((self.place + len(fresh)) % len(self.queue))
            self._fresh = None
        self.slow.follow(encoder, self.project)


class DINO(Twins):
    """Each view gives the answer that the slower copy gives to its twin, centred and sharpened.

    Both views are the paper's global crops: its small local crops are left out. The centre keeps
    the teacher from one answer to everything, its low temperature from all answers at once.
    """

    centre: torch.Tensor
    """(P,), the mean of the teacher's answers of late."""

    def __init__(self, lesson: Lesson, constants: Constants) -> None:
        super().__init__(lesson, constants)
        self.project = Answers(lesson)
        self.register_buffer("centre", torch.zeros(PROTOTYPES))
        self._fresh: torch.Tensor | None = None

    def begin(self, encoder: Encoder) -> None:
        """Copy ENCODER and the projection."""
        self.slow = Slow(encoder, self.project, SLOW_DINO)

    def forward(self, views: Views) -> torch.Tensor:
        """The loss of VIEWS."""
        student = torch.stack(self.project(spread(views.features)).chunk(2))  # (2, B, P)
        teacher = torch.stack(self.slow(views.images).chunk(2))
        self._fresh = teacher
        return losses.dino(student, teacher, self.centre, self.temperature, SHARP)

    @torch.no_grad()
    def after_step(self, encoder: Encoder) -> None:
        """Move the centre to the answers of the step, and let the copies follow."""
        if self._fresh is not None:
            self.centre.copy_(losses.moved_centre(self.centre, self._fresh))
            self._fresh = None
        self.slow.follow(encoder, self.project)


class Answers(nn.Module):
    """Features (B, D) -> cosines (B, P) to prototypes, behind a `Projector`."""

    def __init__(self, lesson: Lesson) -> None:
        super().__init__()
        self.project = Projector(lesson)
        generator = torch.Generator().manual_seed(lesson.seed)
        drawn = torch.randn(PROTOTYPES, self.project.width, generator=generator)
        self.prototypes = nn.Parameter(drawn)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The answers (B, P) to FEATURES."""
        return cosines(self.project(features), self.prototypes)
