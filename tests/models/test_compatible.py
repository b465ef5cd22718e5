"""What teaches an encoder to fit an older one, against the losses that it is the sum of."""

from typing import Any

import pytest
import torch

from data.taxonomy import DescriptorType
from models import losses
from models.augment import Changes
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision.base import Batch, Lesson
from models.supervision.compatible import ByClasses, ByDescriptors
from models.supervision.supervised import Supervised
from tests.models.lessons import COUNT, batch, lesson

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


def test_a_share_of_what_is_seen_is_drawn_as_the_lesson_says() -> None:
    told_so = Lesson(16, REAL, flip=False, change=0.0, sketches=1.0)
    taught = ByDescriptors(told_so, told())
    _, views = taught(encoder().eval(), still(batch(1, 24)))
    changes = Changes(flip=False, change=0.0, sketches=1.0)
    drawn = changes.gentle(batch(1, 24).images, torch.Generator().manual_seed(3))
    torch.testing.assert_close(views.images, drawn)
    assert torch.equal(views.images[:, :1].expand_as(views.images), views.images), "no colours"


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
