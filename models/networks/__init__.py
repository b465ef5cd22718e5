"""Networks: images -> features. One file and one entry of `NETWORKS` each.

The entries say what a network is without loading torch, so that a recipe is checked at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from data.plan import Plan
from data.taxonomy import Network
from models.aggregation import AGGREGATIONS

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
        alike: whether its own term asks which pictures show the same.
        binary: whether it makes nothing but bits.
        poolings: how its maps may become one vector; "gem" is among them.
        channels: of its maps, by the recipe's width; 0 where nobody knows before it is built.
    """

    about: str
    cite: str
    load: "Callable[[], type[Encoder]]"
    options: type[Plan] = Plan
    alike: bool = False
    binary: bool = False
    poolings: tuple[str, ...] = tuple(AGGREGATIONS)
    channels: int = 0


def _convolutional() -> "type[Encoder]":
    from models.networks.convolutional import ConvolutionalEncoder

    return ConvolutionalEncoder


NETWORKS: Final[Mapping[Network, Build]] = {
    Network.CONVOLUTIONAL: Build(
        about="A residual network of three stages that learns from scratch on a CPU.",
        cite="He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, 2016",
        load=_convolutional,
        channels=4,
    ),
}
