"""Networks: images -> features. One file and one entry of `NETWORKS` each.

The entries say what a network is without loading torch, so that a recipe is checked at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from data.plan import Plan
from data.taxonomy import Network
from models.aggregation import AGGREGATIONS
from models.networks.options import (
    AttentionOptions,
    AutoencoderOptions,
    GanOptions,
    ReinforcementLearningOptions,
    SiameseTripletOptions,
)

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
        balanced: whether its own term wants several pictures of each class in a step.
        binary: whether it makes nothing but bits.
        sequential: whether a bit depends on those before it.
        poolings: how its maps may become one vector; "gem" is among them.
        channels: of its maps, by the recipe's width; 0 where nobody knows before it is built.
    """

    about: str
    cite: str
    load: "Callable[[], type[Encoder]]"
    options: type[Plan] = Plan
    term: bool = False
    alike: bool = False
    balanced: bool = False
    binary: bool = False
    sequential: bool = False
    poolings: tuple[str, ...] = tuple(AGGREGATIONS)
    channels: int = 0


def _convolutional() -> "type[Encoder]":
    from models.networks.convolutional import ConvolutionalEncoder

    return ConvolutionalEncoder


def _autoencoder() -> "type[Encoder]":
    from models.networks.autoencoder import AutoencoderEncoder

    return AutoencoderEncoder


def _gan() -> "type[Encoder]":
    from models.networks.gan import GanEncoder

    return GanEncoder


def _attention() -> "type[Encoder]":
    from models.networks.attention import AttentionEncoder

    return AttentionEncoder


def _siamese_triplet() -> "type[Encoder]":
    from models.networks.siamese_triplet import SiameseTripletEncoder

    return SiameseTripletEncoder


def _reinforcement_learning() -> "type[Encoder]":
    from models.networks.reinforcement_learning import ReinforcementLearningEncoder

    return ReinforcementLearningEncoder


NETWORKS: Final[Mapping[Network, Build]] = {
    Network.CONVOLUTIONAL: Build(
        about="A residual network of three stages that learns from scratch on a CPU.",
        cite="He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2016",
        load=_convolutional,
        channels=4,
    ),
    Network.AUTOENCODER: Build(
        about="A convolutional encoder from whose codes, bits drawn by lot or numbers, a decoder "
        "must draw the pictures again.",
        cite="Kingma, Welling, Auto-Encoding Variational Bayes, 2014",
        load=_autoencoder,
        options=AutoencoderOptions,
        term=True,
        channels=4,
    ),
    Network.GAN: Build(
        about="A convolutional encoder whose codes a critic tells from those of a coin, or that "
        "tells pictures from those of a generator.",
        cite="Makhzani, Shlens, Jaitly, Goodfellow, Frey, Adversarial Autoencoders, 2016; "
        "Zieba, Semberecki, El-Gaaly, Trzcinski, BinGAN: Learning Compact Binary Descriptors "
        "with a Regularized GAN, 2018",
        load=_gan,
        options=GanOptions,
        term=True,
        channels=4,
    ),
    Network.SIAMESE_TRIPLET: Build(
        about="Convolutional towers of shared weights that learn from pairs or triplets alone: "
        "what is alike is to be nearer than what is not.",
        cite="Schroff, Kalenichenko, Philbin, FaceNet: A Unified Embedding for Face Recognition "
        "and Clustering, 2015",
        load=_siamese_triplet,
        options=SiameseTripletOptions,
        term=True,
        alike=True,
        balanced=True,
        channels=4,
    ),
    Network.ATTENTION: Build(
        about="A transformer behind a convolutional stem: all places of a picture look at each "
        "other.",
        cite="Dosovitskiy et al., An Image is Worth 16x16 Words: Transformers for Image "
        "Recognition at Scale, 2021",
        load=_attention,
        options=AttentionOptions,
        poolings=("gem", "average", "attention", "cls"),
    ),
    Network.REINFORCEMENT_LEARNING: Build(
        about="A policy that sets one bit after the other and is rewarded for what the code finds.",
        cite="Peng, Zhang, Deep Reinforcement Learning for Image Hashing, 2019",
        load=_reinforcement_learning,
        options=ReinforcementLearningOptions,
        term=True,
        alike=True,
        balanced=True,
        binary=True,
        sequential=True,
        channels=4,
    ),
}
