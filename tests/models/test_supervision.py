"""Every method in the table keeps the contract, and its encoder learns what it teaches."""

import contextlib
from typing import Any

import pytest
import torch

from data import taxonomy
from data.taxonomy import DescriptorType
from models import augment
from models.hashing import signs
from models.learner import Schedule, reproducible
from models.networks.base import Encoder
from models.networks.convolutional import ConvolutionalEncoder
from models.supervision import SUPERVISIONS, Method
from models.supervision.base import Batch, Lesson, Supervision
from models.supervision.supervised import Supervised
from tests.models.lessons import COUNT, CPU, Case, Shown, batch, learner, lesson, schooled, some

CASES: list[Case] = [
    (word, name, descriptor)
    for word, teaching in SUPERVISIONS.items()
    for name, way in teaching.methods.items()
    for descriptor in (DescriptorType.BINARY, DescriptorType.REAL_VALUED)
    if descriptor in way.descriptors
]

STATED = (
    taxonomy.Supervision.SUPERVISED,
    taxonomy.Supervision.WEAKLY_SUPERVISED,
    taxonomy.Supervision.SELF_SUPERVISED,
)
"""Supervisions whose methods state the numbers of their losses in the table."""

EACH = pytest.mark.parametrize("case", CASES, ids="-".join)


def way(case: Case) -> Method:
    return SUPERVISIONS[case[0]].methods[case[1]]


def has_a_loss(case: Case) -> bool:
    return not (way(case).closed_form or way(case).needs_term)


def supervision(case: Case, encoder: Encoder, told: Batch, **changes: Any) -> Supervision:
    """That of CASE, after `begin` and `before_epoch` with the pictures of TOLD."""
    word, method, descriptor = case
    said = lesson(descriptor, len(told.images), method=method, **changes)
    taught = SUPERVISIONS[word].load()(said)
    taught.begin(encoder)
    taught.before_epoch(0, encoder, Shown(told))
    return taught


@EACH
def test_the_loss_is_a_scalar_that_teaches_every_parameter(case: Case) -> None:
    encoder = ConvolutionalEncoder(16, width=8)
    teacher = supervision(case, encoder, batch(0))
    loss, views = teacher(encoder, batch(0))
    assert loss.shape == ()
    assert torch.isfinite(loss)
    loss.backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        learns = parameter.grad.abs().sum() > 0
        assert bool(learns) == has_a_loss(case) or name == "pool.p", name
    for name, parameter in teacher.named_parameters():
        if parameter.requires_grad:  # a gain or a projection, say
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
    assert torch.equal(encoder.finished(views.pooled), views.features)


@EACH
def test_views_are_alike_as_far_as_the_supervision_says_it_knows(case: Case) -> None:
    encoder = ConvolutionalEncoder(16, width=8)
    alike = supervision(case, encoder, batch(0))(encoder, batch(0)).views.alike
    assert (alike is not None) == SUPERVISIONS[case[0]].alike
    if alike is not None:
        assert alike.diagonal().all()
        assert torch.equal(alike, alike.T)
        assert alike.sum() > len(alike)  # something besides each view itself


@EACH
def test_the_loss_depends_on_the_batch_alone(case: Case) -> None:
    encoder = ConvolutionalEncoder(16, width=8).eval()
    teacher = supervision(case, encoder, batch(3))
    first = teacher(encoder, batch(3)).loss
    torch.rand(10)  # the global random state plays no part
    assert torch.equal(teacher(encoder, batch(3)).loss, first)


@EACH
def test_what_a_supervision_keeps_is_kept_with_a_killed_training(case: Case) -> None:
    told = batch(0, COUNT)
    taught = schooled(case, shown=Shown(told))
    with reproducible(CPU, 1):
        taught.step(some(told, 0))
        other = learner(*case)
        other.restore(taught.state())
        assert torch.equal(taught.step(some(told, 1)), other.step(some(told, 1)))


@EACH
def test_colours_are_told_apart_after_a_lesson(case: Case) -> None:
    taught, told, losses = learner(*case), batch(0, COUNT), []
    with reproducible(CPU, 1):
        for step in range(48 if has_a_loss(case) else 0):
            if step % 16 == 0:
                taught.supervision.before_epoch(step // 16, taught.encoder, Shown(told))
            mates = taught.supervision.mates if way(case).batches == "paired" else None
            losses.append(float(taught.step(some(told, step, mates=mates))))
        taught.supervision.finish(taught.encoder, Shown(told))
    if case[1] not in ("moco", "dino"):  # whose teachers change, and their tasks with them
        assert sum(losses[-10:]) <= 0.95 * sum(losses[:10])
    if case[0] == "self_supervised" or way(case).needs_term:
        return  # it may just as well tell the noise apart, or taught nothing at all
    asked, answers = batch(1000, 40), batch(1001, 40)
    with torch.inference_mode():
        encoder = taught.encoder.eval()
        one, other = encoder(asked.images), encoder(answers.images)
        if case[2] is DescriptorType.BINARY:
            one, other = signs(one), signs(other)
        nearest = (one @ other.T).argmax(dim=1)
    assert asked.targets is not None
    assert answers.targets is not None
    right = (asked.targets.argmax(1) == answers.targets.argmax(1)[nearest]).float().mean()
    assert right > (0.7 if way(case).closed_form else 0.9)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gently_changed_views_are_changed_as_much_as_the_lesson_says(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def gentle(
        images: torch.Tensor, generator: torch.Generator, flip: bool = True, change: float = 1.0
    ) -> torch.Tensor:
        asked.append(change)
        return images

    monkeypatch.setattr(augment, "gentle", gentle)
    told, encoder = batch(0), ConvolutionalEncoder(16, width=4)
    teacher = supervision(case, encoder, told, change=0.25)
    teacher(encoder, told)
    assert set(asked) <= {0.25}
    assert asked or case[0] is taxonomy.Supervision.SELF_SUPERVISED or case[1] == "swav"


def test_labels_of_one_class_teach_nothing() -> None:
    with pytest.raises(ValueError, match=r"at least 2 classes, but there are 1. Choose self_super"):
        Supervised(Lesson(16, DescriptorType.BINARY, classes=("only",)))


def test_words_of_nobody_teach_nothing() -> None:
    weakly = SUPERVISIONS[taxonomy.Supervision.WEAKLY_SUPERVISED].load()
    with pytest.raises(ValueError, match=r"2 words at least .* there are 1. Choose self_super"):
        weakly(lesson(DescriptorType.BINARY, words=("only",)))


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        (taxonomy.Supervision.SUPERVISED, "targets"),
        (taxonomy.Supervision.WEAKLY_SUPERVISED, "words"),
    ],
)
def test_a_batch_without_what_is_needed_is_refused(
    word: taxonomy.Supervision, sentence: str
) -> None:
    bare = Batch(torch.rand(2, 3, 16, 16), None, batch(0).generator)
    teacher = SUPERVISIONS[word].load()(lesson(DescriptorType.BINARY))
    with pytest.raises(ValueError, match=f"a batch with {sentence}"):
        teacher(ConvolutionalEncoder(16, width=8), bare)


def test_a_supervision_says_what_it_needs_and_captions_do_for_tags() -> None:
    supervised = SUPERVISIONS[taxonomy.Supervision.SUPERVISED]
    assert supervised.missing(["tags", "captions"]) == ["labels"]
    assert SUPERVISIONS[taxonomy.Supervision.SELF_SUPERVISED].missing([]) == []
    weakly = SUPERVISIONS[taxonomy.Supervision.WEAKLY_SUPERVISED]
    assert weakly.missing(["labels", "boxes"]) == ["tags"]
    assert weakly.missing(["tags"]) == weakly.missing(["captions"]) == []


@pytest.mark.parametrize("case", [case for case in CASES if case[0] in STATED], ids="-".join)
def test_a_number_that_a_loss_has_not_is_refused_and_one_that_it_has_is_taken(
    case: Case,
) -> None:
    for what, own in (("temperature", way(case).temperature), ("margin", way(case).margin)):
        said: dict[str, Any] = {what: 0.55}
        if own is None:
            with pytest.raises(ValueError, match=f"{case[1]} has no {what}: leave {what}: 0.55 ou"):
                learner(*case, **said)
        else:
            plain, other = (
                found.supervision(found.encoder.eval(), batch(0)).loss
                for found in (schooled(case), schooled(case, **said))
            )
            assert not torch.equal(plain, other), what


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_a_restored_learner_goes_on_with_the_same_bits(optimiser: str) -> None:
    schedule = Schedule(optimiser, 1e-2, 0.05, warm_up=2, steps=8)  # type: ignore[arg-type]
    word, descriptor = taxonomy.Supervision.SUPERVISED, DescriptorType.REAL_VALUED
    with reproducible(CPU, 1):
        whole = learner(word, "", descriptor, schedule)
        for step in range(8):
            whole.step(batch(step))
            if step == 3:
                kept = whole.state(loss=[1.0, 2.0], stopped=False)
        resumed = learner(word, "", descriptor, schedule)
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
    groups = learner(taxonomy.Supervision.SUPERVISED, "", DescriptorType.BINARY).optimiser
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
