"""The eight kinds of retrieval. One file and one entry of `RETRIEVALS` each.

A kind is a thing that a user can do with an index: a way to ask, what counts as an answer, and the
measure by which it is judged. The entries are facts: they load neither torch nor an index.
"""

from collections.abc import Mapping
from typing import Final

from data.taxonomy import Retrieval
from tasks.retrieval.asymmetric import ASYMMETRIC
from tasks.retrieval.cross_modal import CROSS_MODAL
from tasks.retrieval.fine_grained import FINE_GRAINED
from tasks.retrieval.instance import INSTANCE
from tasks.retrieval.kind import Kind
from tasks.retrieval.multi_label import MULTI_LABEL
from tasks.retrieval.object import OBJECT
from tasks.retrieval.semantic import SEMANTIC
from tasks.retrieval.sketch_based import SKETCH_BASED

__all__ = ["RETRIEVALS", "Kind", "measured_by"]

RETRIEVALS: Final[Mapping[Retrieval, Kind]] = {
    Retrieval.CROSS_MODAL: CROSS_MODAL,
    Retrieval.SKETCH_BASED: SKETCH_BASED,
    Retrieval.MULTI_LABEL: MULTI_LABEL,
    Retrieval.INSTANCE: INSTANCE,
    Retrieval.OBJECT: OBJECT,
    Retrieval.SEMANTIC: SEMANTIC,
    Retrieval.FINE_GRAINED: FINE_GRAINED,
    Retrieval.ASYMMETRIC: ASYMMETRIC,
}
"""By a recipe's word."""

SHARING: Final = frozenset({"same_label", "shared_label"})
"""Relevances that are told by labels alone."""


def measured_by(protocol: str) -> tuple[Retrieval, ...]:
    """The kinds of retrieval that the protocol of the name PROTOCOL measures.

    Of those that no paper names, ``labels`` asks for pictures that share one and ``known_item`` for
    the very picture; ``auto`` is either of them.
    """
    if protocol in ("labels", "auto"):
        return tuple(word for word, kind in RETRIEVALS.items() if kind.relevance in SHARING)
    if protocol == "known_item":
        return (Retrieval.INSTANCE,)
    return tuple(word for word, kind in RETRIEVALS.items() if protocol in kind.protocols)
