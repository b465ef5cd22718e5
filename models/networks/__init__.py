"""Networks: images -> features. One file and one entry of `NETWORKS` each."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from data.taxonomy import Network

if TYPE_CHECKING:
    from models.networks.base import Encoder


def _convolutional() -> "type[Encoder]":
    from models.networks.convolutional import ConvolutionalEncoder

    return ConvolutionalEncoder


NETWORKS: Final[Mapping[Network, Callable[[], "type[Encoder]"]]] = {
    Network.CONVOLUTIONAL: _convolutional,
}
"""By word, what returns the class: a recipe's word is checked here without loading torch."""
