"""A few labels, and what the encoder is sure of, teach more than the few labels alone."""

import math
from dataclasses import replace

import pytest
import torch

from data.taxonomy import DescriptorType
from models import augment
from models.hashing import signs
from models.learner import Learner, Schedule, reproducible
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision.anchors import Anchors
from models.supervision.base import Batch, Lesson, Supervision
from models.supervision.semi_supervised import SemiSupervised
from models.supervision.supervised import Supervised
from models.supervision.teacher import Teacher
from tests.models.formulas import cosine, mean, softmax
from tests.models.lessons import COUNT, CPU, batch, lesson, partly, precision, tinted

BINARY, NUMBERS = DescriptorType.BINARY, DescriptorType.REAL_VALUED
TWO = pytest.mark.parametrize("descriptor", [BINARY, NUMBERS])


def encoder(seed: int = 0) -> ConvolutionalEncoder:
    torch.manual_seed(seed)
    return ConvolutionalEncoder(16, width=8)


def sure(teacher: SemiSupervised, learned: ConvolutionalEncoder) -> None:
    """Let some of the classes be clear to TEACHER by what LEARNED makes of a batch."""
    with torch.no_grad():
        features = learned(batch(0).images)
        teacher.anchors.anchors.copy_(features[:4] * 4)


@TWO
def test_the_loss_is_that_of_its_three_parts(descriptor: DescriptorType) -> None:
    learned, told = encoder(), partly(batch(0), 6)
    assert told.targets is not None
    teacher = SemiSupervised(replace(lesson(descriptor), temperature=1 / 40))
    sure(teacher, learned)
    loss, views = teacher(learned, partly(batch(0), 6))
    weak = augment.gentle(told.images, told.generator)
    assert torch.equal(views.images, torch.cat([weak, augment.strong(told.images, told.generator)]))
    one, other = views.features.detach().double().chunk(2)
    anchors = teacher.anchors.anchors.detach().double()
    labelled, guessed = [], []
    for row in range(24):
        near = [cosine(one[row], anchor) for anchor in anchors]
        if row < 6:
            own = int(told.targets[row].argmax())
            angle = math.acos(near[own])
            near[own] = near[own] - 0.2 if descriptor is BINARY else math.cos(angle + 0.2)
            labelled.append(-math.log(softmax([40 * value for value in near])[own]))
            continue
        chances = softmax([40 * value for value in near])
        taught = softmax([40 * cosine(other[row], anchor) for anchor in anchors])
        likely = chances.index(max(chances))
        guessed.append(-math.log(taught[likely]) if chances[likely] >= 0.95 else 0.0)
    apart = [1 - cosine(a, b) for a, b in zip(one, other, strict=True)]
    assert 0 < sum(cost > 0 for cost in guessed) < 18
    wanted = mean(labelled) + mean(guessed) + mean(apart)
    assert loss.item() == pytest.approx(wanted, rel=1e-4)


@TWO
def test_without_any_label_only_consistency_teaches_until_something_is_sure(
    descriptor: DescriptorType,
) -> None:
    learned = encoder()
    teacher = SemiSupervised(replace(lesson(descriptor), temperature=10.0))  # sure of nothing
    loss, views = teacher(learned, partly(batch(0), 0))
    one, other = views.features.detach().chunk(2)
    assert loss.item() == pytest.approx(1 - float((one * other).sum(dim=1).mean()), rel=1e-4)
    assert views.alike is not None
    assert torch.equal(views.alike, torch.eye(24, dtype=torch.bool).repeat(2, 2))


def test_pictures_are_alike_where_labels_say_so_else_their_own_views_alone() -> None:
    told = partly(batch(0), 9)
    assert told.targets is not None
    alike = SemiSupervised(lesson(BINARY))(encoder(), told).views.alike
    assert alike is not None
    classes = [int(row.argmax()) if row.sum() else None for row in told.targets]
    for i in range(48):
        for j in range(48):
            one, other = classes[i % 24], classes[j % 24]
            same = i % 24 == j % 24 or (one is not None and one == other)
            assert bool(alike[i, j]) == same


def test_a_mean_teacher_answers_for_the_weak_view_and_follows() -> None:
    learned = encoder()
    teacher = SemiSupervised(replace(lesson(BINARY, method="mean_teacher"), temperature=10.0))
    learner = Learner(learned, teacher, Schedule("adamw", 5e-3, 0.05, 1, 8), CPU)
    first = {name: value.clone() for name, value in learned.state_dict().items()}
    learner.step(partly(batch(0), 6))
    assert teacher.teacher is not None
    for name, value in teacher.teacher.encoder.state_dict().items():
        between = (first[name] + learned.state_dict()[name]) / 2
        assert torch.allclose(value.double(), between.double()) or not value.is_floating_point()
    loss, views = teacher(learned, partly(batch(3), 0))
    answers = teacher.teacher(views.images[:24])
    wanted = 1 - float((answers * views.features[24:].detach()).sum(dim=1).mean())
    assert loss.item() == pytest.approx(wanted, rel=1e-4)


def test_a_teacher_is_the_average_of_what_it_followed() -> None:
    learned = encoder()
    weight = dict(learned.named_parameters())["stem.0.weight"]
    teacher, still = Teacher(learned, 0.75), Teacher(learned, 1.0)
    average = weight.detach().clone()
    first = average.clone()
    for step in range(6):
        with torch.no_grad():
            weight.add_(step + 1.0)
        for one in (teacher, still):
            one.follow(learned)
        decay = min(0.75, 1 - 1 / (step + 2))
        average = decay * average + (1 - decay) * weight.detach()
    weights = [one.encoder.state_dict()["stem.0.weight"] for one in (teacher, still)]
    assert torch.allclose(weights[0], average)
    assert torch.equal(weights[1], first)
    assert not teacher.train().encoder.training


@pytest.mark.parametrize(
    ("descriptor", "dimensions", "temperature"),
    [(BINARY, 16, 1 / 8), (BINARY, 64, 1 / 8), (BINARY, 144, 1 / 12), (NUMBERS, 144, 1 / 16)],
)
def test_cosines_to_anchors_are_divided_by_the_temperature_of_their_kind(
    descriptor: DescriptorType, dimensions: int, temperature: float
) -> None:
    anchors = Anchors(3, lesson(descriptor, dimensions=dimensions), margin=0.2)
    rows = torch.randn(5, dimensions, generator=torch.Generator().manual_seed(0))
    stand = anchors.anchors.detach()
    near = [[cosine(row, anchor) / temperature for anchor in stand] for row in rows]
    assert torch.allclose(anchors.logits(rows), torch.tensor(near), atol=1e-4)


@TWO
def test_anchors_that_move_stand_about_the_mean_and_those_that_are_left_stay(
    descriptor: DescriptorType,
) -> None:
    anchors = Anchors(4, lesson(descriptor), margin=0.2)
    before = anchors.anchors.detach().clone()
    rows = 3 + torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    anchors.move(rows)
    aside = rows - sum(rows) / 3
    lengths = aside.square().sum(dim=1, keepdim=True).sqrt()
    wanted = signs(aside) if descriptor is BINARY else aside / lengths
    assert torch.allclose(anchors.anchors[:3], wanted, atol=1e-6)
    assert torch.equal(anchors.anchors[3], before[3])


def found(teacher: Supervision, learned: ConvolutionalEncoder, told: Batch, binary: bool) -> float:
    """What LEARNED finds after 60 steps; only the first four of TOLD have labels."""
    learner = Learner(learned, teacher, Schedule("adamw", 5e-3, 0.05, 4, 60), CPU)
    assert told.targets is not None
    for step in range(60):
        lots = torch.Generator().manual_seed(step)
        if isinstance(teacher, Supervised):
            rows = torch.randint(4, (24,), generator=lots)
        else:
            rows = torch.cat([torch.arange(4), 4 + torch.randperm(92, generator=lots)[:20]])
        learner.step(Batch(told.images[rows], told.targets[rows], lots, rows=rows))
    return precision(learned, tinted(1000, 80), binary)


@pytest.mark.slow
@TWO
def test_pictures_without_labels_add_to_the_few_with(descriptor: DescriptorType) -> None:
    alone, more = [], []
    with reproducible(CPU, 1):
        for seed in range(3):
            told, mine = partly(tinted(seed, COUNT), 4), replace(lesson(descriptor), seed=seed)
            alone.append(found(Supervised(mine), encoder(seed), told, descriptor is BINARY))
            more.append(found(SemiSupervised(mine), encoder(seed), told, descriptor is BINARY))
    assert mean(more) > mean(alone) + 0.03, (more, alone)


def test_labels_of_one_class_teach_nothing() -> None:
    with pytest.raises(ValueError, match=r"at least 2 classes, but there are 1. Choose self_super"):
        SemiSupervised(Lesson(16, BINARY, classes=("only",)))
    bare = replace(batch(0), targets=None)
    with pytest.raises(ValueError, match="batch with targets"):
        SemiSupervised(lesson(BINARY))(encoder(), bare)
