"""What self-supervised methods ask of two views of each picture, by the losses that they name."""

import pytest
import torch

from data import taxonomy
from data.taxonomy import DescriptorType
from models import augment, losses
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision.base import Taught
from models.supervision.self_supervised import SelfSupervised
from models.supervision.twins import CIBHash, SimCLR
from tests.models.lessons import batch, schooled

WORD = taxonomy.Supervision.SELF_SUPERVISED
REAL, BINARY = DescriptorType.REAL_VALUED, DescriptorType.BINARY


def told(method: str, descriptor: DescriptorType) -> tuple[SelfSupervised, Taught]:
    """The supervision, and what it says of ten pictures."""
    found = schooled((WORD, method, descriptor))
    assert isinstance(found.supervision, SelfSupervised)
    return found.supervision, found.supervision(found.encoder, batch(0, 10))


@pytest.mark.parametrize("method", ["simclr", "cibhash"])
def test_two_strong_views_of_a_picture_are_alike_and_no_others(method: str) -> None:
    views = told(method, BINARY if method == "cibhash" else REAL)[1].views
    shown = batch(0, 10)
    twice = torch.cat([shown.images, shown.images])
    assert torch.equal(views.images, augment.strong(twice, shown.generator))
    assert views.alike is not None
    for i in range(20):
        assert [j for j in range(20) if views.alike[i, j]] == [i % 10, i % 10 + 10]


def test_simclr_is_ntxent_behind_a_projection() -> None:
    supervision, (loss, views) = told("simclr", REAL)
    twins = supervision.twins
    assert isinstance(twins, SimCLR)
    first, second = twins.project(views.features * 4).chunk(2)
    expected = losses.ntxent(first, second, twins.temperature)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_cibhash_draws_bits_of_both_views_and_how_sure_they_are_is_learned() -> None:
    supervision, _ = told("cibhash", BINARY)
    twins = supervision.twins
    assert isinstance(twins, CIBHash)
    with torch.no_grad():
        twins.gain.fill_(1.7)
    encoder = ConvolutionalEncoder(16, width=8)
    loss, views = supervision(encoder, batch(0, 10))
    shown = batch(0, 10)
    augment.strong(torch.cat([shown.images, shown.images]), shown.generator)  # drawn before
    first, second = (views.features * 4 * 1.7).chunk(2)
    noise = torch.rand((2, *first.shape), generator=shown.generator)
    expected = losses.cibhash(first, second, noise, twins.temperature)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
