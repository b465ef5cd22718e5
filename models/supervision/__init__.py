"""Supervisions: what an encoder learns from. One file and one entry of `SUPERVISIONS` each.

The entries say what a supervision is and needs without loading torch, so that a recipe is checked
at once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from data import taxonomy
from data.taxonomy import DescriptorType
from models.supervision.methods import (
    ANY,
    BITS,
    CLUSTERS,
    LABELS,
    NUMBERS,
    PICTURES,
    SOME_LABELS,
    STRUCTURE,
    WORDS,
    Batches,
    Method,
)

if TYPE_CHECKING:
    from models.supervision.base import Supervision

__all__ = [
    "ANY",
    "BITS",
    "NUMBERS",
    "SUPERVISIONS",
    "Annotation",
    "Batches",
    "Method",
    "Teaching",
]

Annotation = Literal["labels", "tags", "captions", "boxes"]


@dataclass(frozen=True)
class Teaching:
    """What a supervision is, in words, and how to come by its class.

    Args:
        about: one sentence: what it learns from.
        load: imports the class.
        methods: by name; of those that suit a descriptor the first is the default.
        needs: the annotations that it asks of a dataset; captions do for tags, by their words.
        optional: the annotations that it uses where there are some, besides.
        alike: whether it can say which pictures show the same.
    """

    about: str
    load: "Callable[[], type[Supervision]]"
    methods: Mapping[str, Method]
    needs: frozenset[Annotation] = frozenset()
    optional: frozenset[Annotation] = frozenset()
    alike: bool = True

    def missing(self, there: Iterable[Annotation]) -> list[Annotation]:
        """What it needs of a dataset that is not THERE."""
        found = set(there)
        if "captions" in found:
            found.add("tags")
        return sorted(self.needs - found)

    @property
    def descriptors(self) -> tuple[DescriptorType, ...]:
        """The descriptors that it can teach to make."""
        return tuple(word for word in DescriptorType if self.methods_for(word))

    def methods_for(self, descriptor: DescriptorType) -> tuple[str, ...]:
        """The names of the methods that suit DESCRIPTOR, the default first."""
        return tuple(n for n, method in self.methods.items() if descriptor in method.descriptors)


def _supervised() -> "type[Supervision]":
    from models.supervision.supervised import Supervised

    return Supervised


def _unsupervised() -> "type[Supervision]":
    from models.supervision.unsupervised import Unsupervised

    return Unsupervised


def _semi_supervised() -> "type[Supervision]":
    from models.supervision.semi_supervised import SemiSupervised

    return SemiSupervised


def _pseudo_supervised() -> "type[Supervision]":
    from models.supervision.pseudo_supervised import PseudoSupervised

    return PseudoSupervised


def _weakly_supervised() -> "type[Supervision]":
    from models.supervision.weakly_supervised import WeaklySupervised

    return WeaklySupervised


def _self_supervised() -> "type[Supervision]":
    from models.supervision.self_supervised import SelfSupervised

    return SelfSupervised


SUPERVISIONS: Final[Mapping[taxonomy.Supervision, Teaching]] = {
    taxonomy.Supervision.SUPERVISED: Teaching(
        about="Learns from class labels: pictures of a class lie together, classes apart.",
        load=_supervised,
        needs=frozenset({"labels"}),
        methods=LABELS,
    ),
    taxonomy.Supervision.WEAKLY_SUPERVISED: Teaching(
        about="Learns from tags, words of captions, or the queries that people clicked pictures "
        "for, however often they are wrong.",
        load=_weakly_supervised,
        needs=frozenset({"tags"}),
        methods=WORDS,
    ),
    taxonomy.Supervision.UNSUPERVISED: Teaching(
        about="Learns from the pictures alone, by keeping the structure that they have.",
        load=_unsupervised,
        alike=False,
        methods=STRUCTURE,
    ),
    taxonomy.Supervision.SEMI_SUPERVISED: Teaching(
        about="Learns from a few class labels, and from what the encoder itself is sure of.",
        load=_semi_supervised,
        needs=frozenset({"labels"}),
        optional=frozenset({"labels"}),
        methods=SOME_LABELS,
    ),
    taxonomy.Supervision.PSEUDO_SUPERVISED: Teaching(
        about="Learns from clusters of the pictures as if they were classes.",
        load=_pseudo_supervised,
        methods=CLUSTERS,
    ),
    taxonomy.Supervision.SELF_SUPERVISED: Teaching(
        about="Learns from the pictures alone: two views of one are the same, all others differ.",
        load=_self_supervised,
        methods=PICTURES,
    ),
}
"""What teaches an encoder, whatever the annotations."""
