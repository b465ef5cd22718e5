"""Re-rankings: what a search found -> the same in a better order. One file and one line each.

A step is said by its word, several joined by ``+`` in the order in which they come: the word
``alpha_qe+k_reciprocal`` expands the query first. None of them loads torch.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from data.taxonomy import choose, unknown
from models.distances import Metric
from models.reranking.alpha_qe import AlphaQE
from models.reranking.base import Array, Labels, Pictures, Reranking, Shortlist
from models.reranking.database_augmentation import DatabaseAugmentation
from models.reranking.diffusion import Diffusion
from models.reranking.geometric import Geometric
from models.reranking.k_reciprocal import KReciprocal
from models.reranking.within import Within

__all__ = [
    "RERANKINGS",
    "Pictures",
    "Reranking",
    "Shortlist",
    "check_installed",
    "check_metric",
    "rerank",
    "steps_of",
]

RERANKINGS: Final[Mapping[str, type[Reranking]]] = {
    "alpha_qe": AlphaQE,
    "database_augmentation": DatabaseAugmentation,
    "diffusion": Diffusion,
    "geometric": Geometric,
    "k_reciprocal": KReciprocal,
    "within": Within,
}
"""By the word that a recipe or a person says."""


def steps_of(
    said: str, options: Mapping[str, Mapping[str, Any]] | None = None
) -> tuple[Reranking, ...]:
    """The steps that SAID means, words joined by ``+``, with the OPTIONS of each by its word.

    Raises:
        ValueError: a word or an option is unknown, or cannot be; names what can.
    """
    words = said.split("+")
    for word in options or {}:
        if word not in words:
            raise ValueError(unknown("part of the re-ranking's options", word, words))
    return tuple(_step(word, (options or {}).get(word, {})) for word in words)


def check_installed(steps: Sequence[Reranking]) -> None:
    """Return if all that STEPS need can be imported here.

    Whoever is about to re-rank asks; a recipe can be read, and production moved, without.

    Raises:
        MissingExtra: a package cannot; says how to install it.
    """
    for step in steps:
        step.check_installed()


def check_metric(steps: Sequence[Reranking], metric: Metric) -> None:
    """Return if all STEPS can re-rank rows that are compared by METRIC.

    Raises:
        ValueError: one cannot; says why, and which can.
    """
    words = {kind: word for word, kind in RERANKINGS.items()}
    for step in steps:
        if why := step.refusal(metric):
            able = [word for word, kind in RERANKINGS.items() if not kind.refusal(metric)]
            raise ValueError(
                f"{words[type(step)]} {why}: choose {' or '.join(able) or 'no re-ranking'}."
            )


def rerank(
    steps: Sequence[Reranking],
    query: Array,
    rows: Array,
    distances: Array,
    metric: Metric,
    pictures: Pictures | None = None,
    labels: Labels | None = None,
) -> tuple[Array, Array]:
    """The order (N,) of ROWS after STEPS, as places in what was given, and their scores (N,).

    Scores are those of the last step, the greatest first, and comparable within one answer alone.

    Args:
        steps: as `steps_of` makes them; with none of them rows stand by their distance.
        query: (width,) a descriptor as the index stores them.
        rows: (N, width) the descriptors of the rows that were found.
        distances: (N,) theirs from the query, by METRIC.
        metric: of the index.
        pictures: of query and rows, for steps that want them.
        labels: (N) those of each row, for steps that want them.

    Raises:
        ValueError: a step cannot re-rank what is compared by METRIC, wants pictures or labels and
            has none, or the shapes do not fit.
    """
    check_metric(steps, metric)
    if pictures is None and any(step.wants == "pictures" for step in steps):
        raise ValueError("This re-ranking looks at pictures: ask with one, not with a descriptor.")
    found = Shortlist.of(query, rows, distances, metric, pictures, labels)
    for step in steps:
        found = step(found)
    return found.places, found.scores


def _step(word: str, said: Mapping[str, Any]) -> Reranking:
    kind = choose(RERANKINGS, word, "re-ranking")
    for name in said:
        if name not in kind.model_fields:
            raise ValueError(unknown(f"option of {word}", name, kind.model_fields))
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(
            f"{word} cannot take {first['loc'][0]}: {first['input']!r}: {first['msg']}."
        ) from error
