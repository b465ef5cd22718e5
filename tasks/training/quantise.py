"""The codebooks of an encoder whose index stores codes, found from pictures when all is learned."""

from typing import Final

from models.networks.base import Encoder
from models.quantiser import Quantiser
from tasks.training.everything import Everything, some

PICTURES: Final = 2**15
"""From which codebooks are found, at most: 128 a word."""


def quantise(encoder: Encoder, quantiser: Quantiser, everything: Everything, seed: int) -> None:
    """Find the codebooks of ENCODER from what it makes of pictures that it learned from.

    They become a part of its weights. Equal seeds find equal ones on a CPU.

    Args:
        encoder: trained, and whitened where it is to be.
        quantiser: its codebooks.
        everything: the pictures.
        seed: of all that is drawn.

    Raises:
        ValueError: fewer of the pictures can be decoded than a codebook has words.
    """
    features, good = everything.features(encoder, some(len(everything), PICTURES, seed))
    quantiser.fit(features[good], seed)
