"""A slower copy follows its encoder, and what is remembered of batches is remembered once."""

import pytest
import torch
from torch.nn import functional

from data import taxonomy
from data.taxonomy import DescriptorType
from models import losses
from models.learner import Learner
from models.supervision.momentum import DINO, SLOW_DINO, SLOW_MOCO, MoCo
from models.supervision.self_supervised import SelfSupervised
from tests.models.lessons import batch, schooled

Remembers = MoCo | DINO


def taught(method: str) -> tuple[Learner, Remembers]:
    word, real = taxonomy.Supervision.SELF_SUPERVISED, DescriptorType.REAL_VALUED
    found = schooled((word, method, real))
    assert isinstance(found.supervision, SelfSupervised)
    twins = found.supervision.twins
    assert isinstance(twins, MoCo | DINO)
    return found, twins


@pytest.mark.parametrize(("method", "decay"), [("moco", SLOW_MOCO), ("dino", SLOW_DINO)])
def test_the_copy_keeps_most_of_itself_and_takes_the_rest(method: str, decay: float) -> None:
    found, twins = taught(method)
    copies = ((twins.slow.encoder, found.encoder), (twins.slow.project, twins.project))
    before = [
        {name: value.clone() for name, value in mine.named_parameters()} for mine, _ in copies
    ]
    found.step(batch(0))
    for (mine, other), old in zip(copies, before, strict=True):
        learned = dict(other.named_parameters())
        for name, value in mine.named_parameters():
            expected = decay * old[name] + (1 - decay) * learned[name].detach()
            assert torch.allclose(value, expected, atol=1e-7), name
            assert value.grad is None
            assert not value.requires_grad
    assert not set(map(id, twins.slow.parameters())) & set(map(id, found.parameters))


def test_keys_take_the_place_of_the_oldest_and_only_after_a_step() -> None:
    found, twins = taught("moco")
    assert isinstance(twins, MoCo)
    length = len(twins.queue)
    assert length == 48, "half of the 96 pictures"
    drawn = twins.queue.clone()
    found.supervision(found.encoder, batch(0, 10))
    assert torch.equal(twins.queue, drawn)
    whole: list[torch.Tensor] = []
    for step in range(3):
        images: list[torch.Tensor] = []
        hook = twins.slow.register_forward_hook(
            lambda _, __, found, into=images: into.append(functional.normalize(found))
        )
        found.step(batch(step, 10))
        hook.remove()
        whole += images
    keys = torch.cat(whole)  # 60 of them: the queue has begun anew
    assert torch.equal(twins.queue[:12], keys[48:])
    assert torch.equal(twins.queue[12:], keys[12:48])
    assert int(twins.place) == 12
    assert torch.allclose(twins.queue.norm(dim=1), torch.ones(length))


def test_more_keys_than_are_kept_leave_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.supervision.momentum.QUEUE", 6)
    found, twins = taught("moco")
    assert isinstance(twins, MoCo)
    answers: list[torch.Tensor] = []
    twins.slow.register_forward_hook(lambda _, __, found: answers.append(found))
    found.step(batch(0, 10))
    assert torch.equal(twins.queue, functional.normalize(answers[0])[-6:])


def test_the_loss_is_that_of_the_other_view_among_the_queue() -> None:
    found, twins = taught("moco")
    assert isinstance(twins, MoCo)
    answers: list[torch.Tensor] = []
    twins.slow.register_forward_hook(lambda _, __, found: answers.append(found))
    loss, views = found.supervision(found.encoder, batch(0, 10))
    first, second = twins.project(views.features * 4).chunk(2)
    keys = answers[0].chunk(2)
    one = losses.moco(first, keys[1], twins.queue, 0.2)
    expected = (one + losses.moco(second, keys[0], twins.queue, 0.2)) / 2
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("method", ["moco", "dino"])
def test_the_copy_says_at_first_what_it_was_copied_from_says(method: str) -> None:
    found, twins = taught(method)
    images = batch(0, 10).images
    with torch.no_grad():
        wanted = twins.project(4 * found.encoder.train()(images))
        assert torch.allclose(twins.slow.train()(images), wanted, atol=1e-6)
    assert not twins.slow(images).requires_grad


def test_the_loss_of_dino_is_that_of_each_view_s_answer_and_the_copy_s_to_the_other() -> None:
    found, twins = taught("dino")
    assert isinstance(twins, DINO)
    twins.centre.copy_(torch.randn(len(twins.centre), generator=batch(1).generator))
    answers: list[torch.Tensor] = []
    twins.slow.register_forward_hook(lambda _, __, found: answers.append(found))
    loss, views = found.supervision(found.encoder, batch(0, 10))
    given = (twins.project(views.features * 4) / 0.1).log_softmax(dim=1).chunk(2)
    right = ((answers[0] - twins.centre) / 0.04).softmax(dim=1).chunk(2)
    costs = [-(right[one] * given[1 - one]).sum(dim=1).mean() for one in (0, 1)]
    assert loss.item() == pytest.approx((costs[0] + costs[1]).item() / 2, rel=1e-5)


def test_the_centre_moves_to_the_answers_of_a_step_and_only_then() -> None:
    found, twins = taught("dino")
    assert isinstance(twins, DINO)
    answers: list[torch.Tensor] = []
    twins.slow.register_forward_hook(lambda _, __, found: answers.append(found))
    found.supervision(found.encoder, batch(0, 10))
    assert not twins.centre.any()
    found.step(batch(0, 10))
    assert torch.allclose(twins.centre, 0.1 * answers[-1].mean(dim=0), atol=1e-7)
    assert answers[-1].abs().max() <= 1 + 1e-6, "cosines"


@pytest.mark.parametrize("method", ["moco", "dino"])
def test_what_projects_many_features_is_no_wider_than_it_has_to_be(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr("models.supervision.twins.WIDEST", 6)  # of 16 features
    found, twins = taught(method)
    layers = [part for part in twins.modules() if isinstance(part, torch.nn.Linear)]
    assert {(layer.in_features, layer.out_features) for layer in layers} >= {(16, 6), (6, 6)}
    assert torch.isfinite(found.step(batch(0, 10)))
