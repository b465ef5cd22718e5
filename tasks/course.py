"""The course of a training: from its first epoch, or where a killed one stood, to the weights."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import torch
import torch.distributed

from data.store import Store
from data.taxonomy import choose
from models.backbones import Start, start
from models.learner import Learner, Schedule, reproducible
from models.networks.base import Encoder
from models.supervision import SUPERVISIONS
from models.supervision.base import Batch, Lesson
from tasks.everything import Everything, images_of
from tasks.selection import Wanted
from tasks.train_plan import TrainPlan
from tasks.training_set import Pictures, Share, TrainingSet

Progress = Callable[[str, int, int, str], None]
"""Called with the stage ("decode", "train"), how much of how much is done, and a note."""

EVERY: Final = 20
"""Steps between two calls of a `Progress`."""


@dataclass(frozen=True)
class Group:
    """The workers of one training, of which this process is one; alone by default."""

    share: Share = field(default_factory=Share)

    def average(self, tensors: list[torch.Tensor]) -> None:
        """Put the mean over all workers in place of each of TENSORS."""
        if self.share.world == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        torch.distributed.all_reduce(flat)
        flat /= self.share.world
        place = 0
        for tensor in tensors:
            tensor.copy_(flat[place : place + tensor.numel()].view_as(tensor))
            place += tensor.numel()

    def any(self, mine: bool, device: torch.device) -> bool:
        """Whether it is true for at least one worker."""
        if self.share.world == 1:
            return mine
        flag = torch.tensor([float(mine)], device=device)
        torch.distributed.all_reduce(flag)
        return bool(flag.item())


@dataclass
class Course:
    """How a training went.

    Args:
        began: the encoder, now trained, its spec and the licence of the weights it began with.
        images: pictures that were learned from.
        bad: pictures that could not be decoded.
        split: that was trained on; None for all.
        classes: names of the classes, where labels were learned from.
        loss: the mean loss of each epoch.
        seconds: wall time, without interruptions.
        stopped: whether the plan's minutes ended it early.
    """

    began: Start
    images: int = 0
    bad: int = 0
    split: str | None = None
    classes: list[str] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False


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
    if not plan.epochs:
        return Course(began)
    with reproducible(device, plan.threads):
        return _Run(store, dataset, version, plan, device, progress, group, began).course()


def checkpoint_name(dataset: str, version: int, plan: TrainPlan) -> str:
    """Where the state of a training that has not ended lies in a store."""
    return f"encoders/training/{plan.digest}-{dataset}-{version}/state.pt"


class _Run:
    """One process's part in a training."""

    def __init__(
        self,
        store: Store,
        dataset: str,
        version: int,
        plan: TrainPlan,
        device: torch.device,
        progress: Progress,
        group: Group,
        began: Start,
    ) -> None:
        self.store, self.plan, self.device = store, plan, device
        self.progress, self.group = progress, group
        self.checkpoint = checkpoint_name(dataset, version, plan)
        teaching = choose(SUPERVISIONS, plan.supervision, "supervision")
        self.pictures = TrainingSet(
            store,
            dataset,
            version,
            _wanted(plan),
            transform=began.spec.transform,
            memory=plan.memory_mb << 20,
            threads=plan.threads,
        )
        classes = self.pictures.labels.names if self.pictures.labels else []
        words = self.pictures.words.names if self.pictures.words else []
        lesson = Lesson(
            plan.dimensions,
            plan.descriptor,
            classes,
            words,
            len(self.pictures),
            plan.way_name,
            plan.temperature,
            plan.margin,
            plan.flip,
            plan.seed,
        )
        teacher = teaching.load()(lesson)
        self.pictures.prepare(lambda done, total: progress("decode", done, total, ""))
        self.steps = self.pictures.steps(plan.batch)
        schedule = Schedule(
            plan.optimiser,
            plan.lr,
            plan.weight_decay,
            round(plan.warm_up * self.steps),
            plan.epochs * self.steps,
        )
        self.learner = Learner(
            began.encoder,
            teacher,
            schedule,
            device,
            term=began.encoder.term(plan.seed),
            weight=plan.term,
            half=plan.precision == "bfloat16",
            average=group.average if group.share.world > 1 else None,
        )
        self.everything = Everything(self.pictures, device, plan.batch)
        self.result = Course(began, split=self.pictures.split, classes=classes)

    def course(self) -> Course:
        """Train, epoch after epoch, each of which is kept in the store."""
        result, since = self.result, time.monotonic()
        before = 0.0
        if self.store.exists(self.checkpoint):
            kept = self.learner.restore(self.store.read(self.checkpoint))
            result.loss, before = list(kept["loss"]), float(kept["seconds"])
            result.seconds, result.stopped = before, bool(kept["stopped"])
        for epoch in range(len(result.loss), self.plan.epochs):
            if result.stopped:
                break
            result.loss.append(self._epoch(epoch, since - before))
            result.seconds = before + time.monotonic() - since
            self.group.average(_statistics(self.learner.encoder))
            if self.group.share.rank == 0:
                said = {"loss": result.loss, "seconds": result.seconds, "stopped": result.stopped}
                self.store.write(self.checkpoint, self.learner.state(**said))
        self.learner.supervision.finish(self.learner.encoder, self.everything)
        result.bad = len(self.pictures.bad)
        result.images = len(self.pictures) - result.bad
        return result

    def _epoch(self, epoch: int, began: float) -> float:
        """The mean loss of EPOCH; BEGAN is when the training did, by the monotonic clock."""
        plan, share = self.plan, self.group.share
        seed = np.random.SeedSequence((plan.seed, epoch, share.rank)).generate_state(1)[0]
        generator = torch.Generator(self.device).manual_seed(int(seed))
        total, done = torch.zeros((), device=self.device), 0
        self.learner.supervision.before_epoch(epoch, self.learner.encoder, self.everything)
        for pictures in self.pictures.batches(epoch, plan.seed, plan.batch, share):
            total += self.learner.step(self._batch(pictures, generator))
            done += 1
            if done % EVERY == 0 or done == self.steps:
                note = f"epoch {epoch + 1} of {plan.epochs}, loss {float(total) / done:.3f}"
                self.progress("train", epoch * self.steps + done, plan.epochs * self.steps, note)
            if plan.minutes is not None:
                late = time.monotonic() - began > plan.minutes * 60
                self.result.stopped = self.group.any(late, self.device)
                if self.result.stopped:
                    break
        loss = float(total) / done
        if self.group.any(not np.isfinite(loss), self.device):
            raise FloatingPointError(
                f"The loss of epoch {epoch + 1} is {loss}: the training diverged. "
                f"Choose a smaller lr than {plan.lr}."
            )
        return loss

    def _batch(self, pictures: Pictures, generator: torch.Generator) -> Batch:
        """PICTURES on the device, ready to be learned from."""
        targets, words = (
            None if said is None else said.to(self.device)
            for said in (pictures.targets, pictures.words)
        )
        rows = torch.from_numpy(pictures.rows).to(self.device)
        return Batch(images_of(pictures.pixels, self.device), targets, generator, words, rows)


def _wanted(plan: TrainPlan) -> Wanted:
    """What PLAN asks of the pictures that it learns from."""
    teaching = SUPERVISIONS[plan.supervision]
    labels: Literal["all", "some", "none"] = "none"
    if "labels" in teaching.needs:
        labels = "some" if "labels" in teaching.optional else "all"
    return Wanted(
        plan.split, labels, "tags" in teaching.needs, plan.labelled, plan.batches, plan.each
    )


def _statistics(encoder: Encoder) -> list[torch.Tensor]:
    """What ENCODER has counted, not learned: the means and variances of its batches."""
    return [buffer for buffer in encoder.buffers() if buffer.is_floating_point()]
