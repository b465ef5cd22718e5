"""The words of the field (Dubey, "A Decade Survey of CBIR using Deep Learning", 2021).

Every word is the enum's value, the file's stem, the recipe's word and the page's option alike.
"""

import difflib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

V = TypeVar("V")


class Supervision(StrEnum):
    """What teaches an encoder (section III of the survey)."""

    SUPERVISED = "supervised"
    UNSUPERVISED = "unsupervised"
    SEMI_SUPERVISED = "semi_supervised"
    WEAKLY_SUPERVISED = "weakly_supervised"
    PSEUDO_SUPERVISED = "pseudo_supervised"
    SELF_SUPERVISED = "self_supervised"


class Network(StrEnum):
    """What an encoder is made of (section IV)."""

    CONVOLUTIONAL = "convolutional"
    AUTOENCODER = "autoencoder"
    SIAMESE_TRIPLET = "siamese_triplet"
    GAN = "gan"
    ATTENTION = "attention"
    REINFORCEMENT_LEARNING = "reinforcement_learning"


class DescriptorType(StrEnum):
    """What a table row stores of an image (section V)."""

    BINARY = "binary"
    REAL_VALUED = "real_valued"
    AGGREGATED = "aggregated"


class Retrieval(StrEnum):
    """What a query is and what counts as an answer (section VI)."""

    CROSS_MODAL = "cross_modal"
    SKETCH_BASED = "sketch_based"
    MULTI_LABEL = "multi_label"
    INSTANCE = "instance"
    OBJECT = "object"
    SEMANTIC = "semantic"
    FINE_GRAINED = "fine_grained"
    ASYMMETRIC = "asymmetric"


def choose(table: Mapping[Any, V], word: str, what: str) -> V:
    """The entry of TABLE named WORD.

    Raises:
        ValueError: WORD is not in TABLE; names the choices and the nearest of them.
    """
    if word in table:
        return table[word]
    raise ValueError(unknown(what, word, table))


def unknown(what: str, word: str, choices: Iterable[str]) -> str:
    """The sentence that says WORD is no WHAT, which words would do, and which was likely meant."""
    words = sorted(str(choice) for choice in choices)
    near = difflib.get_close_matches(word, words, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown {what} {str(word)!r}: choose from {', '.join(words) or 'nothing yet'}.{hint}"
