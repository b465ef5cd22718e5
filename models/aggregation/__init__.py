"""Aggregations: maps of local features -> one vector. One file and one entry each.

The entries say what an aggregation is without loading torch, so that a recipe is checked at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from data.plan import Plan
from models.aggregation import options

if TYPE_CHECKING:
    from models.aggregation.base import Aggregation


@dataclass(frozen=True)
class Pool:
    """What an aggregation is, in words, and how to come by its class.

    Args:
        about: one sentence.
        cite: author, title, year of the paper.
        load: imports the class.
        options: what a recipe may say of it.
    """

    about: str
    cite: str
    load: "Callable[[], type[Aggregation]]"
    options: type[Plan] = options.Pooled

    def width(self, inputs: int, said: Mapping[str, Any]) -> int:
        """How long a vector it makes of maps of INPUTS channels where so much is SAID."""
        told = self.options.model_validate(said)
        times: int = getattr(told, "words", 1) * getattr(told, "cells", 1) ** 2
        return inputs * times


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


def _grid() -> "type[Aggregation]":
    from models.aggregation.grid import Grid

    return Grid


def _vlad() -> "type[Aggregation]":
    from models.aggregation.vlad import VLAD

    return VLAD


def _netvlad() -> "type[Aggregation]":
    from models.aggregation.netvlad import NetVLAD

    return NetVLAD


def _asmk() -> "type[Aggregation]":
    from models.aggregation.asmk import ASMK

    return ASMK


BAGS: Final = "asmk"
"""The word of the aggregation that makes a set of visual words, which no vector stands for."""

AGGREGATIONS: Final[Mapping[str, Pool]] = {
    "gem": Pool(
        about="The generalised mean of each channel, its exponent learned.",
        cite="Radenovic, Tolias, Chum, Fine-tuning CNN Image Retrieval with No Human Annotation, "
        "2018",
        load=_gem,
        options=options.GeM,
    ),
    "average": Pool(
        about="The mean of the local features.",
        cite="Lin, Chen, Yan, Network In Network, 2014",
        load=_average,
    ),
    "spoc": Pool(
        about="The mean, in which the middle of the picture counts more.",
        cite="Babenko, Lempitsky, Aggregating Deep Convolutional Features for Image Retrieval, "
        "2015",
        load=_spoc,
    ),
    "mac": Pool(
        about="The maximum of each channel.",
        cite="Tolias, Sicre, Jégou, Particular Object Retrieval with Integral Max-Pooling of CNN "
        "Activations, 2016",
        load=_mac,
    ),
    "rmac": Pool(
        about="The maxima of regions of several sizes, added up.",
        cite="Tolias, Sicre, Jégou, Particular Object Retrieval with Integral Max-Pooling of CNN "
        "Activations, 2016",
        load=_rmac,
        options=options.RMAC,
    ),
    "grid": Pool(
        about="The means of the cells of a grid, side by side: it counts where a thing is.",
        cite="Lazebnik, Schmid, Ponce, Beyond Bags of Features: Spatial Pyramid Matching for "
        "Recognizing Natural Scene Categories, 2006",
        load=_grid,
        options=options.Grid,
    ),
    "attention": Pool(
        about="The mean, in which the telling local features count more.",
        cite="Noh, Araujo, Sim, Weyand, Han, Large-Scale Image Retrieval with Attentive Deep "
        "Local Features, 2017",
        load=_attention,
        options=options.Attention,
    ),
    "vlad": Pool(
        about="What is left of the local features over their nearest visual words.",
        cite="Jégou, Douze, Schmid, Pérez, Aggregating Local Descriptors into a Compact Image "
        "Representation, 2010",
        load=_vlad,
        options=options.Words,
    ),
    "netvlad": Pool(
        about="The same over visual words that learn, softly assigned.",
        cite="Arandjelović, Gronat, Torii, Pajdla, Sivic, NetVLAD, 2016",
        load=_netvlad,
        options=options.Words,
    ),
    BAGS: Pool(
        about="The signs of what is left over each visual word, kept word by word.",
        cite="Tolias, Avrithis, Jégou, Image Search with Selective Match Kernels, 2016",
        load=_asmk,
        options=options.ManyWords,
    ),
}
"""By a recipe's word."""
