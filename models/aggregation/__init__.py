"""Aggregations: maps of local features -> one vector. One file and one entry each."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from models.aggregation.base import Aggregation


def _average() -> "type[Aggregation]":
    from models.aggregation.average import Average

    return Average


def _spoc() -> "type[Aggregation]":
    from models.aggregation.spoc import SPoC

    return SPoC


def _mac() -> "type[Aggregation]":
    from models.aggregation.mac import MAC

    return MAC


def _rmac() -> "type[Aggregation]":
    from models.aggregation.rmac import RMAC

    return RMAC


def _gem() -> "type[Aggregation]":
    from models.aggregation.gem import GeM

    return GeM


def _attention() -> "type[Aggregation]":
    from models.aggregation.attention import AttentionPooling

    return AttentionPooling


def _vlad() -> "type[Aggregation]":
    from models.aggregation.vlad import VLAD

    return VLAD


def _netvlad() -> "type[Aggregation]":
    from models.aggregation.netvlad import NetVLAD

    return NetVLAD


AGGREGATIONS: Final[Mapping[str, Callable[[], "type[Aggregation]"]]] = {
    "average": _average,
    "spoc": _spoc,
    "mac": _mac,
    "rmac": _rmac,
    "gem": _gem,
    "attention": _attention,
    "vlad": _vlad,
    "netvlad": _netvlad,
}
"""By a recipe's word, what returns the class: a word is checked here without loading torch."""
