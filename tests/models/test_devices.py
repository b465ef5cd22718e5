"""A step of a training leaves a GPU alone: all is made where it is used, and nothing asked for.

The meta device stands for the GPU: it computes shapes alone, so whoever asks for a number of it
fails, and so does what mixes its tensors with those of the CPU.
"""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from data.taxonomy import DescriptorType, Network, Supervision
from models.learner import Learner
from models.networks import NETWORKS
from models.networks.base import drawn_from
from models.supervision import SUPERVISIONS
from models.supervision.base import Batch
from tests.models.lessons import CPU, SCHEDULE, Shown, batch, lesson

META = torch.device("meta")

LOOKS = {"triplet", "fixmatch", "mean_teacher", "adsh"}
"""Methods that look which pictures count before they go on, or once who is alike (adsh)."""

CASES = [
    pytest.param(word, name, descriptor, Network.CONVOLUTIONAL, id=f"{word}-{name}-{descriptor}")
    for word, teaching in SUPERVISIONS.items()
    for name, way in teaching.methods.items()
    for descriptor in way.descriptors
    if name not in LOOKS and descriptor is not DescriptorType.AGGREGATED
] + [
    pytest.param(Supervision.SELF_SUPERVISED, "cibhash", DescriptorType.BINARY, network, id=network)
    for network, build in NETWORKS.items()
    if not build.alike and network is not Network.CONVOLUTIONAL
]


class Copies(TorchFunctionMode):
    """Refuses to make a tensor out of Python's numbers elsewhere than on the CPU: that waits."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        where = (kwargs or {}).get("device")
        if func in (torch.tensor, torch.as_tensor) and where is not None:
            assert torch.device(where).type == "cpu", args
        return func(*args, **(kwargs or {}))


def begun(
    word: Supervision, method: str, descriptor: DescriptorType, network: Network, moved: bool
) -> Learner:
    """A learner with all that it needs before its first step, on the meta device where MOVED."""
    with drawn_from(0):
        encoder = NETWORKS[network].load()(16, width=8)
    encoder.binary = descriptor is DescriptorType.BINARY
    teacher = SUPERVISIONS[word].load()(lesson(descriptor, method=method, sketches=0.0))
    term = encoder.term(0)
    teacher.begin(encoder)
    teacher.before_epoch(0, encoder, Shown())
    teacher.begin = lambda encoder: None  # type: ignore[method-assign]
    parts: Iterable[nn.Module] = [part for part in (encoder, teacher, term) if part is not None]
    for part in parts:
        part.to(META if moved else CPU)
    return Learner(encoder, teacher, SCHEDULE, META if moved else CPU, term=term, ema=0.9)


def shown() -> Batch:
    """A batch on the meta device."""
    told = batch(1)
    moved: dict[str, Any] = {
        field.name: value.to(META)
        for field in fields(told)
        if isinstance(value := getattr(told, field.name), torch.Tensor)
    }
    return replace(told, **moved)


@pytest.fixture
def _without_autocast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of autocast the meta device knows nothing."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)


@pytest.mark.usefixtures("_without_autocast")
@pytest.mark.parametrize(("word", "method", "descriptor", "network"), CASES)
def test_a_step_waits_for_nothing_of_its_device_and_mixes_no_devices(
    word: Supervision, method: str, descriptor: DescriptorType, network: Network
) -> None:
    learner = begun(word, method, descriptor, network, moved=True)
    told = shown()
    with Copies():
        assert learner.step(told).device == META


@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter:UserWarning")
def test_what_was_kept_is_taken_up_with_the_counts_of_steps_on_the_cpu() -> None:
    said = Supervision.SELF_SUPERVISED, "simclr", DescriptorType.REAL_VALUED, Network.CONVOLUTIONAL
    first = begun(*said, moved=False)
    first.step(batch(0))
    again = begun(*said, moved=True)
    again.restore(first.state())
    assert again.optimiser is not None
    kept = again.optimiser.state.values()
    assert kept
    for numbers in kept:
        assert numbers["step"].device == CPU  # of one elsewhere AdamW asks, parameter by parameter
        assert numbers["exp_avg"].device == META
