"""An autoencoder draws its pictures again from their codes, and the codes are worth the more."""

import math

import pytest
import torch

from data.taxonomy import DescriptorType, Network
from models.networks.autoencoder import AutoencoderEncoder
from models.networks.decoder import Bottleneck, Decoder, resized, unexplained
from models.supervision.base import Lesson
from tests.models.games import Silent, built, learned, patterns, settled, term_of, views, worth

BINARY, REAL = DescriptorType.BINARY, DescriptorType.REAL_VALUED


@pytest.mark.parametrize("side", [16, 32, 64])
def test_a_decoder_draws_pictures_of_its_side(side: int) -> None:
    drawn = Decoder(5, side, width=2)(torch.randn(3, 5))
    assert drawn.shape == (3, 3, side, side)
    assert 0 < drawn.min() < drawn.max() < 1


def test_what_is_unexplained_is_a_share_of_the_variance() -> None:
    draw = torch.Generator().manual_seed(0)
    images, drawn = torch.rand(2, 4, 3, 5, 5, generator=draw).unbind()
    missed = spread = 0.0
    for channel in range(3):
        for place in range(25):
            values = [float(images[row, channel].flatten()[place]) for row in range(4)]
            made = [float(drawn[row, channel].flatten()[place]) for row in range(4)]
            missed += sum((a - b) ** 2 for a, b in zip(values, made, strict=True))
            spread += sum((a - sum(values) / 4) ** 2 for a in values)
    assert unexplained(drawn, images).item() == pytest.approx(missed / spread, rel=1e-5)
    assert unexplained(images.mean(0).expand_as(images), images).item() == pytest.approx(1)
    assert unexplained(images, images) == 0
    flat = torch.full((4, 3, 5, 5), 0.5)
    assert torch.isfinite(unexplained(drawn, flat))


def test_bits_are_drawn_by_chances_that_the_features_give() -> None:
    features = torch.nn.functional.normalize(torch.randn(4000, 4)).requires_grad_()
    bottleneck, draw = Bottleneck(binary=True), torch.Generator().manual_seed(0)
    code, chances = bottleneck(features, draw)
    assert chances is not None
    bits, p, scaled = code.detach(), chances.detach(), features.detach() * 2 * 3
    assert set(bits.flatten().tolist()) == {-1.0, 1.0}
    for row in range(3):
        for bit in range(4):
            wanted = 1 / (1 + math.exp(-float(scaled[row, bit])))
            assert float(p[row, bit]) == pytest.approx(wanted, rel=1e-5)
    sure = p > 0.9
    assert float((bits[sure] > 0).float().mean()) == pytest.approx(float(p[sure].mean()), abs=0.02)
    straight = torch.autograd.grad(code.sum(), features, retain_graph=True)[0]
    assert torch.equal(straight, torch.autograd.grad(chances.sum(), features)[0])


def test_numbers_reach_the_decoder_as_they_are_but_for_their_scale() -> None:
    features = torch.nn.functional.normalize(torch.randn(6, 9))
    code, chances = Bottleneck(binary=False)(features, torch.Generator())
    assert torch.equal(code, features * 3)
    assert chances is None


def test_bits_that_are_sure_cost_beta_times_their_divergence_from_a_coin() -> None:
    costs = []
    for beta in (0.0, 2.0):
        encoder = built(Network.AUTOENCODER, BINARY, 16, width=4, beta=beta)
        seen = views(encoder)
        costs.append(term_of(encoder)(encoder, seen))
    nats = 0.0
    for value in (seen.features.detach() * 4 * 3).flatten().tolist():
        p = 1 / (1 + math.exp(-value))
        nats += p * math.log(2 * p) + (1 - p) * math.log(2 * (1 - p))
    assert (costs[1] - costs[0]).item() == pytest.approx(2 * nats / 8 / 16, rel=1e-3)


def test_a_denoising_autoencoder_sees_noise_and_draws_without() -> None:
    images = torch.rand(4, 3, 16, 16)
    clean, noisy = (AutoencoderEncoder(16, width=4, noise=noise) for noise in (0.0, 0.5))
    noisy.load_state_dict(clean.state_dict())
    for encoder in (clean, noisy):
        encoder.eval()
    seen = [one.see(images, None, torch.Generator().manual_seed(0)) for one in (clean, noisy)]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(seen[1].images, images)
    assert torch.equal(seen[0].pooled, clean.pooled(images))
    assert torch.equal(seen[1].pooled, clean.pooled(images + 0.5 * noise))


def test_views_of_any_size_are_drawn_at_one() -> None:
    images = torch.rand(2, 3, 28, 28)
    assert resized(images, 28) is images
    assert resized(images, 16).shape == (2, 3, 16, 16)
    flat = torch.full((1, 3, 64, 64), 0.25)
    assert torch.allclose(resized(flat, 32), torch.full((1, 3, 32, 32), 0.25))


@pytest.mark.parametrize("descriptor", [BINARY, REAL])
def test_codes_from_which_pictures_can_be_drawn_tell_their_patterns(
    descriptor: DescriptorType,
) -> None:
    images, _ = patterns(192, seed=0)
    asked, kinds = patterns(240, seed=1)

    def encoder() -> AutoencoderEncoder:
        one = built(Network.AUTOENCODER, descriptor, 16, width=4, side=16)
        assert isinstance(one, AutoencoderEncoder)
        return one

    untrained = worth(settled(encoder(), images), asked, kinds, 80)
    trained = encoder()
    losses = learned(trained, Silent(Lesson(16, descriptor)), images, None, steps=40, batch=32)
    assert sum(losses[-5:]) / 5 < 0.9 * sum(losses[:5]) / 5
    assert worth(trained, asked, kinds, 80) > untrained + 0.1
