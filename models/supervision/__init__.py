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
    """

    about: str
    cite: str
    descriptors: tuple[DescriptorType, ...] = ANY
    batches: Batches = "shuffled"
    closed_form: bool = False


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
