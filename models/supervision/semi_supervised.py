"""Learning from a few class labels, and from what the encoder itself is sure of."""

from typing import Final

import torch

from models import losses
from models.networks.base import Encoder
from models.supervision.anchors import Anchors
from models.supervision.base import Batch, Lesson, Supervision, Taught
from models.supervision.methods import SOME_LABELS
from models.supervision.teacher import Teacher

SURE: Final = 0.95
"""The probability from which on a class counts as known (FixMatch's threshold)."""
DECAY: Final = 0.999
"""Of the average that a mean teacher is."""


class SemiSupervised(Supervision):
    """Features of labelled pictures point at their class, those of others where they tend to.

    The loss is the sum of three, on a weakly and a strongly changed view of each picture: OrthoHash
    or ArcFace of the weak views that have labels; the pseudo-labels of the others, where the weak
    view is sure of one class it teaches the strong view; and the consistency of both views of all
    pictures, 1 - their cosine. By "mean_teacher" the weak view is answered for by an average of the
    encoder. A picture of several classes is taught with all of its labels, but guessed to have one.
    """

    def __init__(self, lesson: Lesson) -> None:
        super().__init__(lesson)
        if len(lesson.classes) < 2:
            raise ValueError(
                "semi_supervised needs labels of at least 2 classes, but there are "
                f"{len(lesson.classes)}. Choose self_supervised, which needs none."
            )
        self.changes = lesson.changes
        method = lesson.method or next(iter(SOME_LABELS))
        self.anchors = Anchors(len(lesson.classes), lesson, SOME_LABELS[method].margin)
        self.averages = method == "mean_teacher"
        self.teacher: Teacher | None = None

    def begin(self, encoder: Encoder) -> None:
        """Copy the teacher, where one is to follow ENCODER."""
        if self.averages:
            self.teacher = Teacher(encoder, DECAY)

    def after_step(self, encoder: Encoder) -> None:
        """Let the teacher follow ENCODER."""
        if self.teacher is not None:
            self.teacher.follow(encoder)

    def forward(self, encoder: Encoder, batch: Batch) -> Taught:
        """The loss of ENCODER on a weak and a strong view of each picture of BATCH."""
        if batch.targets is None:
            raise ValueError("semi_supervised needs a batch with targets, of zeros where unknown.")
        count = len(batch.images)
        known = batch.targets.sum(dim=1) > 0  # (B,)
        images = torch.cat(
            [
                self.changes.gentle(batch.images, batch.generator),
                self.changes.strong(batch.images, batch.generator),
            ]
        )
        views = encoder.see(images, _alike(batch.targets).repeat(2, 2), batch.generator)
        weak, strong = views.features.chunk(2)
        answers = weak if self.teacher is None else self.teacher(images[:count])
        loss = self.anchors(weak, batch.targets) + losses.consistency(answers, strong)
        if not known.all():
            guesses = self.anchors.logits(answers[~known]), self.anchors.logits(strong[~known])
            loss = loss + losses.pseudo_label(*guesses, SURE)
        return Taught(loss, views)


def _alike(targets: torch.Tensor) -> torch.Tensor:
    """Which pictures share one of their TARGETS (B, C), each of them with itself, (B, B) bool."""
    itself = torch.eye(len(targets), dtype=torch.bool, device=targets.device)
    return (targets @ targets.T > 0) | itself
