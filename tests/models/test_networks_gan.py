"""Encoder, generator and critic play, each for itself; and codes are worth the more for it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from data.taxonomy import DescriptorType, Network
from models import losses
from models.networks.base import Encoder
from models.networks.decoder import resized, unexplained
from models.networks.gan import AdversarialCode, BinGan
from models.networks.options import GanOptions
from models.supervision.base import Lesson
from tests.models.games import Silent, built, learned, patterns, settled, term_of, views, worth

BINARY, REAL = DescriptorType.BINARY, DescriptorType.REAL_VALUED
BOTH = pytest.mark.parametrize("descriptor", [BINARY, REAL])
ALONE: dict[str, Any] = {"kind": "bingan", "dmr": 0.0, "bre": 0.0, "side": 16}
"""BinGAN without regularisers: the game and nothing else."""


def gan(descriptor: DescriptorType = BINARY, **said: Any) -> Encoder:
    return built(Network.GAN, descriptor, 16, width=4, **said)


def moved(module: nn.Module) -> bool:
    """Whether what was learned from would move MODULE."""
    return any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())


def gradients(module: nn.Module) -> list[torch.Tensor]:
    return [p.grad.clone() for p in module.parameters() if p.grad is not None]


@BOTH
def test_what_the_generator_plays_for_moves_nobody_else(descriptor: DescriptorType) -> None:
    encoder = gan(descriptor, adversary=0.0, **ALONE)
    term = term_of(encoder)
    assert isinstance(term, BinGan)
    term(encoder, views(encoder)).backward()
    assert moved(term.generator)
    assert not moved(encoder)
    assert not moved(term.critic)


@BOTH
def test_what_the_encoder_plays_for_moves_it_and_its_critic_but_not_the_generator(
    descriptor: DescriptorType,
) -> None:
    found = []
    for adversary in (0.0, 3.0):
        encoder = gan(descriptor, adversary=adversary, **ALONE)
        term = term_of(encoder)
        assert isinstance(term, BinGan)
        term(encoder, views(encoder)).backward()
        found.append(gradients(term.generator))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert moved(encoder.get_submodule("stages"))
    assert moved(term.get_submodule("critic"))
    assert not moved(encoder.head)


def test_drawn_pictures_are_not_counted_by_the_encoder() -> None:
    for size in (16, 40):  # as they are, and brought down to what the generator draws
        encoder = gan(kind="bingan", side=16)
        seen = views(encoder, size)
        before = {name: value.clone() for name, value in encoder.named_buffers()}
        term_of(encoder)(encoder, seen)
        for name, value in encoder.named_buffers():
            assert torch.equal(value, before[name]), name


def test_large_views_play_at_the_size_that_is_drawn() -> None:
    encoder, sizes = gan(kind="bingan", side=16), []
    seen = views(encoder, 40)
    encoder.get_submodule("stem").register_forward_pre_hook(
        lambda _, given: sizes.append(given[0].shape[2])
    )
    term_of(encoder)(encoder, seen)
    assert sizes == [16, 16, 16]


def told(descriptor: DescriptorType, **said: Any) -> float:
    """The term of an encoder of whom the recipe SAID so much, on the same views every time."""
    encoder = gan(descriptor, side=16, **said)
    return float(term_of(encoder)(encoder, views(encoder)).detach())


@BOTH
@pytest.mark.parametrize("word", ["dmr", "bre"])
def test_regularisers_are_added_by_their_weights(descriptor: DescriptorType, word: str) -> None:
    """Of the features, against the pooled activations about the mean of the batch."""
    silent = {"kind": "bingan", "dmr": 0.0, "bre": 0.0}
    added = told(descriptor, **silent | {word: 2.0}) - told(descriptor, **silent)
    seen = views(gan(descriptor, side=16, kind="bingan"))
    wide = seen.pooled - sum(seen.pooled) / len(seen.pooled)
    if descriptor is REAL:
        wanted = losses.cosine_matching(seen.features, wide) if word == "dmr" else torch.zeros(())
    elif word == "dmr":
        wanted = losses.distance_matching(seen.features, wide)
    else:
        wanted = losses.representation_entropy(seen.features, wide)
    assert added == pytest.approx(2 * wanted.item(), abs=1e-4)


@BOTH
def test_what_a_code_s_picture_misses_is_added_by_its_weight(descriptor: DescriptorType) -> None:
    drawn: list[torch.Tensor] = []
    encoder = gan(descriptor, side=16, reconstruction=3.0)
    term, seen = term_of(encoder), views(encoder)
    term.get_submodule("decoder").register_forward_hook(lambda _, __, made: drawn.append(made))
    added = float(term(encoder, seen).detach()) - told(descriptor, reconstruction=0.0)
    missed = unexplained(drawn[0], resized(seen.images, 16))
    assert added == pytest.approx(3 * missed.item(), rel=1e-4)


@BOTH
def test_a_critic_of_codes_and_the_encoder_do_not_move_each_other(
    descriptor: DescriptorType,
) -> None:
    found = []
    for adversary in (0.0, 2.0):
        encoder = gan(descriptor, adversary=adversary, reconstruction=0.0, side=16)
        term = term_of(encoder)
        assert isinstance(term, AdversarialCode)
        term(encoder, views(encoder)).backward()
        assert moved(encoder) is (adversary > 0)
        assert moved(term.critic)
        found.append(gradients(term.critic))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@BOTH
def test_the_prior_is_a_coin_a_bit_or_any_point_of_the_sphere(descriptor: DescriptorType) -> None:
    term = AdversarialCode(4, descriptor is BINARY, GanOptions(side=16))
    prior = term._prior(torch.zeros(4000, 4), torch.Generator().manual_seed(0))
    assert torch.allclose(prior.norm(dim=1), torch.full((4000,), 2.0))
    assert prior.mean(dim=0).abs().max() < 0.06
    assert (prior.T @ prior / 4000 - torch.eye(4)).abs().max() < 0.06
    assert (set(prior.flatten().tolist()) == {-1.0, 1.0}) is (descriptor is BINARY)


@pytest.mark.parametrize("kind", ["bingan", "adversarial_code"])
def test_no_player_wins_so_far_that_numbers_are_lost(kind: str) -> None:
    images, _ = patterns(64, seed=0)
    encoder = gan(kind=kind, side=16)
    losses = learned(encoder, Silent(Lesson(16, BINARY)), images, None, steps=200, batch=4)
    assert np.isfinite(losses).all()
    assert np.abs(losses).max() < 50
    assert all(torch.isfinite(value).all() for value in encoder.state_dict().values())


@pytest.mark.parametrize("kind", ["bingan", "adversarial_code"])
def test_a_code_that_is_played_for_is_worth_more_than_one_that_is_not(kind: str) -> None:
    images, _ = patterns(192, seed=0)
    asked, kinds = patterns(240, seed=1)
    untrained = worth(settled(gan(kind=kind, side=16), images), asked, kinds, 80)
    trained = gan(kind=kind, side=16)
    learned(trained, Silent(Lesson(16, BINARY)), images, None, steps=50, batch=32)
    assert worth(trained, asked, kinds, 80) > untrained


@BOTH
@pytest.mark.parametrize(("kind", "usual"), [("bingan", 0.01), ("adversarial_code", 0.1)])
def test_the_game_weighs_what_its_kind_bears_where_a_recipe_says_nothing(
    descriptor: DescriptorType, kind: str, usual: float
) -> None:
    lost = []
    for said in ({}, {"adversary": usual}, {"adversary": 2 * usual}):
        encoder = gan(descriptor, kind=kind, side=16, **said)
        lost.append(float(term_of(encoder)(encoder, views(encoder)).detach()))
    assert lost[0] == lost[1] != lost[2]
