"""Every supervision in the table keeps its contract, and its encoder learns what it teaches."""

import contextlib
from typing import Any

import pytest
import torch

from data import taxonomy
from data.taxonomy import DescriptorType
from models.learner import Schedule, reproducible
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision import SUPERVISIONS
from models.supervision.base import Batch
from tests.models.lessons import CPU, METHODS, Taught, batch, learner, lesson

EACH = pytest.mark.parametrize("taught", METHODS, ids="-".join)
LABELS, PICTURES = taxonomy.Supervision.SUPERVISED, taxonomy.Supervision.SELF_SUPERVISED


@EACH
def test_the_loss_is_a_scalar_that_teaches_every_parameter(taught: Taught) -> None:
    found = learner(taught)
    loss, views = found.supervision(found.encoder, batch(0))
    assert loss.shape == ()
    assert torch.isfinite(loss)
    assert views.alike is None or views.alike.diagonal().all()
    loss.backward()
    for part in (found.encoder, found.supervision):
        for name, parameter in part.named_parameters():
            if not parameter.requires_grad:
                continue
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0 or name == "pool.p", name


@EACH
def test_the_loss_depends_on_the_batch_alone(taught: Taught) -> None:
    found = learner(taught)
    found.encoder.eval()
    first = found.supervision(found.encoder, batch(3)).loss
    torch.rand(10)  # the global random state plays no part
    assert torch.equal(found.supervision(found.encoder, batch(3)).loss, first)


@EACH
def test_colours_are_told_apart_after_a_lesson(taught: Taught) -> None:
    found = learner(taught)
    with reproducible(CPU, 1):
        losses = [found.step(batch(step)).item() for step in range(40)]
    if taught[1] not in ("moco", "dino"):  # whose tasks become harder as their teachers learn
        assert sum(losses[-10:]) < 0.95 * sum(losses[:10])
    if taught[0] == PICTURES:
        return  # it may just as well tell the noise apart
    asked, answers = batch(1000, 40), batch(1001, 40)
    with torch.inference_mode():
        encoder = found.encoder.eval()
        nearest = (encoder(asked.images) @ encoder(answers.images).T).argmax(dim=1)
    assert asked.targets is not None
    assert answers.targets is not None
    right = (asked.targets.argmax(1) == answers.targets.argmax(1)[nearest]).float().mean()
    assert right > 0.9


@EACH
def test_a_restored_learner_goes_on_with_the_same_bits(taught: Taught) -> None:
    schedule = Schedule("adamw", 1e-2, 0.05, warm_up=1, steps=4)
    with reproducible(CPU, 1):
        whole = learner(taught, schedule)
        for step in range(4):
            whole.step(batch(step, 8))
            if step == 1:
                kept = whole.state()
        resumed = learner(taught, schedule)
        resumed.restore(kept)
        for step in range(2, 4):
            resumed.step(batch(step, 8))
    for part, other in (
        (whole.encoder, resumed.encoder),
        (whole.supervision, resumed.supervision),
    ):
        for name, value in part.state_dict().items():
            assert torch.equal(other.state_dict()[name], value), name


@EACH
def test_a_number_that_a_loss_has_not_is_refused_and_one_that_it_has_is_taken(
    taught: Taught,
) -> None:
    word, name, _ = taught
    way = SUPERVISIONS[word].methods[name]
    for what, own in (("temperature", way.temperature), ("margin", way.margin)):
        said: dict[str, Any] = {what: 0.55}
        if own is None:
            with pytest.raises(ValueError, match=f"{name} has no {what}: leave {what}: 0.55 out"):
                learner(taught, **said)
        else:
            plain, other = (
                found.supervision(found.encoder.eval(), batch(0)).loss
                for found in (learner(taught), learner(taught, **said))
            )
            assert not torch.equal(plain, other), what


def test_labels_of_one_class_teach_nothing() -> None:
    with pytest.raises(ValueError, match=r"at least 2 classes, but there are 1. Choose self_super"):
        SUPERVISIONS[LABELS].load()(lesson(DescriptorType.BINARY, classes=("only",)))


def test_words_of_nobody_teach_nothing() -> None:
    weakly = SUPERVISIONS[taxonomy.Supervision.WEAKLY_SUPERVISED].load()
    with pytest.raises(ValueError, match=r"2 words at least .* there are 1. Choose self_super"):
        weakly(lesson(DescriptorType.BINARY, words=("only",)))


@pytest.mark.parametrize(
    ("word", "sentence"),
    [(LABELS, "targets"), (taxonomy.Supervision.WEAKLY_SUPERVISED, "words")],
)
def test_a_batch_without_what_is_needed_is_refused(
    word: taxonomy.Supervision, sentence: str
) -> None:
    bare = Batch(torch.rand(2, 3, 16, 16), None, batch(0).generator)
    teacher = SUPERVISIONS[word].load()(lesson(DescriptorType.BINARY))
    with pytest.raises(ValueError, match=f"a batch with {sentence}"):
        teacher(ConvolutionalEncoder(16, width=8), bare)


def test_a_supervision_says_what_it_needs_and_captions_do_for_tags() -> None:
    assert SUPERVISIONS[LABELS].missing(["tags", "captions"]) == ["labels"]
    assert SUPERVISIONS[PICTURES].missing([]) == []
    weakly = SUPERVISIONS[taxonomy.Supervision.WEAKLY_SUPERVISED]
    assert weakly.missing(["labels", "boxes"]) == ["tags"]
    assert weakly.missing(["tags"]) == weakly.missing(["captions"]) == []


def test_optimisers_go_on_where_they_stood() -> None:
    for optimiser in ("adamw", "sgd"):
        schedule = Schedule(optimiser, 1e-2, 0.05, warm_up=2, steps=8)
        taught = LABELS, "arcface", DescriptorType.REAL_VALUED
        with reproducible(CPU, 1):
            whole = learner(taught, schedule)
            for step in range(8):
                whole.step(batch(step))
                if step == 3:
                    kept = whole.state(loss=[1.0, 2.0], stopped=False)
            resumed = learner(taught, schedule)
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
    groups = learner((LABELS, "arcface", DescriptorType.REAL_VALUED)).optimiser
    assert groups is not None
    decays = {
        group["weight_decay"]: {p.ndim > 1 for p in group["params"]}
        for group in groups.param_groups
    }
    assert decays == {0.05: {True}, 0.0: {False}}


def test_settings_of_torch_are_given_back() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    within = []
    with contextlib.suppress(KeyError), reproducible(CPU, 1):
        within += [torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()]
        raise KeyError
    assert within == [1, True]
    assert before == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
