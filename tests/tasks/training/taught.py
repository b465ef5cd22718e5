"""A supervision with every hook and a network with a term of its own, to train by in tests."""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from data import taxonomy
from models.augment import gentle
from models.networks import NETWORKS, Build
from models.networks.base import Encoder, Term, Views
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision import SUPERVISIONS, Method, Teaching
from models.supervision.base import Batch, Gallery, Lesson, Supervision, Taught


class Hooked(Supervision):
    """Features are to be what a teacher, who follows, makes of them, and to tell two halves apart.

    The halves are drawn anew before every epoch from what the encoder makes of all pictures.
    """

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        self.register_buffer("halves", torch.zeros(lesson.pictures))
        self.register_buffer("calls", torch.zeros(3, dtype=torch.int64))
        self.axis = nn.Parameter(torch.linspace(-1, 1, lesson.dimensions))

    halves: torch.Tensor
    calls: torch.Tensor
    """How often `before_epoch`, `after_step` and `finish` were called."""

    def begin(self, encoder: Encoder) -> None:
        self.teacher = copy.deepcopy(encoder).requires_grad_(False)

    def before_epoch(self, epoch: int, encoder: Encoder, gallery: Gallery) -> None:
        pooled = gallery.pooled(encoder)
        self.calls[0] += 1
        middle = pooled[:, int(self.calls[0]) % pooled.shape[1]]
        self.halves.copy_((middle > middle.median()).float())

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        self.teacher.eval()
        views = encoder.see(gentle(batch.images, batch.generator), None, batch.generator)
        loss = 1 - (views.features * self.teacher(batch.images)).sum(dim=1).mean()
        if batch.rows is not None:
            told = views.features @ self.axis
            loss = loss + functional.binary_cross_entropy_with_logits(told, self.halves[batch.rows])
        return Taught(loss, views)

    @torch.no_grad()
    def after_step(self, encoder: Encoder) -> None:
        self.calls[1] += 1
        for mine, other in zip(self.teacher.parameters(), encoder.parameters(), strict=True):
            mine.lerp_(other, 0.1)

    def finish(self, encoder: Encoder, gallery: Gallery) -> None:
        self.calls[2] += 1
        project = encoder.head.get_parameter("project.weight")
        with torch.no_grad():  # how often the hooks were called shows in the encoder's bits
            project.mul_(1 + self.calls.sum() / 1024)


class Redrawn(Term):
    """What the encoder saw is to be drawn again, in its mean colours, from what it made of it."""

    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.draw = nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, 3))

    def forward(self, encoder: Encoder, views: Views) -> torch.Tensor:
        return functional.mse_loss(self.draw(views.pooled), views.images.mean(dim=(2, 3)))


class Redrawing(ConvolutionalEncoder):
    """The convolutional network with that term."""

    def term(self, seed: int) -> Term:
        return Redrawn(self.head.get_parameter("project.weight").shape[1], seed)


TEACHING = Teaching(
    about="Learns from a teacher who follows.",
    load=lambda: Hooked,
    methods={"follow": Method(about="So.", cite="nobody")},
)
BUILD = Build(about="Draws again what it saw.", cite="nobody", load=lambda: Redrawing)

ENTRIES: tuple[tuple[Any, Any, Any], ...] = (
    (SUPERVISIONS, taxonomy.Supervision.SELF_SUPERVISED, TEACHING),
    (NETWORKS, taxonomy.Network.CONVOLUTIONAL, BUILD),
)
"""Tables, words and what stands there instead, for the time of a test."""
