"""Clusters that are found anew before each epoch come to be the classes."""

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from data.taxonomy import DescriptorType
from models import augment, losses
from models.clustering import kmeans
from models.learner import Learner, Schedule, reproducible
from models.networks.base import Encoder
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision.base import Batch, Lesson, Rows
from models.supervision.pseudo_supervised import PseudoSupervised
from models.supervision.source import shrunk
from tests.models.formulas import cosine, mean, softmax
from tests.models.lessons import COUNT, CPU, Shown, batch, lesson, precision, some

BINARY, NUMBERS = DescriptorType.BINARY, DescriptorType.REAL_VALUED
TWO = pytest.mark.parametrize("descriptor", [BINARY, NUMBERS])


def encoder(seed: int = 0) -> ConvolutionalEncoder:
    torch.manual_seed(seed)
    return ConvolutionalEncoder(16, width=8)


def patterns(seed: int, count: int) -> Batch:
    """Noisy pictures of four patterns in many lights: a class is a pattern."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(0, 4, (count,), generator=generator)
    narrow, wide = (((torch.arange(16) // width) % 2).float().expand(16, 16) for width in (2, 4))
    drawn = torch.stack([narrow, narrow.T, (narrow - narrow.T).abs(), wide])[classes]
    light = torch.rand(count, 1, 1, 1, generator=generator) * 0.6 + 0.2
    noise = torch.rand(count, 3, 16, 16, generator=generator) * 0.4
    images = (drawn[:, None] * light + noise).clamp(0, 1)
    return Batch(images, functional.one_hot(classes, 4).float(), generator)


def likeness(one: list[int], other: list[int]) -> float:
    """The normalised mutual information of two partitions: 2 I / (H + H)."""
    count = len(one)
    alone, others = Counter(one), Counter(other)

    def entropy(sizes: Counter[int]) -> float:
        return -sum(size / count * math.log(size / count) for size in sizes.values())

    shared = sum(
        size / count * math.log(size * count / (alone[a] * others[b]))
        for (a, b), size in Counter(zip(one, other, strict=True)).items()
    )
    return 2 * shared / (entropy(alone) + entropy(others))


def test_likeness_is_one_for_the_same_and_nothing_for_independent_partitions() -> None:
    assert likeness([0, 0, 1, 2], [5, 5, 3, 4]) == pytest.approx(1)
    assert likeness([0, 0, 1, 1], [0, 1, 0, 1]) == pytest.approx(0)


@TWO
def test_clusters_are_those_of_unit_vectors_and_anchors_stand_at_their_centres(
    descriptor: DescriptorType,
) -> None:
    learned, told = encoder(), batch(0, COUNT)
    teacher = PseudoSupervised(lesson(descriptor))
    learned.train()
    before = {name: value.clone() for name, value in learned.state_dict().items()}
    teacher.before_epoch(3, learned, Shown(told))
    points = functional.normalize(Shown(told).pooled(learned).clone())
    found = kmeans(points, 4, seed=3)
    assert torch.equal(teacher.cluster, found.labels)
    assert learned.training
    for name, value in learned.state_dict().items():
        assert torch.equal(value, before[name]), name
    with torch.no_grad():
        means = torch.stack([points[found.labels == cluster].mean(dim=0) for cluster in range(4)])
        centres = learned.eval().finished(means)
    aside = centres - centres.mean(dim=0)
    wanted = (
        torch.where(aside < 0, -1.0, 1.0) if descriptor is BINARY else functional.normalize(aside)
    )
    assert torch.allclose(teacher.anchors.anchors, wanted, atol=1e-5)


@TWO
def test_the_first_clusters_are_those_of_the_pixels_until_the_encoder_knows_more(
    descriptor: DescriptorType,
) -> None:
    learned, told = encoder(), batch(0, COUNT)
    by_pixels = kmeans(functional.normalize(shrunk(told.images)), 4, seed=0).labels
    pooled = functional.normalize(Shown(told).pooled(learned).clone())
    by_encoder = kmeans(pooled, 4, seed=0).labels
    assert not torch.equal(by_pixels, by_encoder)
    teacher = PseudoSupervised(lesson(descriptor))
    teacher.before_epoch(0, learned, Shown(told))
    assert torch.equal(teacher.cluster, by_pixels)
    with torch.no_grad():
        means = torch.stack([pooled[by_pixels == cluster].mean(dim=0) for cluster in range(4)])
        centres = learned.eval().finished(means)
    aside = centres - centres.mean(dim=0)
    side = (
        torch.where(aside < 0, -1.0, 1.0) if descriptor is BINARY else functional.normalize(aside)
    )
    assert torch.allclose(teacher.anchors.anchors, side, atol=1e-5)
    teacher = PseudoSupervised(replace(lesson(descriptor), pretrained=True))
    teacher.before_epoch(0, learned, Shown(told))
    assert torch.equal(teacher.cluster, by_encoder)


@TWO
def test_each_cluster_of_a_batch_costs_alike_and_what_is_in_none_costs_nothing(
    descriptor: DescriptorType,
) -> None:
    learned, told = encoder(), some(batch(0, COUNT), 5)
    teacher = PseudoSupervised(replace(lesson(descriptor), margin=0.1))
    teacher.before_epoch(0, learned, Shown(batch(0, COUNT)))
    assert told.rows is not None
    teacher.cluster[told.rows[[2, 7]]] = -1
    loss, views = teacher(learned, some(batch(0, COUNT), 5))
    assert torch.equal(views.images, augment.gentle(told.images, told.generator))
    costs: dict[int, list[float]] = {}
    sharp = 8 if descriptor is BINARY else 16
    for row, feature in zip(told.rows.tolist(), views.features.detach().double(), strict=True):
        own = int(teacher.cluster[row])
        if own >= 0:
            near = [cosine(feature, anchor) for anchor in teacher.anchors.anchors.detach().double()]
            near[own] -= 0.1
            costs.setdefault(own, []).append(-math.log(softmax([sharp * x for x in near])[own]))
    wanted = sum(sum(some) / len(some) for some in costs.values()) / len(costs)
    assert loss.item() == pytest.approx(wanted, rel=1e-4)
    assert views.alike is not None
    mine = teacher.cluster[told.rows]
    for i in range(24):
        for j in range(24):
            same = i == j or (mine[i] == mine[j] and int(mine[i]) >= 0)
            assert bool(views.alike[i, j]) == bool(same)


def test_a_picture_that_cannot_be_decoded_is_in_no_cluster() -> None:
    class Holes(Shown):
        def pooled(self, encoder: Encoder, rows: Rows | None = None) -> torch.Tensor:
            found = super().pooled(encoder, rows).clone()
            found[[3, 50]] = 0
            return found

    teacher = PseudoSupervised(lesson(BINARY))
    teacher.before_epoch(0, encoder(), Holes(batch(0, COUNT)))
    alone = torch.nonzero(teacher.cluster < 0).flatten().tolist()
    assert alone == [3, 50]
    assert set(teacher.cluster.tolist()) == {-1, 0, 1, 2, 3}


def test_fewer_pictures_than_clusters_are_a_cluster_each() -> None:
    teacher = PseudoSupervised(replace(lesson(NUMBERS, pictures=3), clusters=9))
    teacher.before_epoch(0, encoder(), Shown(batch(0, 3)))
    assert sorted(teacher.cluster.tolist()) == [0, 1, 2]
    guessed = [PseudoSupervised(Lesson(16, BINARY, pictures=n)).clusters for n in (0, 90, 60_000)]
    assert guessed == [2, 9, 245]


@TWO
def test_swav_is_its_formula_on_two_views(descriptor: DescriptorType) -> None:
    learned, told = encoder(), batch(0)
    teacher = PseudoSupervised(lesson(descriptor, method="swav"))
    loss, views = teacher(learned, batch(0))
    images = augment.strong(torch.cat([told.images, told.images]), told.generator)
    assert torch.equal(views.images, images)
    features = views.features.detach().double()
    if descriptor is BINARY:
        features = torch.where(features < 0, -1.0, 1.0).double()
    prototypes = teacher.prototypes.detach().double()
    scores = torch.tensor([[cosine(f, p) for p in prototypes] for f in features])
    codes = [losses.sinkhorn(part) for part in scores.chunk(2)]
    wanted = 0.0
    for i in range(24):
        for seen, other in ((i, codes[1][i]), (24 + i, codes[0][i])):
            chances = softmax([float(x) / 0.1 for x in scores[seen]])
            wanted -= sum(float(c) * math.log(p) for c, p in zip(other, chances, strict=True)) / 48
    assert loss.item() == pytest.approx(wanted, rel=1e-3)
    assert views.alike is not None
    cluster = (codes[0] + codes[1]).argmax(dim=1).repeat(2)
    itself = torch.eye(48, dtype=torch.bool)
    assert torch.equal(views.alike, (cluster == cluster[:, None]) | itself)


@TWO
def test_clusters_come_to_be_the_classes_and_find_more(descriptor: DescriptorType) -> None:
    told, asked, binary = patterns(0, COUNT), patterns(1000, 80), descriptor is BINARY
    assert told.targets is not None
    classes = told.targets.argmax(dim=1).tolist()
    first, last, floors, found = [], [], [], []
    with reproducible(CPU, 1):
        for seed in (1, 2):
            learned = encoder(seed)
            floors.append(precision(learned, asked, binary))
            said = replace(lesson(descriptor), clusters=8, seed=seed, pretrained=True)
            teacher = PseudoSupervised(said)  # whose clusters are the encoder's from the first on
            learner = Learner(learned, teacher, Schedule("adamw", 5e-3, 0.05, 4, 32), CPU)
            alike = []
            for epoch in range(5):
                teacher.before_epoch(epoch, learned, Shown(told))
                alike.append(likeness(teacher.cluster.tolist(), classes))
                for step in range(8 if epoch < 4 else 0):
                    learner.step(some(told, epoch * 8 + step))
            first.append(alike[0])
            last.append(alike[-1])
            found.append(precision(learned, asked, binary))
    assert mean(last) > mean(first) + 0.05, (first, last)
    assert mean(found) > mean(floors) + 0.1, (found, floors)


def test_a_batch_that_does_not_say_its_rows_is_refused() -> None:
    teacher = PseudoSupervised(lesson(BINARY))
    with pytest.raises(ValueError, match="which rows it holds"):
        teacher(encoder(), replace(batch(0), rows=None))
