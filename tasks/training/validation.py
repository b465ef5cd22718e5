"""How good an encoder is after an epoch, by pictures that it does not learn from.

Where its supervision looks at labels the measure is ``map@100[min]``: held-out pictures ask, some
of those that are learned from answer, and right is what shares a label. A supervision that looks at
none is not judged by them either: there it is the loss on the held-out pictures.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models import metrics
from models.descriptors.base import Descriptor
from models.distances import between, prepared
from models.learner import Learner
from models.moving import moved_to
from models.spec import EncoderSpec
from models.supervision.base import Batch
from tasks.training.everything import Everything, images_of
from tasks.training.group import Group
from tasks.training.marks import Marks
from tasks.training.training_set import TrainingSet

MOST: Final = 5_000
"""Pictures that ask, and that answer, at most."""
K: Final = 100
ASKED_AT_ONCE: Final = 256
SEED: Final = 0
"""Of the views of the held-out pictures: the same after every epoch, whatever the plan's."""

Array = NDArray[np.float32]


class Validation:
    """Measures an encoder by pictures that were held out.

    Args:
        held: those.
        learned: the pictures that are learned from.
        spec: of the encoder.
        device: where it works.
        batch: pictures at a time.
        group: the workers, of which this is one.

    Raises:
        ValueError: no held-out picture shares a label where labels are learned from.
    """

    def __init__(
        self,
        held: TrainingSet,
        learned: TrainingSet,
        spec: EncoderSpec,
        device: torch.device,
        batch: int,
        group: Group,
    ) -> None:
        self._held, self._device, self._batch, self._group = held, device, batch, group
        self._asks = Everything(held, device, batch, group)
        self._answers = Everything(learned, device, batch, group)
        self._descriptor: Descriptor = spec.stored()
        self._labels: tuple[Marks, Marks] | None = None
        if held.labels is not None and learned.labels is not None:
            self._labels = held.labels, learned.labels
            self._asking = np.flatnonzero(held.labels.counts)[:MOST]
            told = np.flatnonzero(learned.labels.counts)
            self._answering = np.sort(np.random.default_rng(SEED).permutation(told)[:MOST])
            asks = held.labels.at(np.isin(np.arange(len(held)), self._asking))
            if not set(asks.said) & set(learned.labels.said):
                raise ValueError(
                    f"None of the {len(held)} pictures that are held out shares a label that may "
                    "be seen with one that is learned from: let validation or labelled be more."
                )

    @property
    def figure(self) -> str:
        """The name of what is measured."""
        return "loss held out" if self._labels is None else f"map@{K}[min]"

    def better(self, one: float, other: float) -> bool:
        """Whether ONE is better than OTHER."""
        return one < other if self._labels is None else one > other

    def __call__(self, learner: Learner) -> float:
        """The figure of what LEARNER would keep now, the same for all workers."""
        if self._labels is None:
            return self._group.mean(self._loss(learner), self._device)
        return self._group.mean(self._precision(learner, *self._labels), self._device)

    def _precision(self, learner: Learner, asked: Marks, told: Marks) -> float:
        """The mean average precision of what LEARNER would keep."""
        queries, rows = self._stored(learner, self._asks, self._asking)
        gallery, others = self._stored(learner, self._answers, self._answering)
        right = asked.shared(rows, told, others)  # (Q, N)
        values = [np.empty(0)]
        for start in range(0, len(rows), ASKED_AT_ONCE):
            some = slice(start, start + ASKED_AT_ONCE)
            apart = between(queries[some], gallery, self._descriptor.metric)
            values.append(_precisions(apart, right[some], self._descriptor))
        return metrics.mean(np.concatenate(values)).value

    def _stored(
        self, learner: Learner, pictures: Everything, rows: NDArray[np.int64]
    ) -> tuple[Array, NDArray[np.int64]]:
        """The `prepared` descriptors of those of ROWS that are good, and which these are."""
        features, good = pictures.features(learner.result, rows)
        stored = self._descriptor(features[good])
        return prepared(stored, self._descriptor.metric), rows[good.numpy()]

    def _loss(self, learner: Learner) -> float:
        """The mean loss over the held-out pictures, in steps of nearly the same size."""
        parts = max(1, min(len(self._held), MOST) // self._batch)
        generator = torch.Generator(self._device).manual_seed(SEED)
        total, count = 0.0, 0
        for rows in np.array_split(np.arange(min(len(self._held), MOST)), parts):
            for some in self._held.each_once(len(rows), rows):
                images = images_of(some.pixels, self._device)
                words, sentences = (
                    None if said is None else moved_to(said, self._device)
                    for said in (some.words, some.sentences)
                )
                batch = Batch(images, None, generator, words, sentences=sentences)
                total += float(learner.told(batch)) * len(images)
                count += len(images)
        return total / count if count else float("nan")


def _precisions(
    apart: Array, right: NDArray[np.bool_], descriptor: Descriptor
) -> NDArray[np.float64]:
    """The average precision of each row of distances APART (Q, N) where RIGHT (Q, N) answers."""
    if descriptor.metric == "hamming":  # most of a ranking of codes is ties
        bits, queries = 8 * descriptor.width, len(apart)
        places = apart.astype(np.int64) + (bits + 1) * np.arange(queries)[:, None]
        counts, hits = (
            np.bincount(some.ravel(), minlength=queries * (bits + 1)).reshape(queries, bits + 1)
            for some in (places, places[right])
        )
        return np.asarray(metrics.expected_average_precision(counts, hits, K, "min"))
    near = np.argsort(apart, axis=1, kind="stable")[:, :K]
    ranked = np.take_along_axis(right, near, axis=1)
    return np.asarray(metrics.average_precision(ranked, right.sum(axis=1), "min"))
