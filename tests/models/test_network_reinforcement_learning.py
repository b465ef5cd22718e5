"""The policy that sets bits: its gradient, its ways, and what its codes are worth."""

import itertools

import pytest
import torch

from data.taxonomy import DescriptorType
from models import losses
from models.learner import Learner, Schedule
from models.networks.base import Encoder, Views
from models.networks.convolutional import ConvolutionalEncoder
from models.networks.reinforcement_learning import (
    Policy,
    ReinforcementLearningEncoder,
    SelfCritical,
)
from models.supervision.base import Batch, Lesson
from models.supervision.supervised import Supervised


def encoder(bits: int, seed: int = 0, **changes: object) -> ReinforcementLearningEncoder:
    torch.manual_seed(seed)
    settings = {"width": 4, "hidden": 6} | changes
    made = ReinforcementLearningEncoder(bits, **settings)  # type: ignore[arg-type]
    with torch.no_grad():
        made.head.mend.mul_(30)  # as if it had learned to listen to its state
    return made


@pytest.mark.parametrize("reward", ["average_precision", "triplet"])
def test_its_gradient_is_that_of_the_expected_reward(
    reward: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all 2^3 ways, each by its probability, against differences of what is expected."""
    network = encoder(3, reward=reward).double().eval()
    policy = network.head
    term = SelfCritical(network.reward, network.margin, samples=1, entropy=0.0).double()
    lots = torch.Generator().manual_seed(5)
    pooled = 2 * torch.randn(5, 16, generator=lots, dtype=torch.float64)
    alike = torch.eye(5, dtype=torch.bool)
    alike[0, 1] = alike[0, 4] = True  # only the first is asked: others find nobody, or earn nought
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=3))).double()
    pairs = losses.Pairs.known(alike)
    with torch.no_grad():
        greedy = losses.sign(policy(pooled))

    def way(code: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The probability of CODE for the first picture, and what it earns."""
        odds, bits = policy.roll_out(pooled, (1 - code).expand(5, 3), term.gain)
        assert torch.equal(bits[0], code * 2 - 1)
        if reward == "triplet":
            earned = losses.triplet_reward(bits, pairs, network.margin, greedy)
        else:
            earned = losses.average_precision_reward(bits, pairs, greedy)
        return torch.sigmoid(odds[0] * bits[0]).prod(), earned[0]

    def expected() -> float:
        with torch.no_grad():
            return sum(float(chance * earned) for chance, earned in map(way, every))

    learned = [*policy.parameters(), term.gain]
    found = [torch.zeros_like(parameter) for parameter in learned]
    for code in every:
        monkeypatch.setattr(torch, "rand", lambda *_, code=code, **__: (1 - code).expand(5, 3))
        features = network.finished(pooled).double()
        loss = term(network, Views(pooled, pooled, features, alike, lots))
        chance = way(code)[0].detach()
        gradients = torch.autograd.grad(loss, learned, allow_unused=True)
        for total, gradient in zip(found, gradients, strict=True):
            if gradient is not None:
                total -= 5 * 3 * chance * gradient  # the loss is a mean of five pictures' bits
    assert any(float(total.abs().max()) > 1e-4 for total in found)
    for parameter, total in zip(learned, found, strict=True):
        flat = parameter.data.view(-1)
        for place in {0, len(flat) // 2, len(flat) - 1}:
            kept, step = flat[place].clone(), 1e-5
            flat[place] = kept + step
            above = expected()
            flat[place] = kept - step
            slope = (above - expected()) / (2 * step)
            flat[place] = kept
            assert float(total.view(-1)[place]) == pytest.approx(slope, abs=1e-7, rel=1e-4)


def test_what_is_stored_are_the_bits_of_the_greedy_way() -> None:
    network = encoder(16).eval()
    images = torch.rand(5, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        odds, bits = network.head.roll_out(network.pooled(images))
        assert torch.equal(losses.sign(network(images)), bits)
        assert torch.equal(losses.sign(odds), bits)


def test_a_bit_depends_on_those_before_it_and_on_no_other() -> None:
    policy = encoder(6).eval().head
    pooled = torch.rand(1, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        ones, _ = policy.roll_out(pooled, torch.zeros(1, 6))
        third = torch.zeros(1, 6)
        third[0, 2] = 1
        other, bits = policy.roll_out(pooled, third)
    assert bits[0].tolist() == [1, 1, -1, 1, 1, 1]
    assert torch.equal(ones[0, :3], other[0, :3])
    assert not torch.isclose(ones[0, 3:], other[0, 3:]).any()


def test_each_bit_is_whitened_and_only_the_greedy_way_is_remembered() -> None:
    policy = Policy(16, 8, 6).train()
    pooled = torch.rand(50, 16, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        odds = policy(pooled)
        assert torch.allclose(odds.mean(dim=0), torch.zeros(8), atol=1e-5)
        assert torch.allclose(odds.var(dim=0, unbiased=False), torch.ones(8), atol=1e-2)
        before = policy.mean.clone()
        assert not torch.equal(before, torch.zeros(8))
        policy.roll_out(pooled, torch.rand(50, 8))
        assert torch.equal(policy.mean, before)


def test_who_is_alike_must_be_known() -> None:
    network = encoder(8)
    views = network.see(torch.rand(4, 3, 28, 28), None, torch.Generator())
    with pytest.raises(ValueError, match="nobody knows who is alike"):
        network.term(0)(network, views)


def test_lots_alone_decide_what_is_drawn() -> None:
    network = encoder(8)
    term = network.term(0)
    images = torch.rand(6, 3, 28, 28, generator=torch.Generator().manual_seed(4))
    alike = torch.arange(6)[:, None] % 2 == torch.arange(6) % 2

    def loss(seed: int) -> float:
        views = network.see(images, alike, torch.Generator().manual_seed(seed))
        return float(term(network, views).detach())

    assert loss(1) == loss(1) != loss(2)


def flags(each: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures of six classes, three stripes of colour under noise, and the classes."""
    lots = torch.Generator().manual_seed(seed)
    colours = torch.rand(6, 3, 3, 1, generator=torch.Generator().manual_seed(77))
    classes = torch.arange(6).repeat_interleave(each)
    means = colours[classes].repeat_interleave(9, dim=2).expand(-1, -1, -1, 27)
    return (means + 0.3 * torch.randn(means.shape, generator=lots)).clamp(0, 1), classes


def worth(codes: torch.Tensor, classes: torch.Tensor) -> float:
    pairs = losses.Pairs.known(classes[:, None] == classes)
    return float(losses.average_precision_reward(losses.sign(codes), pairs).mean())


def trained(network: Encoder) -> Encoder:
    lesson = Lesson(16, DescriptorType.BINARY, list("abcdef"), flip=False)
    learner = Learner(
        network,
        Supervised(lesson),
        Schedule("adamw", 3e-3, 0.05, 3, 30),
        torch.device("cpu"),
        term=network.term(0),
    )
    lots = torch.Generator().manual_seed(0)
    for step in range(30):
        images, classes = flags(6, seed=100 + step)
        learner.step(Batch(images, torch.nn.functional.one_hot(classes, 6).float(), lots))
    return network.eval()


def test_what_it_learned_beats_chance_and_is_worth_what_its_teacher_alone_would_teach() -> None:
    images, classes = flags(12, seed=5)
    torch.manual_seed(0)
    policy = trained(ReinforcementLearningEncoder(16, width=8))
    torch.manual_seed(0)
    alone = trained(ConvolutionalEncoder(16, width=8))
    with torch.no_grad():
        greedy, taught = worth(policy(images), classes), worth(alone(images), classes)
        lots = torch.rand((72, 16), generator=torch.Generator().manual_seed(1))
        chance = worth(lots - 0.5, classes)
    assert greedy > chance + 0.2
    assert greedy > 0.9 * taught
