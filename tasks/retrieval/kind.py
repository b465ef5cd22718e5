"""What a kind of retrieval is: which query, which answers are right, how far, by what measure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from data.adapters.card import Says
from data.protocols import Pick, Protocol
from data.protocols.base import Relevance
from data.taxonomy import Retrieval

LABELS: Final[frozenset[Says]] = frozenset({"single", "multi"})
"""A dataset whose pictures have labels, one each or several."""


@dataclass(frozen=True)
class Kind:
    """What one does who retrieves in a certain way, and how well that goes is told.

    A line says what works: what nothing stands behind is left empty, and `refusal` says why.

    Args:
        about: what a user does, in a sentence.
        asks: what a query may be made of: ``image``, ``labels``, a form of query each.
        relevance: which answers are right where no protocol says it.
        right: the same in a sentence.
        distances: how a query and a row are compared.
        rerankings: what puts the first answers into a better order.
        headline: the measure by which versions are judged where no protocol says it.
        also: measures beside it.
        says: what a dataset has to know of its pictures; one of these is enough.
        needs: the same in words.
        protocols: those of `data.protocols` that measure it.
        command: what one types.
        cite: who says that it is retrieved so.
        refusal: why it cannot be asked yet, as the end of a sentence; empty where it can.
        per_image: whether rows that are parts of one picture are one answer, its best.
    """

    about: str
    asks: tuple[str, ...]
    relevance: Relevance
    right: str
    distances: tuple[str, ...]
    headline: str
    also: tuple[str, ...]
    says: frozenset[Says]
    needs: str
    protocols: tuple[str, ...]
    command: str
    cite: str
    rerankings: tuple[str, ...] = ()
    refusal: str = ""
    per_image: bool = False

    def protocol(
        self,
        split: str | None,
        *,
        among: Sequence[str] = (),
        word: Retrieval | None = None,
        dataset: str = "",
        lists: str = "",
    ) -> Protocol:
        """How it is measured on a dataset of which no paper says how.

        Args:
            split: the split that asks, while the others answer; None: labelled pictures of all
                splits ask, or of those AMONG them, and what a query is itself is no answer of it.
                Where sentences ask for their pictures, these are the ones that answer too.
            among: splits, where no SPLIT asks alone; none named: all.
            word: the kind's.
            dataset: whose pictures they are.
            lists: whose lists say the splits.
        """
        if self.relevance == "caption":
            asked = Pick(splits=(split,) if split else tuple(among))
            return Protocol(
                dataset=dataset,
                lists=lists,
                retrieval=word,
                queries=asked,
                database=asked,
                relevance=self.relevance,
                metric=self.headline,
                also=self.also,
                defined=self.cite,
                own="counted",
            )
        return Protocol(
            dataset=dataset,
            lists=lists,
            retrieval=word,
            queries=Pick(splits=(split,) if split else tuple(among), labels="some"),
            database=Pick(without=("queries",)) if split else Pick(),
            relevance=self.relevance,
            metric=self.headline,
            also=self.also,
            defined=self.cite,
            own="absent" if split else "left_out",
            per_image=self.per_image,
        )
