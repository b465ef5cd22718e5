"""Every supervision in the table keeps its contract, and its encoder learns what it teaches."""

import contextlib
from typing import Any

import pytest
import torch

from data import taxonomy
from data.taxonomy import DescriptorType
from models.learner import Learner, Schedule, reproducible
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision import SUPERVISIONS
from models.supervision.base import Batch, Lesson
from models.supervision.supervised import Supervised

CPU = torch.device("cpu")
SCHEDULE = Schedule("adamw", 5e-3, 0.05, warm_up=4, steps=60)


def lesson(descriptor: DescriptorType) -> Lesson:
    return Lesson(16, descriptor, classes=("a", "b", "c", "d"))


def batch(seed: int, count: int = 24) -> Batch:
    """Flat pictures of four colours, with noise: a class is a colour."""
    generator = torch.Generator().manual_seed(seed)
    classes = torch.randint(0, 4, (count,), generator=generator)
    colours = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9], [0.8, 0.8, 0.1]])
    images = colours[classes].view(count, 3, 1, 1).expand(-1, -1, 16, 16)
    noise = torch.rand(count, 3, 16, 16, generator=generator) * 0.2
    targets = torch.nn.functional.one_hot(classes, 4).float()
    return Batch((images * 0.8 + noise).clamp(0, 1), targets, generator)


def learner(
    word: taxonomy.Supervision, descriptor: DescriptorType, schedule: Schedule = SCHEDULE
) -> Learner:
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder(16, width=8)
    return Learner(encoder, SUPERVISIONS[word].load()(lesson(descriptor)), schedule, CPU)


BOTH = pytest.mark.parametrize("descriptor", [DescriptorType.BINARY, DescriptorType.REAL_VALUED])
EACH = pytest.mark.parametrize("word", sorted(SUPERVISIONS))


@EACH
@BOTH
def test_the_loss_is_a_scalar_that_teaches_every_parameter(
    word: taxonomy.Supervision, descriptor: DescriptorType
) -> None:
    encoder = ConvolutionalEncoder(16, width=8)
    supervision = SUPERVISIONS[word].load()(lesson(descriptor))
    loss, _ = supervision(encoder, batch(0))
    assert loss.shape == ()
    assert torch.isfinite(loss)
    loss.backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0 or name == "pool.p", name


@EACH
@BOTH
def test_the_loss_depends_on_the_batch_alone(
    word: taxonomy.Supervision, descriptor: DescriptorType
) -> None:
    encoder = ConvolutionalEncoder(16, width=8).eval()
    supervision = SUPERVISIONS[word].load()(lesson(descriptor))
    first = supervision(encoder, batch(3)).loss
    torch.rand(10)  # the global random state plays no part
    assert torch.equal(supervision(encoder, batch(3)).loss, first)


@EACH
@BOTH
def test_colours_are_told_apart_after_a_lesson(
    word: taxonomy.Supervision, descriptor: DescriptorType
) -> None:
    taught = learner(word, descriptor)
    with reproducible(CPU, 1):
        losses = [float(taught.step(batch(step))) for step in range(60)]
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10])
    if word == "self_supervised":
        return  # it may just as well tell the noise apart
    asked, answers = batch(1000, 40), batch(1001, 40)
    with torch.inference_mode():
        encoder = taught.encoder.eval()
        nearest = (encoder(asked.images) @ encoder(answers.images).T).argmax(dim=1)
    assert asked.targets is not None
    assert answers.targets is not None
    right = (asked.targets.argmax(1) == answers.targets.argmax(1)[nearest]).float().mean()
    assert right > 0.9


def test_labels_of_one_class_teach_nothing() -> None:
    with pytest.raises(ValueError, match=r"at least 2 classes, but there are 1. Choose self_super"):
        Supervised(Lesson(16, DescriptorType.BINARY, classes=("only",)))


def test_a_supervision_says_what_it_needs() -> None:
    assert SUPERVISIONS[taxonomy.Supervision.SUPERVISED].needs == {"labels"}
    assert SUPERVISIONS[taxonomy.Supervision.SELF_SUPERVISED].needs == set()
    with pytest.raises(ValueError, match="batch with targets"):
        Supervised(lesson(DescriptorType.BINARY))(
            ConvolutionalEncoder(16, width=8),
            Batch(torch.rand(2, 3, 16, 16), None, batch(0).generator),
        )


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_restored_learner_goes_on_with_the_same_bits(optimiser: str) -> None:
    schedule = Schedule(optimiser, 1e-2, 0.05, warm_up=2, steps=8)  # type: ignore[arg-type]
    word, descriptor = taxonomy.Supervision.SUPERVISED, DescriptorType.REAL_VALUED
    with reproducible(CPU, 1):
        whole = learner(word, descriptor, schedule)
        for step in range(8):
            whole.step(batch(step))
            if step == 3:
                kept = whole.state(loss=[1.0, 2.0], stopped=False)
        resumed = learner(word, descriptor, schedule)
        assert resumed.restore(kept) == {"loss": [1.0, 2.0], "stopped": False}
        for step in range(4, 8):
            resumed.step(batch(step))
    for name, value in whole.encoder.state_dict().items():
        assert torch.equal(resumed.encoder.state_dict()[name], value), name
    assert resumed.steps == whole.steps == 8


def test_the_rate_rises_linearly_and_falls_as_a_half_cosine_to_nothing() -> None:
    schedule = Schedule("sgd", 2.0, 0.0, warm_up=4, steps=24)
    assert [schedule.at(step) for step in range(4)] == [0.5, 1.0, 1.5, 2.0]
    assert schedule.at(4) == 2.0
    assert schedule.at(14) == pytest.approx(1.0)
    assert schedule.at(24) == pytest.approx(0.0)
    assert Schedule("sgd", 2.0, 0.0, warm_up=0, steps=3).at(0) == 2.0


def test_only_matrices_and_kernels_decay() -> None:
    groups = learner(taxonomy.Supervision.SUPERVISED, DescriptorType.BINARY).optimiser
    assert groups is not None
    decays = {
        group["weight_decay"]: {p.ndim > 1 for p in group["params"]}
        for group in groups.param_groups
    }
    assert decays == {0.05: {True}, 0.0: {False}}


def test_settings_of_torch_are_given_back() -> None:
    memory: Any = torch.utils.deterministic

    def settings() -> list[Any]:
        exact = torch.are_deterministic_algorithms_enabled()
        return [torch.get_num_threads(), exact, memory.fill_uninitialized_memory]

    before, within = settings(), []
    with contextlib.suppress(KeyError), reproducible(CPU, 1):
        within = settings()
        raise KeyError
    assert within == [1, True, False]
    assert settings() == before
    assert before[2] is True
