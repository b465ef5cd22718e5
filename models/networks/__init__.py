"""Networks: images -> features. One file and one line of `NETWORKS` each."""

from collections.abc import Mapping
from typing import Final

from data.taxonomy import Network
from models.networks.base import Encoder
from models.networks.convolutional import ConvolutionalEncoder

NETWORKS: Final[Mapping[Network, type[Encoder]]] = {
    Network.CONVOLUTIONAL: ConvolutionalEncoder,
}
