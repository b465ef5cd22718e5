"""In-category re-ranking: what is of the query's category comes first."""

from collections import Counter
from typing import ClassVar

import numpy as np
from pydantic import Field

from models.reranking.alpha_qe import weights
from models.reranking.base import Reranking, Shortlist


class Within(Reranking):
    """Tells the query's category by the labels of its first answers, and puts that category first.

    Each of the first n votes for its labels with ``max(s, 0)^alpha``, s its similarity to the
    query; the label with the most votes is the category, of equals the first in the alphabet. Rows
    that have it stand before those that have not, both in the order in which they stood. Where no
    row has a label nothing changes.
    """

    cite: ClassVar[str] = (
        "Wu, Xiong, Yu, Lin, Unsupervised Feature Learning via Non-parametric Instance "
        "Discrimination, CVPR 2018, section 3.4: the weighted vote of nearest neighbours"
    )
    wants = "labels"

    n: int = Field(default=10, ge=1, description="first answers that vote")
    alpha: float = Field(default=3.0, ge=0, description="exponent of their similarity; 0: one each")

    def __call__(self, found: Shortlist) -> Shortlist:
        """FOUND, those of the query's category first.

        Raises:
            ValueError: nobody says what labels the rows have.
        """
        if found.labels is None:
            raise ValueError("within looks at labels, and the rows were found without theirs.")
        category = self.category(found)
        inside = np.array([category in labels for labels in found.labels], bool)
        if not inside.any():
            return found
        apart = 1 + found.scores.max() - found.scores.min()  # so that no other comes between
        return found.sorted_by(found.scores + np.where(inside, apart, np.float32(0)))

    def category(self, found: Shortlist) -> str | None:
        """The label that most speaks for; None where no row that votes has one."""
        votes: Counter[str] = Counter()
        first = weights(found.scores[: self.n], self.alpha).tolist()
        for labels, weight in zip((found.labels or ())[: self.n], first, strict=False):
            votes.update(dict.fromkeys(labels, weight))
        return min(votes, key=lambda label: (-votes[label], label)) if votes else None
