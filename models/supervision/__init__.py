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
    LABELS,
    NUMBERS,
    PICTURES,
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
        methods={
            "bihalf": Method(
                about="Bits of which each halves the batch are as similar as the pictures are.",
                cite="Li, van Gemert, Deep Unsupervised Image Hashing by Maximizing Bit Entropy, "
                "2021",
                descriptors=BITS,
            ),
            "neighbours": Method(
                about="Features have the neighbours that the pictures have.",
                cite="Hinton, Roweis, Stochastic Neighbor Embedding, 2002",
                descriptors=NUMBERS,
            ),
            "reconstruction": Method(
                about="What the network adds, a decoder's loss say, is all that teaches.",
                cite="Hinton, Salakhutdinov, Reducing the Dimensionality of Data with Neural "
                "Networks, 2006",
                needs_term=True,
            ),
            "itq": Method(
                about="Principal directions, turned so that their signs lose least.",
                cite="Gong, Lazebnik, Iterative Quantization: A Procrustean Approach to Learning "
                "Binary Codes, 2011",
                descriptors=BITS,
                closed_form=True,
            ),
            "pca_hash": Method(
                about="The signs of the principal directions.",
                cite="Wang, Kumar, Chang, Semi-Supervised Hashing for Scalable Image Retrieval, "
                "2010",
                descriptors=BITS,
                closed_form=True,
            ),
            "pca": Method(
                about="The principal directions.",
                cite="Pearson, On Lines and Planes of Closest Fit to Systems of Points in Space, "
                "1901",
                descriptors=NUMBERS,
                closed_form=True,
            ),
        },
    ),
    taxonomy.Supervision.SEMI_SUPERVISED: Teaching(
        about="Learns from a few class labels, and from what the encoder itself is sure of.",
        load=_semi_supervised,
        needs=frozenset({"labels"}),
        optional=frozenset({"labels"}),
        methods={
            "fixmatch": Method(
                about="Where a weak view is sure of a class, it teaches the strong view.",
                cite="Sohn et al., FixMatch: Simplifying Semi-Supervised Learning with Consistency "
                "and Confidence, 2020",
                batches="mixed",
            ),
            "mean_teacher": Method(
                about="The same, and an average of the encoder answers for the weak view.",
                cite="Tarvainen, Valpola, Mean Teachers are Better Role Models, 2017",
                batches="mixed",
            ),
        },
    ),
    taxonomy.Supervision.PSEUDO_SUPERVISED: Teaching(
        about="Learns from clusters of the pictures as if they were classes.",
        load=_pseudo_supervised,
        methods={
            "deepcluster": Method(
                about="Features point at their cluster; before each epoch k-means finds new ones.",
                cite="Caron, Bojanowski, Joulin, Douze, Deep Clustering for Unsupervised Learning "
                "of Visual Features, 2018",
            ),
            "swav": Method(
                about="Each of two views is to tell the cluster of the other; all are used alike.",
                cite="Caron et al., Unsupervised Learning of Visual Features by Contrasting "
                "Cluster Assignments, 2020",
            ),
        },
    ),
    taxonomy.Supervision.SELF_SUPERVISED: Teaching(
        about="Learns from the pictures alone: two views of one are the same, all others differ.",
        load=_self_supervised,
        methods=PICTURES,
    ),
}
"""What teaches an encoder, whatever the annotations."""
