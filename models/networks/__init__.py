"""Networks: images -> features. One file and one entry of `NETWORKS` each.

The entries say what a network is without loading torch, so that a recipe is checked at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from data.plan import Plan
from data.taxonomy import Network
from models.networks.options import AutoencoderOptions, GanOptions

if TYPE_CHECKING:
    from models.networks.base import Encoder


@dataclass(frozen=True)
class Build:
    """What a network is, in words, and how to come by its class.

    Args:
        about: one sentence; how it learns and what it is for.
        cite: author, title, year of what it follows.
        load: imports the class.
        options: what a recipe may say of it besides width, depth and pooling.
        term: whether it adds a term of its own to its teacher's loss.
        alike: whether its own term asks which pictures show the same.
        binary: whether it makes nothing but bits.
        poolings: how its maps may become one vector; "gem" is among them.
    """

    about: str
    cite: str
    load: "Callable[[], type[Encoder]]"
    options: type[Plan] = Plan
    term: bool = False
    alike: bool = False
    binary: bool = False
    poolings: tuple[str, ...] = ("gem", "average")


def _convolutional() -> "type[Encoder]":
    from models.networks.convolutional import ConvolutionalEncoder

    return ConvolutionalEncoder


def _autoencoder() -> "type[Encoder]":
    from models.networks.autoencoder import AutoencoderEncoder

    return AutoencoderEncoder


def _gan() -> "type[Encoder]":
    from models.networks.gan import GanEncoder

    return GanEncoder


NETWORKS: Final[Mapping[Network, Build]] = {
    Network.CONVOLUTIONAL: Build(
        about="A residual network of three stages that learns from scratch on a CPU.",
        cite="He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2016",
        load=_convolutional,
    ),
    Network.AUTOENCODER: Build(
        about="A convolutional encoder from whose codes, bits drawn by lot or numbers, a decoder "
        "must draw the pictures again.",
        cite="Kingma, Welling, Auto-Encoding Variational Bayes, 2014",
        load=_autoencoder,
        options=AutoencoderOptions,
        term=True,
    ),
    Network.GAN: Build(
        about="A convolutional encoder that tells pictures from those of a generator, or whose "
        "codes a critic tells from those of a coin.",
        cite="Zieba, Semberecki, El-Gaaly, Trzcinski, BinGAN: Learning Compact Binary Descriptors "
        "with a Regularized GAN, 2018",
        load=_gan,
        options=GanOptions,
        term=True,
    ),
}
