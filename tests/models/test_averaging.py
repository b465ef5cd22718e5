"""The average of an encoder is what plain loops make of its steps."""

import pytest
import torch

from data.taxonomy import DescriptorType
from models.averaging import Averaged
from models.learner import Learner, Schedule, reproducible
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision.base import Batch, Lesson
from models.supervision.supervised import Supervised

CPU = torch.device("cpu")
LESSON = Lesson(16, DescriptorType.BINARY, classes=("a", "b"))


def batch(seed: int) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(8, 3, 16, 16, generator=generator)
    return Batch(images, torch.eye(2).repeat(4, 1), generator)


def learner(ema: float) -> Learner:
    torch.manual_seed(0)
    schedule = Schedule("adamw", 1e-2, 0.05, warm_up=1, steps=9)
    return Learner(ConvolutionalEncoder(16, width=4), Supervised(LESSON), schedule, CPU, ema=ema)


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_the_average_is_what_loops_make_of_the_steps(decay: float) -> None:
    taught = learner(decay)
    expected = {name: value.clone() for name, value in taught.encoder.state_dict().items()}
    with reproducible(CPU, 1):
        for step in range(1, 7):
            taught.step(batch(step))
            d = min(decay, (1 + step) / (10 + step))
            for name, value in taught.encoder.state_dict().items():
                whole = not value.is_floating_point()
                expected[name] = value.clone() if whole else d * expected[name] + (1 - d) * value
    assert taught.averaged is not None
    assert taught.result is taught.averaged.encoder
    found = taught.result.state_dict()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)
    assert any(not torch.equal(found[n], v) for n, v in taught.encoder.state_dict().items())


def test_the_average_changes_nothing_of_what_learns() -> None:
    with reproducible(CPU, 1):
        both = [learner(0.0), learner(0.9)]
        for taught in both:
            for step in range(3):
                taught.step(batch(step))
    one, other = (taught.encoder.state_dict() for taught in both)
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert both[0].result is both[0].encoder


def test_the_average_does_not_learn_itself() -> None:
    averaged = Averaged(ConvolutionalEncoder(16, width=4), 0.9)
    assert not averaged.encoder.training
    assert not any(parameter.requires_grad for parameter in averaged.encoder.parameters())


def test_a_restored_average_goes_on_with_the_same_bits() -> None:
    with reproducible(CPU, 1):
        whole = learner(0.9)
        for step in range(6):
            whole.step(batch(step))
            if step == 2:
                kept, own = whole.state(done=3), whole.own_state(mine="so")
        resumed = learner(0.9)
        assert resumed.restore(kept, own) == {"done": 3, "mine": "so"}
        for step in range(3, 6):
            resumed.step(batch(step))
    for name, value in whole.result.state_dict().items():
        assert torch.equal(resumed.result.state_dict()[name], value), name


def test_what_a_worker_counts_is_its_own_and_what_is_learned_is_not() -> None:
    one, other = learner(0.9), learner(0.9)
    with reproducible(CPU, 1):
        one.step(batch(0))
        other.step(batch(1))
        third = learner(0.9)
        third.restore(one.state(), other.own_state())
    learned = {name for name, _ in one.encoder.named_parameters()}
    parts = zip(one.encoder.state_dict().items(), other.encoder.state_dict().values(), strict=True)
    found = third.encoder.state_dict()
    for (name, theirs), counted in parts:
        assert torch.equal(found[name], theirs if name in learned else counted), name
