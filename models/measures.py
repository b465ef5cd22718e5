"""Measures by the names that protocols write, apart from what computes them.

A name says all that decides a number: ``map@1000[hits]``, never a bare "mAP@1000". `MEASURES` says
of each what it is and who defined it, K standing for a number; `measure` takes a name at its word.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from data.taxonomy import unknown
from models import graded, metrics, tied
from models.levels import Array, Levels
from models.metrics import Normalisation

Compute = Callable[[Levels, int], Array]
"""The measure of each query, (Q,), NaN without a relevant item; the number is K, 0 where none."""

LIN: Final = "Lin, Yang, Hsiao, Chen, Deep Learning of Binary Hash Codes, CVPRW 2015"
REVISITED: Final = "Radenovic et al., Revisiting Oxford and Paris, CVPR 2018"
DSRH: Final = "Zhao, Huang, Wang, Tan, Deep Semantic Ranking Based Hashing, CVPR 2015"
MUSGRAVE: Final = "Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020"
Way = Literal["", "text-to-image", "image-to-text"]


@dataclass(frozen=True)
class Kind:
    """What a measure is.

    Args:
        definition: in a sentence.
        source: who defined it.
        compute: from the rankings of Q queries.
        depth: ranks that it looks at: "K", "all", or a number.
        highest: the end of its range, which begins at 0; inf where grades decide.
        needs: what it cannot do without: "grades", "hamming"; of the kinds of ranking.
        refusal: why no number of it can be had here yet; empty where it can.
        way: who asks whom, where sentences have a part; empty where pictures ask pictures.
    """

    definition: str
    source: str
    compute: Compute | None
    depth: str = "K"
    highest: float = 1.0
    needs: frozenset[str] = frozenset()
    refusal: str = ""
    way: Way = ""


def _map(normalisation: Normalisation) -> Compute:
    return lambda levels, k: metrics.expected_average_precision(
        levels.counts, levels.hits, k or None, normalisation
    )


def _ndcg(worth: Callable[[Levels], Array]) -> Compute:
    return lambda levels, k: graded.normalised_gain(levels, k, worth(levels))


def _cmc(levels: Levels, k: int) -> Array:
    return metrics.expected_cmc_at(levels.counts, levels.hits, k)


def _first(levels: Levels, k: int) -> Array:
    """What `tied.global_average_precision` asks of each query, (Q, 3): its three arguments."""
    right = metrics.expected_precision_at(levels.counts, levels.hits, 1)
    return np.stack([levels.nearest, np.nan_to_num(right), levels.relevant > 0], axis=1)


HAMMING: Final = frozenset({"hamming"})
GRADES: Final = frozenset({"grades"})
ACROSS: Final = "gap"
"""The measure whose queries are ranked among each other."""

MEASURES: Final[Mapping[str, Kind]] = {
    "map[all]": Kind(
        "the precision at the rank of each relevant item, averaged over all R of them",
        "trec_eval, map",
        _map("R"),
        "all",
    ),
    "map@K[hits]": Kind(
        "the sum of precisions at relevant ranks up to K, divided by the relevant items found",
        LIN,
        _map("hits"),
    ),
    "map@K[min]": Kind(
        "the same sum divided by the lesser of K and R",
        "Weyand et al., Google Landmarks Dataset v2, CVPR 2020",
        _map("min"),
    ),
    "map@K[R]": Kind("the same sum divided by R", MUSGRAVE, _map("R")),
    "map_at_r": Kind(
        "the sum of precisions at relevant ranks up to R, divided by R",
        MUSGRAVE,
        lambda levels, k: metrics.expected_average_precision(
            levels.counts, levels.hits, levels.relevant, "R"
        ),
        "all",
    ),
    "map_roxf[trapz]": Kind(
        "average precision by trapezoids, junk taken out of the ranking before",
        REVISITED,
        lambda levels, k: tied.trapezoid_average_precision(levels),
        "all",
    ),
    "mp@K": Kind(
        "the share of relevant items among the first K, or up to the last relevant one if sooner",
        REVISITED,
        tied.precision_within_answers,
        "all",
    ),
    "r_precision": Kind(
        "the share of relevant items among the first R",
        MUSGRAVE,
        lambda levels, k: metrics.expected_precision_at(
            levels.counts, levels.hits, levels.relevant
        ),
        "all",
    ),
    "p@K": Kind(
        "the share of relevant items among the first K; a shorter ranking counts as misses",
        "trec_eval, P",
        lambda levels, k: metrics.expected_precision_at(levels.counts, levels.hits, k),
    ),
    "recall@K": Kind(
        "the share of the R relevant items that the first K ranks hold",
        "trec_eval, recall; not metric learning's, which is cmc@K",
        tied.recall_at,
    ),
    "cmc@K": Kind(
        "1 where one of the first K is relevant, else 0: metric learning's Recall@K",
        "Jegou, Douze, Schmid, Product Quantization for Nearest Neighbor Search, TPAMI 2011",
        _cmc,
    ),
    "mrr@K": Kind(
        "1 / rank of the first relevant item, 0 where the first K hold none",
        "Voorhees, The TREC-8 Question Answering Track Report, 1999",
        lambda levels, k: metrics.expected_reciprocal_rank(levels.counts, levels.hits, k),
    ),
    "ndcg@K[exp]": Kind(
        "discounted gain 2**g - 1 of the first K, as a share of the best order's",
        "Burges et al., Learning to Rank using Gradient Descent, ICML 2005",
        _ndcg(graded.exponential),
        needs=GRADES,
    ),
    "ndcg@K[linear]": Kind(
        "discounted gain g of the first K, as a share of the best order's",
        "Jarvelin and Kekalainen, Cumulated Gain-based Evaluation, TOIS 2002",
        _ndcg(graded.linear),
        needs=GRADES,
    ),
    "acg@K": Kind(
        "the mean grade of the first K", DSRH, graded.cumulative_gain, highest=np.inf, needs=GRADES
    ),
    "wap@K": Kind(
        "acg at each relevant rank up to K, averaged over these ranks",
        DSRH,
        graded.weighted_average_precision,
        highest=np.inf,
        needs=GRADES,
    ),
    "ahp@K": Kind(
        "the grades of the first i as a share of the most there is, averaged over i up to K",
        "Barz, Denzler, Hierarchy-based Image Embeddings, WACV 2019; Deng et al., CVPR 2011",
        graded.hierarchical_precision,
        needs=GRADES,
    ),
    "dcg@K[icme]": Kind(
        "0.01757 times the discounted gain 2**g - 1 of the first K; 25 excellent ones give 1",
        "Hua et al., Clickage, ACM Multimedia 2013",
        lambda levels, k: (
            graded.ICME * graded.discounted_gain(levels, k, graded.exponential(levels))
        ),
        highest=np.inf,
        needs=GRADES,
    ),
    "p[h<=K]": Kind(
        "the share of relevant items within Hamming distance K; 0 where nothing is that near",
        "Zhu, Long, Wang, Cao, Deep Hashing Network, AAAI 2016",
        tied.precision_within,
        "all",
        needs=HAMMING,
    ),
    "coverage[h<=K]": Kind(
        "1 where something is within Hamming distance K, else 0; to be read beside p[h<=K]",
        "the share of queries that p[h<=K] has anything to judge by",
        tied.coverage_within,
        "all",
        needs=HAMMING,
    ),
    "gap": Kind(
        "the first answers of all queries in one ranking, the surest first: precision at each "
        "right one, divided by the number of queries that have an answer",
        "Weyand et al., Google Landmarks Dataset v2, CVPR 2020",
        _first,
        "1",
    ),
    "ns_score": Kind(
        "relevant items among the first four",
        "Nister and Stewenius, Scalable Recognition with a Vocabulary Tree, CVPR 2006",
        lambda levels, k: 4 * metrics.expected_precision_at(levels.counts, levels.hits, 4),
        "4",
        highest=4.0,
    ),
    "cmc@K[text-to-image]": Kind(
        "1 where the picture of a sentence is among the first K",
        "Karpathy and Fei-Fei, CVPR 2015",
        _cmc,
        way="text-to-image",
    ),
    "cmc@K[image-to-text]": Kind(
        "1 where a sentence of the picture is among the first K",
        "Karpathy and Fei-Fei, CVPR 2015",
        _cmc,
        way="image-to-text",
    ),
    "cmc@K[same-pair]": Kind(
        "1 where the very photograph that was drawn is among the first K",
        "Sangkloy, Burnell, Ham, Hays, The Sketchy Database, SIGGRAPH 2016",
        None,
        refusal="asks for the other half of a pair, and the labels of this protocol are classes: "
        "it needs a protocol whose relevance is same_pair",
    ),
}
"""Every measure, by how it is written; K is a number."""

_NUMBER: Final = re.compile(r"(?<=@|=)(?:0|[1-9][0-9]*)(?=$|[\[\]])")


@dataclass(frozen=True)
class Measure:
    """A measure of a name, such as ``map@1000[hits]``.

    Args:
        name: as it is written.
        kind: what it is.
        k: its number; 0 where it has none.
    """

    name: str
    kind: Kind
    k: int = 0

    @property
    def depth(self) -> int | None:
        """Ranks that it looks at; None for all."""
        if self.kind.depth == "K":
            return self.k
        return None if self.kind.depth == "all" else int(self.kind.depth)

    def refusal(self, bits: bool) -> str:
        """Why it cannot be measured, as the end of a sentence; empty where it can.

        Args:
            bits: whether descriptors are binary codes.
        """
        if self.kind.refusal:
            return self.kind.refusal
        if "hamming" in self.kind.needs and not bits:
            return "looks within a Hamming distance: it needs train: {descriptor: binary}"
        return ""

    def part(self, levels: Levels) -> Array:
        """What is kept of the rankings of some queries until all are there."""
        if self.kind.compute is None:
            raise ValueError(f"{self.name} {self.kind.refusal}.")
        return self.kind.compute(levels, self.k)

    def joined(self, parts: Sequence[Array]) -> Array:
        """The measure of each query, (Q,), from the PARTS of all; NaN where nothing is relevant."""
        found = np.concatenate([np.asarray(part, float) for part in parts])
        if self.name != ACROSS:
            return found
        return tied.global_average_precision(found[:, 0], found[:, 1], found[:, 2] > 0)

    def of(self, levels: Levels) -> Array:
        """The measure of each query, (Q,); NaN where nothing is relevant."""
        return self.joined([self.part(levels)])


def measure(name: str) -> Measure:
    """The measure that NAME says.

    Raises:
        ValueError: there is none; names how all are written, and the nearest.
    """
    numbers = _NUMBER.findall(name)
    written = _NUMBER.sub("K", name)
    kind = MEASURES.get(written) if "K" not in name else None
    if kind is None:
        raise ValueError(unknown("measure", name, MEASURES))
    k = int(numbers[0]) if numbers else 0
    if not k and "@K" in written:
        raise ValueError(f"{name} looks at no rank: it needs a number of at least 1.")
    return Measure(name, kind, k)
