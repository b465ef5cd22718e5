"""The named protocols: a number is reported with one of these names, or it says nothing."""

from collections.abc import Mapping
from typing import Final

from data.protocols.base import Pick, Protocol
from data.protocols.classes import CLASSES
from data.protocols.draw import Picture, Sets, labels_that_count, sets_of
from data.protocols.instances import INSTANCES
from data.taxonomy import choose

__all__ = [
    "PROTOCOLS", "Pick", "Picture", "Protocol", "Sets", "labels_that_count", "named",
    "protocols_of", "sets_of",
]  # fmt: skip

PROTOCOLS: Final[Mapping[str, Protocol]] = {**CLASSES, **INSTANCES}


def named(word: str) -> Protocol:
    """The protocol of the name WORD.

    Raises:
        ValueError: there is none; names the choices.
    """
    return choose(PROTOCOLS, word, "protocol")


def protocols_of(dataset: str) -> tuple[str, ...]:
    """The names of the protocols that measure on DATASET."""
    return tuple(name for name, one in PROTOCOLS.items() if one.dataset == dataset)
