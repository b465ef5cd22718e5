"""The course of a training: from its first epoch, or where a killed one stood, to the weights."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import torch

from data.store import Store
from models.backbones import Start, start
from models.learned_codes import LearnedCodes
from models.learner import reproducible
from models.moving import moved_to
from models.networks.base import drawn_from
from models.supervision.base import Batch
from tasks.encoders import TRAININGS
from tasks.training.checkpoint import Checkpoint, pointer
from tasks.training.everything import images_of
from tasks.training.group import Group
from tasks.training.plan import TrainPlan
from tasks.training.school import School, statistics
from tasks.training.training_set import Pictures

Progress = Callable[[str, int, int, str], None]
"""Called with the stage ("decode", "train"), how much of how much is done, and a note."""

EVERY: Final = 20
"""Steps between two calls of a `Progress`, and between two looks of a group at the clock."""


@dataclass
class Course:
    """How a training went.

    Args:
        began: the encoder, now trained, its spec and the licence of the weights it began with.
        images: pictures that were learned from.
        held: pictures that were held out to choose the best epoch.
        bad: pictures that could not be decoded.
        split: that was trained on; None for all.
        classes: names of the classes, where labels were learned from.
        loss: the mean loss of each epoch.
        figure: the name of what was measured after each epoch; empty where nothing was.
        measured: what came of it, an epoch each.
        epoch: whose weights are kept, counted from 1; 0 where there was none.
        seconds: wall time, without interruptions.
        stopped: whether the plan's minutes or its patience ended it early.
        codes: of single pictures, where they were learned too.
    """

    began: Start
    images: int = 0
    held: int = 0
    bad: int = 0
    split: str | None = None
    classes: list[str] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    figure: str = ""
    measured: list[float] = field(default_factory=list)
    epoch: int = 0
    seconds: float = 0.0
    stopped: bool = False
    codes: LearnedCodes | None = None

    @property
    def curves(self) -> dict[str, list[float]]:
        """What was measured over the epochs, by name."""
        return {"loss": self.loss} | ({self.figure: self.measured} if self.figure else {})


def run(
    store: Store,
    dataset: str,
    version: int,
    plan: TrainPlan,
    device: torch.device,
    progress: Progress,
    group: Group | None = None,
) -> Course:
    """Train as PLAN says on DATASET at VERSION; takes up a checkpoint where there is one.

    On a CPU the weights depend on the dataset version and the plan alone, interrupted or not
    (unless its minutes end the training).

    Raises:
        ValueError: the dataset lacks what the supervision needs.
        FloatingPointError: the loss is no longer a finite number.
    """
    group = group or Group()
    began = start(plan.spec(), plan.pretrained, plan.seed)
    if plan.frozen:
        began.encoder.freeze()
    if not plan.looks:
        return Course(began)
    with reproducible(device, plan.threads):
        school = School(store, dataset, version, plan, device, began, group, progress)
        folder = checkpoint_folder(dataset, version, plan, began.origin)
        return _Run(school, plan, progress, Checkpoint(store, folder, group)).course()


def checkpoint_folder(dataset: str, version: int, plan: TrainPlan, origin: str = "") -> str:
    """Where the state of a training that has not ended lies in a store.

    One that began with other weights, of another ORIGIN, is another training.
    """
    began = f"-{origin[:12]}" if origin else ""
    return f"{TRAININGS}/{plan.digest}-{dataset}-{version}{began}"


def checkpoint_name(dataset: str, version: int, plan: TrainPlan) -> str:
    """The file that is there as soon as there is a state to go on from."""
    return pointer(checkpoint_folder(dataset, version, plan))


class _Run:
    """One process's part in a training."""

    def __init__(
        self, school: School, plan: TrainPlan, progress: Progress, checkpoint: Checkpoint
    ) -> None:
        self.school, self.plan, self.progress = school, plan, progress
        self.checkpoint, self.group, self.device = checkpoint, school.group, school.device
        self.learner = school.learner
        chosen, validation = school.pictures.chosen, school.validation
        self.result = Course(
            school.began,
            split=chosen.split,
            classes=chosen.labels.names if chosen.labels else [],
            figure=validation.figure if validation else "",
        )
        self.best: dict[str, torch.Tensor] = {}
        """The weights of the best epoch, where there is a validation."""
        self.total, self.done = 0.0, 0
        """Of the epoch in hand: the sum of the losses, and the steps."""
        self.generator = torch.Generator(self.device)
        self.since = self.kept = time.monotonic()
        """When the training began, had it not been interrupted; when its state was last kept."""

    def course(self) -> Course:
        """Train, epoch after epoch, each of which is kept in the store."""
        result = self.result
        self._go_on()
        for epoch in range(len(result.loss), self.plan.epochs):
            if result.stopped:
                break
            result.loss.append(self._epoch(epoch))
            self.done = 0
            self._measure()
            self._keep()
        if self.best:
            self.learner.result.load_state_dict(self.best)
        self.school.finish()
        result.bad = self.school.bad
        result.images = len(self.school.pictures) - len(self.school.pictures.bad)
        result.held = self.school.held
        result.codes = self.school.codes
        result.began = replace(result.began, encoder=self.learner.result)
        result.seconds = time.monotonic() - self.since
        return result

    def _epoch(self, epoch: int) -> float:
        """The mean loss of EPOCH, of which some steps may have been made before."""
        plan, share = self.plan, self.group.share
        seed = int(np.random.SeedSequence((plan.seed, epoch, share.rank)).generate_state(1)[0])
        if not self.done:
            self.generator.manual_seed(seed)
            self.total = 0.0
            self.school.before(epoch)
        total = torch.tensor(self.total, device=self.device)
        steps = self.school.steps
        for pictures in self.school.pictures.batches(
            epoch, plan.seed, plan.batch, share, self.done, self.learner.supervision.mates
        ):
            # what a backbone of others drops it draws from torch's own lots, not from the batch's
            with drawn_from(seed + self.done):
                total += self.learner.step(self._batch(pictures))
            self.done += 1
            last = self.done == steps
            if self._late(self.kept, plan.keep) and not last:
                self.total = float(total)
                self._keep()
            if last or self.done % EVERY == 0:
                note = f"epoch {epoch + 1} of {plan.epochs}, loss {float(total) / self.done:.3f}"
                self.progress("train", epoch * steps + self.done, plan.epochs * steps, note)
            if self._late(self.since, plan.minutes):
                self.result.stopped = True
                break
        return self._finite("loss", self.group.mean(float(total) / self.done, self.device), epoch)

    def _finite(self, what: str, value: float, epoch: int) -> float:
        """VALUE, of EPOCH, if it is a number that training can go on with."""
        if np.isfinite(value):
            return value
        raise FloatingPointError(
            f"The {what} of epoch {epoch + 1} is {value}: the training diverged. "
            f"Choose a smaller lr than {self.plan.lr}."
        )

    def _late(self, since: float, minutes: float | None) -> bool:
        """Whether for a worker MINUTES have gone by; several agree on it now and then."""
        if minutes is None or not (self.group.alone or self.learner.steps % EVERY == 0):
            return False
        return self.group.any(time.monotonic() - since >= minutes * 60, self.device)

    def _batch(self, pictures: Pictures) -> Batch:
        """PICTURES on the device, ready to be learned from."""
        targets, words, sentences = (
            None if said is None else moved_to(said, self.device)
            for said in (pictures.targets, pictures.words, pictures.sentences)
        )
        rows = moved_to(torch.from_numpy(pictures.rows), self.device)
        images = images_of(pictures.pixels, self.device)
        return Batch(images, targets, self.generator, words, rows, sentences)

    def _measure(self) -> None:
        """Measure what came of an epoch; the best so far is remembered."""
        result, validation = self.result, self.school.validation
        epoch = len(result.loss)
        for encoder in dict.fromkeys((self.learner.encoder, self.learner.result)):
            self.group.average(statistics(encoder))
        if validation is None:
            result.epoch = epoch
            return
        value = self._finite(result.figure, validation(self.learner), epoch - 1)
        result.measured.append(value)
        note = f"epoch {epoch} of {self.plan.epochs}, {result.figure} {value:.4f}"
        steps = self.school.steps
        self.progress("train", epoch * steps, self.plan.epochs * steps, note)
        if not self.best or validation.better(value, result.measured[result.epoch - 1]):
            result.epoch = epoch
            weights = self.learner.result.state_dict()
            self.best = {name: tensor.clone() for name, tensor in weights.items()}
        if self.plan.patience and epoch - result.epoch >= self.plan.patience:
            result.stopped = True

    def _keep(self) -> None:
        """Put the state into the store, that another process can go on from it."""
        result = self.result
        said: dict[str, Any] = {
            "loss": result.loss,
            "measured": result.measured,
            "epoch": result.epoch,
            "stopped": result.stopped,
            "done": self.done,
            "seconds": time.monotonic() - self.since,
        }
        whole = self.learner.state(best=self.best, **said) if self.group.first else None
        own = self.learner.own_state(
            total=self.total,
            generator=self.generator.get_state(),
            bad=[sorted(pictures.bad) for pictures in self.school.sets],
        )
        self.checkpoint.write(whole, own)
        self.kept = time.monotonic()

    def _go_on(self) -> None:
        """Take up the state of a training that was killed, where there is one.

        Raises:
            ValueError: what is there is no state of this training.
        """
        with self.checkpoint.taken_up():
            states = self.checkpoint.read()
            if states is None:
                return
            kept, result = self.learner.restore(*states), self.result
            result.loss, result.measured = list(kept["loss"]), list(kept["measured"])
            result.epoch, result.stopped = int(kept["epoch"]), bool(kept["stopped"])
            self.best, self.done, self.total = dict(kept["best"]), int(kept["done"]), kept["total"]
            self.generator.set_state(kept["generator"].cpu())
            for pictures, bad in zip(self.school.sets, kept["bad"], strict=True):
                pictures.bad.update(bad)
            self.since -= float(kept["seconds"])
