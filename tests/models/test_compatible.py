"""What teaches an encoder to fit an older one, against the losses that it is the sum of."""

from typing import Any

import numpy as np
import pytest
import torch

from data.taxonomy import DescriptorType
from models import augment, losses
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision.base import Batch, Lesson, Supervision
from models.supervision.compatible import ByClasses, ByDescriptors
from models.supervision.supervised import Supervised
from tests.models.lessons import COUNT, Shown, batch, lesson

REAL = DescriptorType.REAL_VALUED


def encoder() -> ConvolutionalEncoder:
    """A small one, the same every time."""
    torch.manual_seed(0)
    return ConvolutionalEncoder(16, width=8)


def told(count: int = COUNT) -> torch.Tensor:
    """What an older encoder said, (COUNT, 16) of unit length."""
    drawn = torch.randn(count, 16, generator=torch.Generator().manual_seed(9))
    return torch.nn.functional.normalize(drawn)


def still(some: Batch, **changes: Any) -> Batch:
    """SOME of the pictures, the same random numbers every time."""
    said = {"targets": some.targets, "rows": torch.arange(len(some.images)).flip(0)} | changes
    return Batch(some.images, said["targets"], torch.Generator().manual_seed(3), None, said["rows"])


def test_by_descriptors_it_is_regression_and_with_labels_the_contrast_too() -> None:
    shown, old = batch(1, 24), told()
    taught = ByDescriptors(Lesson(16, REAL, margin=0.5, flip=False), old)
    network = encoder().eval()
    loss, views = taught(network, still(shown))
    said = old[torch.arange(24).flip(0)]
    regression = losses.teacher_regression(views.features, said)
    assert shown.targets is not None
    contrast = losses.contrastive(views.features, losses.Pairs.of(shown.targets), 0.5, others=said)
    torch.testing.assert_close(loss, regression + contrast)
    bare, _ = taught(network, still(shown, targets=None))
    torch.testing.assert_close(bare, regression)
    assert not any(one.requires_grad for one in taught.buffers())
    assert "told" not in taught.state_dict(), "a killed training asks the older encoder again"


def test_by_descriptors_views_are_changed_as_the_lesson_says() -> None:
    changes = augment.Changes(flip=False, change=0.3, sketches=0.5)
    said = Lesson(16, REAL, flip=False, change=0.3, sketches=0.5)
    views = ByDescriptors(said, told())(encoder().eval(), still(batch(1, 24))).views
    again = still(batch(1, 24))
    assert torch.equal(views.images, changes.gentle(again.images, again.generator))
    assert views.alike is not None
    assert again.targets is not None
    assert torch.equal(views.alike, again.targets @ again.targets.T > 0)


def test_pictures_of_which_the_older_encoder_said_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="known of the pictures to learn from"):
        ByDescriptors(Lesson(16, REAL), told())(encoder(), still(batch(1, 8), rows=None))


def test_by_classes_the_old_prototypes_tell_the_new_features() -> None:
    shown, old = batch(1, COUNT), told()
    assert shown.targets is not None
    own = Supervised(lesson(REAL))
    taught = ByClasses(own, old, shown.targets)
    network = encoder().eval()
    loss, views = taught(network, still(shown))
    alone, _ = own(network, still(shown))
    where = losses.prototypes(old, shown.targets)
    influence = losses.backward_compatible(views.features, where, shown.targets)
    torch.testing.assert_close(loss, alone + influence)
    assert {name.split(".")[0] for name, _ in taught.named_parameters()} == {"own"}


def test_by_classes_the_supervision_is_told_whatever_it_would_be_told_alone() -> None:
    heard: list[tuple[Any, ...]] = []

    class Hears(Supervised):
        def begin(self, *said: Any) -> None:
            heard.append(("begin", *said))

        def before_epoch(self, *said: Any) -> None:
            heard.append(("before_epoch", *said))

        def mates(self, *said: Any) -> Any:
            heard.append(("mates", *said))
            return said[0][::-1]

        def after_step(self, *said: Any) -> None:
            heard.append(("after_step", *said))

        def finish(self, *said: Any) -> None:
            heard.append(("finish", *said))

    shown, network, lots = batch(1, COUNT), encoder(), np.random.default_rng(0)
    assert shown.targets is not None
    taught: Supervision = ByClasses(Hears(lesson(REAL)), told(), shown.targets)
    gallery, rows = Shown(shown), np.arange(4)
    taught.begin(network)
    taught.before_epoch(2, network, gallery)
    assert taught.mates(rows, lots).tolist() == [3, 2, 1, 0]
    taught.after_step(network)
    taught.finish(network, gallery)
    assert heard == [
        ("begin", network),
        ("before_epoch", 2, network, gallery),
        ("mates", rows, lots),
        ("after_step", network),
        ("finish", network, gallery),
    ]


def test_by_classes_a_batch_needs_its_classes() -> None:
    class Content(Supervised):
        def forward(self, *said: Any) -> Any:
            return torch.zeros(()), None

    shown = batch(1, COUNT)
    assert shown.targets is not None
    taught = ByClasses(Content(lesson(REAL)), told(), shown.targets)
    with pytest.raises(ValueError, match="two encoders are to agree in: they are not known"):
        taught(encoder(), still(shown, targets=None))
