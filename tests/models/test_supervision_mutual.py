"""Pictures learn to lie near those that are near them among all pictures, as these are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from data.taxonomy import DescriptorType
from models import augment, losses
from models.neighbours import NOBODY, mutual_neighbours, reduced
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision import mutual
from models.supervision.base import Batch
from models.supervision.mutual import Mutual
from models.supervision.source import shrunk
from models.supervision.unsupervised import Unsupervised
from tests.models.lessons import COUNT, Shown, batch, lesson, some, tinted

BINARY, NUMBERS = DescriptorType.BINARY, DescriptorType.REAL_VALUED
METHOD = "mutual_neighbours"


def encoder() -> ConvolutionalEncoder:
    torch.manual_seed(0)
    return ConvolutionalEncoder(16, width=8)


def looked(told: Batch, descriptor: DescriptorType = BINARY, **changes: object) -> Unsupervised:
    """The teacher after it has seen TOLD."""
    said = lesson(descriptor, len(told.images), method=METHOD)
    teacher = Unsupervised(replace(said, **changes))  # type: ignore[arg-type]
    teacher.before_epoch(0, encoder(), Shown(told))
    return teacher


def known(teacher: Unsupervised) -> Mutual:
    assert teacher.mutual is not None
    return teacher.mutual


def test_neighbours_are_those_of_the_pixels_until_the_encoder_knows_more() -> None:
    told = batch(0, COUNT)
    wanted = mutual_neighbours(reduced(shrunk(told.images), 64), 10)
    assert torch.equal(known(looked(told)).neighbours, wanted.int())
    pooled = Shown(told).pooled(encoder())
    assert not torch.equal(mutual_neighbours(reduced(pooled, 64), 10), wanted)
    found = known(looked(told, pretrained=True)).neighbours
    assert torch.equal(found, mutual_neighbours(reduced(pooled, 64), 10).int())


def test_they_are_looked_for_once() -> None:
    told = batch(0, COUNT)
    teacher = looked(told)
    before = known(teacher).neighbours.clone()
    teacher.before_epoch(1, encoder(), Shown(batch(7, COUNT)))
    assert torch.equal(known(teacher).neighbours, before)


def test_mates_of_colours_are_of_their_colour() -> None:
    told = batch(0, COUNT)
    assert told.targets is not None
    classes = told.targets.argmax(dim=1).numpy()
    teacher, rows = looked(told), np.arange(COUNT)
    mates = teacher.mates(rows, np.random.default_rng(0))
    assert (classes[mates] == classes).all()
    assert (mates != rows).mean() > 0.5
    assert np.array_equal(Unsupervised(lesson(BINARY)).mates(rows, np.random.default_rng(0)), rows)


def test_pictures_that_cannot_be_decoded_are_nobody_s_neighbours() -> None:
    told = batch(0, COUNT)
    images = told.images.clone()
    images[[3, 40]] = 0
    found = known(looked(replace(told, images=images))).neighbours
    good = torch.ones(COUNT, dtype=torch.bool)
    good[[3, 40]] = False
    assert (found[~good] == NOBODY).all()
    assert not torch.isin(found, torch.tensor([3, 40])).any()
    alone = known(looked(replace(told, images=told.images[good]))).neighbours
    rows = torch.arange(COUNT)[good]
    again = torch.where(alone == NOBODY, NOBODY, rows[alone.clamp_min(0)].int())
    assert torch.equal(found[good], again)


def test_among_very_many_pictures_a_part_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutual, "MOST", 40)
    told = batch(0, COUNT)
    found, other = (known(looked(told, seed=seed)).neighbours for seed in (0, 1))
    assert 0 < int((found != NOBODY).any(dim=1).sum()) <= 40
    assert not torch.equal(found, other)
    part = (found != NOBODY).any(dim=1)
    assert part[found[part].clamp_min(0).long()].any()
    assert not part[~part].any()
    assert torch.equal(found, known(looked(told, seed=0)).neighbours)


@pytest.mark.parametrize("descriptor", [BINARY, NUMBERS])
def test_the_loss_is_that_of_finding_the_mate(descriptor: DescriptorType) -> None:
    teacher, learned, told = looked(batch(0, COUNT), descriptor), encoder(), batch(0, COUNT)
    step = some(told, 5, mates=teacher.mates)
    loss, views = teacher(learned, step)
    step = some(told, 5, mates=teacher.mates)  # whose generator begins again
    assert torch.equal(views.images, augment.gentle(step.images, step.generator))
    assert step.rows is not None
    same = mutual.alike(step.rows)
    first, second = (views.features * 4).chunk(2)
    if descriptor is BINARY:
        noise = torch.rand((2, *first.shape), generator=step.generator)
        gain = next(known(teacher).parameters())
        wanted = losses.cibhash(first * gain, second * gain, noise, 0.3, alike=same)
    else:
        wanted = losses.ntxent(first, second, 0.3, same)
    assert torch.allclose(loss, wanted)


def test_a_picture_that_is_there_twice_is_no_other_than_itself() -> None:
    teacher, told = looked(batch(0, COUNT)), batch(0, COUNT)
    step = some(told, 5, mates=teacher.mates)
    assert step.rows is not None
    same, pictures = mutual.alike(step.rows), step.rows.tolist()
    assert len(set(pictures)) < len(pictures)
    mates = pictures[12:] + pictures[:12]
    for i, own in enumerate(pictures):
        for k, other in enumerate(pictures):
            assert bool(same[i, k]) == (other in (own, mates[i]) or mates[k] == own)


@pytest.mark.parametrize("descriptor", [BINARY, NUMBERS])
def test_a_picture_that_is_held_out_is_to_find_itself(descriptor: DescriptorType) -> None:
    teacher, told = looked(batch(0, COUNT), descriptor), tinted(1, 10)
    loss, views = teacher(encoder(), Batch(told.images, None, told.generator))
    assert torch.isfinite(loss)
    assert len(views.images) == 20
