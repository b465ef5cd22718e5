"""Supervisions: what an encoder learns from. One file and one entry of `SUPERVISIONS` each.

The entries say what a supervision is and needs without loading torch, so that a recipe is checked
at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from data import taxonomy
from data.taxonomy import DescriptorType

if TYPE_CHECKING:
    from models.supervision.base import Supervision

Annotation = Literal["labels", "tags", "captions", "boxes"]

Batches = Literal["shuffled", "balanced", "mixed"]
"""How the pictures of a step are chosen: by lot; so many classes and so many pictures of each (the
P x K of metric learning); so many with labels and so many without."""

BITS: Final = (DescriptorType.BINARY,)
NUMBERS: Final = (DescriptorType.REAL_VALUED, DescriptorType.AGGREGATED)
ANY: Final = (*BITS, *NUMBERS)


@dataclass(frozen=True)
class Method:
    """One way to learn from the same annotations.

    Args:
        about: one sentence.
        cite: author, title, year of the paper.
        descriptors: for which it is made.
        batches: how it wants the pictures of a step chosen.
        closed_form: it learns nothing by steps, but finds the head when all pictures have been
            looked at; then no epochs are needed.
        needs_term: it has no loss, and asks of the network one of its own.
    """

    about: str
    cite: str
    descriptors: tuple[DescriptorType, ...] = ANY
    batches: Batches = "shuffled"
    closed_form: bool = False
    needs_term: bool = False


@dataclass(frozen=True)
class Teaching:
    """What a supervision is, in words, and how to come by its class.

    Args:
        about: one sentence: what it learns from.
        load: imports the class.
        methods: by name; of those that suit a descriptor the first is the default.
        needs: the annotations that it asks of a dataset.
        optional: the annotations that it uses where there are some, besides.
        alike: whether it can say which pictures show the same.
    """

    about: str
    load: "Callable[[], type[Supervision]]"
    methods: Mapping[str, Method]
    needs: frozenset[Annotation] = frozenset()
    optional: frozenset[Annotation] = frozenset()
    alike: bool = True

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


def _self_supervised() -> "type[Supervision]":
    from models.supervision.self_supervised import SelfSupervised

    return SelfSupervised


SUPERVISIONS: Final[Mapping[taxonomy.Supervision, Teaching]] = {
    taxonomy.Supervision.SUPERVISED: Teaching(
        about="Learns from class labels: pictures of a class lie together, classes apart.",
        load=_supervised,
        needs=frozenset({"labels"}),
        methods={
            "orthohash": Method(
                about="Bits point at the fixed codeword of their class.",
                cite="Hoe et al., One Loss for All: Deep Hashing with a Single Cosine Similarity "
                "based Learning Objective, 2021",
                descriptors=BITS,
            ),
            "arcface": Method(
                about="Features point at the learned proxy of their class, by a margin of angle.",
                cite="Deng, Guo, Xue, Zafeiriou, ArcFace, 2019",
                descriptors=NUMBERS,
            ),
        },
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
        methods={
            "cibhash": Method(
                about="The sampled bits of two views of a picture are to be the same.",
                cite="Qiu, Su, Ou, Yu, Chen, Unsupervised Hashing with Contrastive Information "
                "Bottleneck, 2021",
                descriptors=BITS,
            ),
            "simclr": Method(
                about="Each view of a picture is to find its twin among all views of the batch.",
                cite="Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive "
                "Learning of Visual Representations, 2020",
                descriptors=NUMBERS,
            ),
        },
    ),
}
