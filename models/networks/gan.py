"""A convolutional encoder with an adversary: of its pictures, or of its codes."""

from typing import Any

import torch
from torch.nn import functional

from models import losses
from models.networks.base import Encoder, Term, Views, drawn_from
from models.networks.convolutional import ConvolutionalEncoder
from models.networks.decoder import Bottleneck, Decoder, resized, unexplained
from models.networks.options import GanOptions, taken
from models.networks.players import Critic, Trunk, still, uncounted

LATENT = 64
"""Numbers from which a generator draws a picture."""


class GanEncoder(ConvolutionalEncoder):
    """An encoder whose codes a discriminator judges, or a discriminator that is an encoder.

    Which, says `kind`; generator and critic are part of the term alone, and so is the spectral norm
    that keeps the critic steady: the encoder's file is that of a `ConvolutionalEncoder`.

    Args:
        dimensions: D.
        arguments: those of a `ConvolutionalEncoder`, and `GanOptions`.
    """

    def __init__(self, dimensions: int, **arguments: Any) -> None:
        options, trunk = taken(GanOptions, arguments)
        super().__init__(dimensions, **trunk)
        self.options = options

    def term(self, seed: int) -> Term:
        """The players against this encoder, drawn from SEED."""
        with drawn_from(seed):
            if self.options.kind == "bingan":
                return BinGan(self.pool.dimensions, self.binary, self.options)
            return AdversarialCode(self.dimensions, self.binary, self.options)


class BinGan(Term):
    """The encoder's pooled activations tell views from pictures that a generator draws.

    Both play for the hinge loss; `dmr` and `bre` times two regularisers make codes keep the
    distances of the wider layer before them and use their bits (Zieba, Semberecki, El-Gaaly,
    Trzcinski, "BinGAN: Learning Compact Binary Descriptors with a Regularized GAN", 2018). The
    pooled activations are not negative, so their signs are taken about the batch's mean. Numbers
    are taught to match cosines instead of signs, and no entropy.

    Views larger than `side` play at `side` pixels, for the generator draws no more than that.
    """

    def __init__(self, pooled: int, binary: bool, options: GanOptions) -> None:
        super().__init__()
        self.binary, self.options = binary, options
        self.generator = Decoder(LATENT, options.side)
        self.critic = Critic(pooled)

    def forward(self, encoder: Encoder, views: Views) -> torch.Tensor:
        """The term of ENCODER on VIEWS, a scalar: what the generator loses, and the encoder."""
        options, trunk = self.options, Trunk(encoder)
        size = views.images.shape[2:]
        side = min(*size, options.side)
        latent = torch.randn(
            (len(views.images), LATENT), generator=views.generator, device=views.images.device
        )
        fakes = resized(self.generator(latent), side)
        real = views.pooled
        if size != (side, side):
            real = uncounted(trunk, resized(views.images, side))
        fooled = losses.hinge_generator(still(self.critic, still(trunk, fakes)))
        seen = uncounted(trunk, fakes.detach())
        duped = losses.hinge_discriminator(self.critic(real), self.critic(seen))
        return fooled + options.game * duped + self._regularised(views)

    def _regularised(self, views: Views) -> torch.Tensor:
        """What the codes of VIEWS cost, a scalar."""
        wide = (views.pooled - views.pooled.mean(dim=0)).detach()
        if not self.binary:
            return self.options.dmr * losses.cosine_matching(views.features, wide)
        matched = losses.distance_matching(views.features, wide)
        entropy = losses.representation_entropy(views.features, wide)
        return self.options.dmr * matched + self.options.bre * entropy


class AdversarialCode(Term):
    """Codes must pass for what a coin tosses, and their pictures be drawn again from them.

    An adversarial autoencoder (Makhzani, Shlens, Jaitly, Goodfellow, Frey, "Adversarial
    Autoencoders", 2016): a critic tells codes from samples of a prior, each bit a coin of its own,
    or for numbers a point anywhere on the sphere. What deceives it is balanced and independent.
    """

    def __init__(self, dimensions: int, binary: bool, options: GanOptions) -> None:
        super().__init__()
        self.binary, self.options = binary, options
        self.bottleneck = Bottleneck(binary)
        self.decoder = Decoder(dimensions, options.side)
        self.critic = Critic(dimensions)

    def forward(self, encoder: Encoder, views: Views) -> torch.Tensor:
        """The term of VIEWS, a scalar: what the critic loses, and the ENCODER that made them."""
        code, _ = self.bottleneck(views.features, views.generator)
        prior = self._prior(code, views.generator)
        fooled = losses.hinge_generator(still(self.critic, code))
        duped = losses.hinge_discriminator(self.critic(prior), self.critic(code.detach()))
        missed = unexplained(self.decoder(code), resized(views.images, self.options.side))
        return duped + self.options.game * fooled + self.options.reconstruction * missed

    def _prior(self, code: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """As many samples of the prior as there are rows of CODE (B, D)."""
        normal = torch.randn(code.shape, generator=generator, device=code.device)
        if self.binary:
            return torch.where(normal >= 0, 1.0, -1.0)
        return functional.normalize(normal) * code.shape[1] ** 0.5
