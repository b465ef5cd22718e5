"""Features keep the structure of the pictures, by steps or in closed form."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from data.taxonomy import DescriptorType
from models import augment, hashing, losses
from models.learner import Learner, Schedule, reproducible
from models.networks.base import Encoder, Head
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision.base import Batch, Lesson, Rows
from models.supervision.unsupervised import CLOSED, Unsupervised
from tests.models.lessons import CPU, SCHEDULE, Shown, batch, lesson, precision, some, tinted

BINARY, NUMBERS = DescriptorType.BINARY, DescriptorType.REAL_VALUED
TWO = pytest.mark.parametrize("descriptor", [BINARY, NUMBERS])


def drawn(dimensions: int = 16, seed: int = 0) -> ConvolutionalEncoder:
    """An encoder whose head projects at random, around the mean of what it pools of pictures."""
    torch.manual_seed(seed)
    encoder = ConvolutionalEncoder(dimensions, width=8)
    mean = Shown(tinted(0, 96)).pooled(encoder).mean(dim=0)
    assert isinstance(encoder.head, Head)
    encoder.head.fix(mean, torch.randn(dimensions, len(mean)))
    return encoder


@TWO
def test_the_loss_compares_features_with_pixels_until_the_encoder_knows_more(
    descriptor: DescriptorType,
) -> None:
    encoder, told = drawn(), batch(1)
    teacher = Unsupervised(lesson(descriptor))
    teacher.begin(encoder)
    loss, views = teacher(encoder, batch(1))
    again = augment.gentle(told.images, told.generator)
    assert torch.equal(views.images, again)
    pixels = functional.interpolate(told.images, 16, mode="area").flatten(1)
    source = pixels - pixels.mean(dim=0)
    features = views.features * 4
    wanted = (
        losses.bihalf(features, source, 0.1)
        if descriptor is BINARY
        else losses.neighbourhoods(features, source, 0.1)
    )
    assert torch.allclose(loss, wanted)


@TWO
def test_a_pretrained_encoder_is_compared_with_what_it_was(descriptor: DescriptorType) -> None:
    encoder = drawn()
    teacher = Unsupervised(replace(lesson(descriptor), pretrained=True))
    learner = Learner(encoder, teacher, SCHEDULE, CPU)
    was = Shown(batch(1)).pooled(encoder).clone()
    for step in range(3):
        learner.step(some(batch(0, 96), step))
    loss, views = teacher(encoder, batch(1))
    assert not torch.allclose(Shown(batch(1)).pooled(encoder), was)
    features, source = views.features * 4, was - was.mean(dim=0)
    wanted = (
        losses.bihalf(features, source, 0.1)
        if descriptor is BINARY
        else losses.neighbourhoods(features, source, 0.1)
    )
    assert torch.allclose(loss, wanted, atol=1e-6)
    assert not any(p.requires_grad for p in teacher.parameters())


def test_the_lesson_says_how_sharply_neighbours_are_chosen() -> None:
    encoder, pixels = drawn(), functional.interpolate(batch(1).images, 16, mode="area").flatten(1)
    teacher = Unsupervised(replace(lesson(NUMBERS), temperature=0.4))
    loss, views = teacher(encoder, batch(1))
    source = pixels - pixels.mean(dim=0)
    assert torch.allclose(loss, losses.neighbourhoods(views.features, source, 0.4))


@pytest.mark.parametrize("method", CLOSED)
def test_a_head_in_closed_form_computes_what_was_found(method: str) -> None:
    encoder, told = drawn(), batch(0, 96)
    pooled = Shown(told).pooled(encoder).clone()
    descriptor = BINARY if method in ("itq", "pca_hash") else NUMBERS
    Unsupervised(lesson(descriptor, method=method)).finish(encoder, Shown(told))
    if method == "itq":
        found = hashing.itq(pooled, 16, seed=0).projection
    else:
        found = hashing.pca_hash(pooled, 16)
    with torch.inference_mode():
        features = encoder.eval()(told.images)
    assert torch.allclose(features, functional.normalize(found(pooled)), atol=1e-3)


def test_pictures_that_cannot_be_decoded_do_not_move_the_head() -> None:
    class Holes(Shown):
        def pooled(self, encoder: Encoder, rows: Rows | None = None) -> torch.Tensor:
            good = super().pooled(encoder, rows)
            return torch.cat([good[:40], torch.zeros(7, good.shape[1]), good[40:]])

    whole, encoder = drawn(), drawn()
    teacher = Unsupervised(lesson(BINARY, method="itq"))
    teacher.finish(whole, Shown(batch(0, 96)))
    teacher.finish(encoder, Holes(batch(0, 96)))
    for name, value in whole.state_dict().items():
        assert torch.equal(encoder.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("descriptor", "method", "steps"),
    [
        (BINARY, "bihalf", 24),
        (BINARY, "itq", 0),
        (BINARY, "pca_hash", 0),
        (NUMBERS, "neighbours", 24),
        (NUMBERS, "pca", 0),
    ],
)
def test_four_numbers_tell_more_than_those_of_a_random_projection(
    descriptor: DescriptorType, method: str, steps: int
) -> None:
    told, asked, binary = tinted(0, 96), tinted(1000, 80), descriptor is BINARY
    floors, found = [], []
    with reproducible(CPU, 1):
        for seed in range(2):
            encoder = drawn(4, seed)
            floors.append(precision(encoder, asked, binary))
            teacher = Unsupervised(Lesson(4, descriptor, method=method))
            schedule = Schedule("adamw", 5e-3, 0.05, warm_up=4, steps=max(1, steps))
            learner = Learner(encoder, teacher, schedule, CPU)
            for step in range(steps):
                learner.step(some(told, step))
            teacher.finish(encoder, Shown(told))
            found.append(precision(encoder, asked, binary))
    assert sum(found) / 2 > sum(floors) / 2 + 0.03, (found, floors)


def test_without_a_loss_nothing_is_taught() -> None:
    encoder = drawn()
    still = Schedule("adamw", 5e-3, 0.0, warm_up=1, steps=8)
    learner = Learner(encoder, Unsupervised(lesson(BINARY, method="reconstruction")), still, CPU)
    before = {name: value.clone() for name, value in encoder.named_parameters()}
    assert learner.step(batch(0)) == 0
    for name, value in encoder.named_parameters():
        assert torch.equal(value, before[name]), name


def test_a_head_that_cannot_be_found_is_refused_before_the_first_step() -> None:
    teacher = Unsupervised(lesson(BINARY, method="itq"))
    wide = ConvolutionalEncoder(40, width=8)
    with pytest.raises(ValueError, match=r"choose up to 32 dimensions instead of 40, or a larger"):
        teacher.begin(wide)
    wide.head = nn.Identity()
    with pytest.raises(ValueError, match=r"itq finds a projection, and this encoder has none"):
        teacher.begin(wide)
    Unsupervised(lesson(BINARY)).begin(wide)


def test_a_batch_needs_neither_labels_nor_rows() -> None:
    told = batch(0)
    bare = Batch(told.images, None, told.generator)
    assert torch.isfinite(Unsupervised(lesson(NUMBERS))(drawn(), bare).loss)
