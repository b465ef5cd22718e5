"""What a training works with: the pictures, the learner, what measures it, and what stands around.

`tasks.training.course` goes through the epochs; here is what is put together once, before them.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import torch

from data.store import Store
from data.taxonomy import choose
from models.backbones import Start
from models.learned_codes import LearnedCodes
from models.learner import Learner, Schedule
from models.networks.base import Encoder
from models.quantiser import enough
from models.supervision import SUPERVISIONS
from models.supervision.base import Lesson, Supervision
from models.text.vocabulary import Vocabulary
from tasks.searching.compatible import fitting_older
from tasks.training.everything import Everything, some
from tasks.training.fitting import fit_poolings
from tasks.training.group import Group
from tasks.training.plan import TrainPlan
from tasks.training.quantise import quantise
from tasks.training.selection import Selected, Wanted, selected
from tasks.training.training_set import TrainingSet
from tasks.training.validation import Validation
from tasks.training.whiten import head_of, most_of, whiten


class School:
    """A learner with its teacher and its pictures.

    Args:
        store: holds the dataset.
        dataset: its name.
        version: of its manifest.
        plan: what to train.
        device: where.
        began: the encoder that learns.
        group: the workers, of which this is one.
        progress: told how many pictures have been decoded.

    Raises:
        ValueError: the dataset lacks what the supervision needs.
    """

    def __init__(
        self,
        store: Store,
        dataset: str,
        version: int,
        plan: TrainPlan,
        device: torch.device,
        began: Start,
        group: Group,
        progress: Callable[[str, int, int, str], None],
    ) -> None:
        self.plan, self.device, self.began, self.group = plan, device, began, group
        if self.whitens:
            head_of(began.encoder)
        chosen = selected(store, dataset, version, wanted(plan))
        learned, held = chosen.parted(plan.validation)
        vocabulary = _vocabulary(plan, learned)
        reader = vocabulary if began.encoder.text is None else began.encoder.text
        teacher = _teacher(plan, learned, began.encoder.dimensions, vocabulary)
        if plan.compatible_with:
            teacher = fitting_older(
                store, dataset, learned, plan, began.spec, teacher, device, group
            )
        memory = plan.memory_mb << 20

        def pictures(some: Selected, memory: int) -> TrainingSet:
            """SOME, decoded as far as they fit MEMORY."""
            found = TrainingSet(
                store,
                dataset,
                some,
                transform=began.spec.transform,
                memory=memory,
                threads=plan.threads,
                kind=plan.batches,
                each=plan.each,
                codes=reader.codes,
            )
            found.prepare(lambda done, total: progress("decode", done, total, ""))
            return found

        held_out = [] if held is None else [pictures(held, memory // 2)]
        if self.quantises:
            enough(len(learned))
        self.pictures = pictures(learned, memory - sum(one.taken for one in held_out))
        self.sets = [self.pictures, *held_out]
        self.validation: Validation | None = None
        for one in held_out:
            self.validation = Validation(one, self.pictures, began.spec, device, plan.batch, group)
        self.steps = self.pictures.steps(plan.batch)
        self.everything = Everything(self.pictures, device, plan.batch, group)
        # before a teacher is copied from the encoder, or an average begun
        group.average(fit_poolings(began.encoder.to(device), self.everything, plan.seed))
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
            clip=plan.clip,
            ema=plan.ema,
            average=None if group.alone else group.average,
        )
        if began.encoder.text is not None:  # a teacher may have given it one
            spec = began.spec.model_copy(update={"text": began.encoder.text.spec})
            self.began = replace(began, spec=spec)

    @property
    def whitens(self) -> bool:
        """Whether the head is found when all is learned."""
        return self.plan.whitening != "none" or self.began.spec.head == "whitening"

    @property
    def quantises(self) -> bool:
        """Whether codebooks are found when all else is."""
        return self.began.encoder.quantiser is not None

    @property
    def held(self) -> int:
        """Pictures that are held out and can be decoded, as far as is known."""
        return sum(len(pictures) - len(pictures.bad) for pictures in self.sets[1:])

    @property
    def bad(self) -> int:
        """Pictures that could not be decoded."""
        return sum(len(pictures.bad) for pictures in self.sets)

    @property
    def codes(self) -> LearnedCodes | None:
        """The codes of single pictures, after `finish`, where they were learned too."""
        found = self.learner.supervision.codes
        if found is None:
            return None
        good = found.cpu().abs().sum(dim=1) > 0
        digests = np.array(self.pictures.chosen.digests)[good.numpy()]
        rows = self.began.spec.stored()(found.cpu()[good].float())
        return LearnedCodes.of(digests.tolist(), rows)

    def before(self, epoch: int) -> None:
        """What is done before the first step of EPOCH."""
        self.learner.supervision.before_epoch(epoch, self.learner.encoder, self.everything)

    def finish(self) -> None:
        """What is done after the last epoch, and without epochs where that is all there is."""
        encoder, plan = self.learner.result, self.plan
        if plan.epochs or plan.way.closed_form:
            self.learner.supervision.finish(encoder, self.everything)
        if plan.epochs and (self.whitens or self.began.spec.head == "none"):
            # a head that stays as it was learned has learned with what was found before
            fit_poolings(encoder, self.everything, plan.seed, again=True)
        if self.whitens:
            rows = some(len(self.everything), most_of(encoder), plan.seed)
            labels = self.pictures.labels
            if labels is not None:
                labels = labels.at(np.isin(np.arange(len(labels)), rows))
            pooled = self.everything.pooled(encoder, rows)
            whiten(encoder, pooled, plan.whitening, labels, plan.seed)
        if encoder.quantiser is not None:
            quantise(encoder, encoder.quantiser, self.everything, plan.seed)


def wanted(plan: TrainPlan) -> Wanted:
    """What PLAN asks of the pictures that it learns from."""
    teaching = SUPERVISIONS[plan.supervision]
    labels: Literal["all", "some", "none"] = "none"
    if "labels" in teaching.needs:
        labels = "some" if "labels" in teaching.optional else "all"
    return Wanted(
        plan.split,
        labels,
        words="tags" in teaching.needs,
        labelled=plan.labelled,
        protocol=plan.taught_by,
        sentences=plan.way.reads,
    )


def statistics(encoder: Encoder) -> list[torch.Tensor]:
    """What ENCODER has counted, not learned: the means and variances of its batches."""
    return [buffer for buffer in encoder.buffers() if buffer.is_floating_point()]


def _vocabulary(plan: TrainPlan, chosen: Selected) -> Vocabulary:
    """The words of the sentences of the pictures that are CHOSEN; none where none are read."""
    said = chosen.sentences
    return Vocabulary.learned([] if said is None else said.each(), plan.vocabulary)


def _teacher(
    plan: TrainPlan, chosen: Selected, dimensions: int, vocabulary: Vocabulary
) -> Supervision:
    """The supervision of PLAN, told of what it teaches from: the pictures that are CHOSEN."""
    lesson = Lesson(
        dimensions,
        plan.descriptor,
        chosen.labels.names if chosen.labels else [],
        chosen.words.names if chosen.words else [],
        len(chosen),
        plan.way_name,
        plan.temperature,
        plan.margin,
        plan.flip,
        plan.change,
        plan.seed,
        plan.clusters,
        plan.pretrained is not None,
        plan.sketches,
        vocabulary.words,
    )
    return choose(SUPERVISIONS, plan.supervision, "supervision").load()(lesson)
