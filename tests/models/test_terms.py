"""Whatever a network adds to its teacher's loss keeps one contract."""

from typing import Any

import pytest
import torch

from data.taxonomy import DescriptorType, Network
from models.learner import Learner, Schedule, reproducible
from models.networks import NETWORKS
from models.networks.base import Encoder
from models.supervision.base import Batch, Lesson
from tests.models.games import CPU, Silent, built, term_of, views

ADDING = [word for word in sorted(NETWORKS) if NETWORKS[word].term]
SAID: list[tuple[Network, dict[str, Any]]] = [(word, {}) for word in ADDING]
SAID += [(Network.GAN, {"kind": "bingan"}), (Network.AUTOENCODER, {"noise": 0.2})]

TARGETS = torch.eye(4).repeat_interleave(2, dim=0)
"""Of eight pictures, two of each class: some terms ask who is alike."""

EACH = pytest.mark.parametrize(
    ("network", "said", "descriptor"),
    [
        pytest.param(network, said, descriptor, id=f"{network}{list(said.values())}-{descriptor}")
        for network, said in SAID
        for descriptor in (DescriptorType.BINARY, DescriptorType.REAL_VALUED)
        if descriptor == "binary" or not NETWORKS[network].binary
    ],
)


def small(network: Network, said: dict[str, Any], descriptor: DescriptorType) -> Encoder:
    return built(network, descriptor, 16, width=4, **said)


def begun(
    network: Network, said: dict[str, Any], descriptor: DescriptorType, half: bool = False
) -> Learner:
    """A learner whom the network's term alone teaches, before its first step."""
    encoder = small(network, said, descriptor)
    schedule = Schedule("adamw", 2e-3, 0.05, warm_up=1, steps=4)
    teacher = Silent(Lesson(16, descriptor))
    return Learner(encoder, teacher, schedule, CPU, term=term_of(encoder), half=half)


@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_the_table_says_who_adds_a_term(network: Network) -> None:
    encoder = built(network, DescriptorType.BINARY, 16, width=4)
    assert (encoder.term(0) is not None) is NETWORKS[network].term


@EACH
@pytest.mark.parametrize("size", [28, 32, 64])
def test_a_term_is_one_finite_number_at_any_size(
    network: Network, said: dict[str, Any], descriptor: DescriptorType, size: int
) -> None:
    encoder = small(network, said, descriptor)
    cost = term_of(encoder)(encoder, views(encoder, size))
    assert cost.shape == ()
    assert cost.dtype == torch.float32
    assert torch.isfinite(cost)


@EACH
def test_a_term_teaches_all_that_is_its_own_and_the_whole_encoder(
    network: Network, said: dict[str, Any], descriptor: DescriptorType
) -> None:
    encoder = small(network, said, descriptor)
    term = term_of(encoder)
    term(encoder, views(encoder)).backward()
    for part in (encoder, term):
        for name, parameter in part.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0 or name == "pool.p", name


@EACH
def test_a_term_depends_on_its_seed_and_the_step_s_generator_alone(
    network: Network, said: dict[str, Any], descriptor: DescriptorType
) -> None:
    costs = []
    for _ in range(2):
        encoder = small(network, said, descriptor)
        costs.append(term_of(encoder)(encoder, views(encoder)))
        torch.rand(10)  # the global random state plays no part
    assert torch.equal(*costs)
    before = torch.random.get_rng_state()
    term_of(small(network, said, descriptor))
    assert torch.equal(torch.random.get_rng_state(), before)


@EACH
def test_a_restored_term_goes_on_with_the_same_bits(
    network: Network, said: dict[str, Any], descriptor: DescriptorType
) -> None:
    def step(learner: Learner, number: int) -> None:
        draw = torch.Generator().manual_seed(number)
        learner.step(Batch(torch.rand(8, 3, 16, 16, generator=draw), TARGETS, draw))

    with reproducible(CPU, 1):
        whole = begun(network, said, descriptor)
        for number in range(4):
            step(whole, number)
            if number == 1:
                kept = whole.state()
        resumed = begun(network, said, descriptor)
        resumed.restore(kept)
        for number in (2, 3):
            step(resumed, number)
    assert whole.term is not None
    assert resumed.term is not None
    for one, other in ((whole.encoder, resumed.encoder), (whole.term, resumed.term)):
        for name, value in one.state_dict().items():
            assert torch.equal(other.state_dict()[name], value), name


@EACH
def test_a_term_is_measured_without_a_trace_and_learned_at_half_precision(
    network: Network, said: dict[str, Any], descriptor: DescriptorType
) -> None:
    learner = begun(network, said, descriptor, half=True)
    assert learner.term is not None
    parts = (learner.encoder, learner.term)
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(8, 3, 16, 16, generator=draw)
    assert torch.isfinite(learner.step(Batch(images, TARGETS, draw)))
    before = [{n: v.clone() for n, v in part.state_dict().items()} for part in parts]
    told = learner.told(Batch(images, TARGETS, draw))
    assert torch.isfinite(told)
    assert not told.requires_grad
    for part, kept in zip(parts, before, strict=True):
        for name, value in part.state_dict().items():
            assert torch.equal(value, kept[name]), name


@EACH
def test_the_kernels_of_a_term_learn_channels_last_as_the_encoder_s_do(
    network: Network, said: dict[str, Any], descriptor: DescriptorType
) -> None:
    learner = begun(network, said, descriptor)
    assert learner.term is not None
    for part in (learner.encoder, learner.term):
        for name, kernel in part.named_parameters():
            if kernel.ndim == 4:
                assert kernel.is_contiguous(memory_format=torch.channels_last), name


@EACH
def test_nothing_of_a_term_is_kept_with_the_encoder(
    network: Network, said: dict[str, Any], descriptor: DescriptorType
) -> None:
    encoder = small(network, said, descriptor)
    before = set(encoder.state_dict())
    term = term_of(encoder)
    term(encoder, views(encoder))
    assert set(encoder.state_dict()) == before
    own = {id(parameter) for parameter in encoder.parameters()}
    assert not own & {id(parameter) for parameter in term.parameters()}
