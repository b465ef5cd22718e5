"""A convolutional encoder from whose codes its pictures must be drawn again."""

from typing import Any

import torch

from models import losses
from models.networks.base import Encoder, Term, Views, drawn_from
from models.networks.convolutional import ConvolutionalEncoder
from models.networks.decoder import Bottleneck, Decoder, resized, unexplained
from models.networks.options import AutoencoderOptions, taken


class AutoencoderEncoder(ConvolutionalEncoder):
    """The encoder of an autoencoder; its decoder is the `Reconstruction` that it adds.

    Args:
        dimensions: D.
        arguments: those of a `ConvolutionalEncoder`, and `AutoencoderOptions`.
    """

    def __init__(self, dimensions: int, **arguments: Any) -> None:
        options, trunk = taken(AutoencoderOptions, arguments)
        super().__init__(dimensions, **trunk)
        self.options = options

    def see(
        self, images: torch.Tensor, alike: torch.Tensor | None, generator: torch.Generator
    ) -> Views:
        """What it makes of IMAGES under noise, beside the images without (a denoising one).

        Vincent et al., "Stacked Denoising Autoencoders", 2010, section 3.3.
        """
        if not self.options.noise:
            return super().see(images, alike, generator)
        self.must_differ(images)
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        pooled = self.pooled(images + self.options.noise * noise)
        return Views(images, pooled, self.finished(pooled), alike, generator)

    def term(self, seed: int) -> Term:
        """The decoder, drawn from SEED."""
        with drawn_from(seed):
            return Reconstruction(self.dimensions, self.binary, self.options)


class Reconstruction(Term):
    """How badly pictures can be drawn again from nothing but their codes.

    The share of the views' variance that the drawing misses, at `side` x `side` pixels. The code of
    a binary descriptor is drawn by lot, bit by bit, and beta times KL(q(b|x) || Bernoulli(1/2)), in
    nats a bit, keeps the lots open: a Bernoulli variational autoencoder (Kingma and Welling,
    "Auto-Encoding Variational Bayes", 2014, equation 3), trained straight through (Bengio, Léonard,
    Courville, "Estimating or Propagating Gradients Through Stochastic Neurons", 2013).
    """

    def __init__(self, dimensions: int, binary: bool, options: AutoencoderOptions) -> None:
        super().__init__()
        self.options = options
        self.bottleneck = Bottleneck(binary)
        self.decoder = Decoder(dimensions, options.side)

    def forward(self, encoder: Encoder, views: Views) -> torch.Tensor:
        """The term of VIEWS, a scalar; ENCODER has made their features already."""
        code, chances = self.bottleneck(views.features, views.generator)
        missed = unexplained(self.decoder(code), resized(views.images, self.options.side))
        if chances is None:
            return missed
        return (
            missed + self.options.beta * losses.bernoulli_divergence(chances, 0.5) / code.shape[1]
        )
