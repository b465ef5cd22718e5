"""Two who play in one step do not move each other's weights, nor what they have counted."""

import copy

import torch
from torch import nn

from models.networks.convolutional import ConvolutionalEncoder
from models.networks.players import Critic, Trunk, still, uncounted


def player() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 2))


def test_who_stands_still_passes_gradients_on_and_takes_none() -> None:
    module, given = player(), torch.randn(6, 4, requires_grad=True)
    before = copy.deepcopy(module.state_dict())
    made = still(module, given)
    (made**2).sum().backward()  # type: ignore[no-untyped-call]
    assert given.grad is not None
    assert given.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in module.parameters())
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert torch.equal(made, module(given))
    assert not torch.equal(module.state_dict()["1.running_mean"], before["1.running_mean"])


def test_who_is_not_counted_learns_all_the_same() -> None:
    module, given = player(), torch.randn(6, 4)
    before = copy.deepcopy(dict(module.named_buffers()))
    (uncounted(module, given) ** 2).sum().backward()  # type: ignore[no-untyped-call]
    gradients = [parameter.grad for parameter in module.parameters()]
    assert all(gradient is not None for gradient in gradients)
    for name, value in module.named_buffers():
        assert torch.equal(value, before[name]), name
    module.zero_grad(set_to_none=True)
    (module(given) ** 2).sum().backward()
    for parameter, gradient in zip(module.parameters(), gradients, strict=True):
        assert parameter.grad is not None
        assert gradient is not None
        assert torch.equal(parameter.grad, gradient)


def test_a_trunk_is_an_encoder_without_its_head() -> None:
    encoder, images = ConvolutionalEncoder(8, width=4).eval(), torch.rand(2, 3, 16, 16)
    assert torch.equal(still(Trunk(encoder), images), encoder.pooled(images))


def test_scores_change_no_faster_than_what_is_judged() -> None:
    torch.manual_seed(0)
    critic = Critic(6)
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.mul_(30)
        for _ in range(50):  # the norm is found step by step
            critic(torch.randn(2, 6))
    critic.eval()
    one, other = torch.randn(2, 500, 6)
    apart = (critic(one) - critic(other)).abs()
    assert (apart <= (one - other).norm(dim=1) * 1.001).all()
    assert apart.max() > 0
