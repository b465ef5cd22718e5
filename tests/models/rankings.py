"""Rankings written down by hand, and the measures that the tests of measures try on them."""

from collections.abc import Sequence

import numpy as np

from models.levels import Levels

NAMES = (
    "map[all]", "map@3[hits]", "map@3[min]", "map@3[R]", "map_at_r", "map_roxf[trapz]", "mp@3",
    "r_precision", "p@3", "recall@3", "cmc@2", "mrr@3", "ndcg@3[exp]", "ndcg@3[linear]", "acg@3",
    "wap@4", "ahp@3", "dcg@3[icme]", "p[h<=1]", "coverage[h<=1]", "ns_score",
)  # fmt: skip


def levels_of(levels: Sequence[Sequence[int]], bits: int = 0) -> Levels:
    """One query's ranking: the grades of the items at each level."""
    top = max((grade for level in levels for grade in level), default=0)
    grades = np.zeros((1, max(top, 1) + 1, max(len(levels), 1)), np.int64)
    for place, level in enumerate(levels):
        for grade in level:
            grades[0, grade, place] += 1
    first = next((n for n, level in enumerate(levels) if level), np.inf)
    return Levels(grades, np.array([float(first)]), bits)


def ranked(grades: Sequence[int]) -> Levels:
    """One query's ranking without ties."""
    return levels_of([[grade] for grade in grades])
