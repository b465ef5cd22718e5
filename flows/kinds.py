"""The kinds of retrieval: how a recipe's word is measured, and what is told of each."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from data.adapters import DATASETS
from data.adapters.card import Card, Says
from data.protocols import protocols_of
from data.relevance import RELEVANCES
from data.taxonomy import Retrieval, choose
from models.measures import measure
from tasks.measuring.plan import OURS, QUERIES, EvaluatePlan
from tasks.retrieval import RETRIEVALS, Kind, measured_by

if TYPE_CHECKING:
    from tasks.scan import SourcePlan
    from tasks.training.plan import TrainPlan

HEAD: Final = ("retrieval", "asks", "right", "compared by", "re-ranked by", "measure", "needs")
"""Columns of the table of kinds."""

PAGE: Final = (*HEAD, "is", "protocols", "datasets", "command", "not yet", "after")
"""Columns of the same on the page docs/methods.md."""

SAID: Final[Mapping[Says, str]] = {
    "single": "one label a picture",
    "multi": "several labels a picture",
    "tags": "tags",
    "captions": "captions",
    "clicks": "clicked queries",
    "boxes": "boxes",
    "answers": "listed answers",
    "query boxes": "boxes of what asks",
}
"""What a card says that a dataset knows, in words."""


def measured_as(
    word: Retrieval, source: "SourcePlan", train: "TrainPlan", evaluate: EvaluatePlan
) -> EvaluatePlan:
    """EVALUATE, measuring as the kind of retrieval WORD is measured where it names no protocol.

    Who asks is then ``evaluate.split``; else the splits of SOURCE that do not teach by TRAIN; and
    where it has none, a sample of all labelled pictures.

    Raises:
        ValueError: the kind cannot be asked yet, the source's dataset does not know what it needs,
            or the named protocol measures another kind; says what would do.
    """
    kind, card = choose(RETRIEVALS, word, "retrieval"), DATASETS[source.dataset].card
    if why := _refusal(kind):
        raise ValueError(f"retrieval: {word} {why}. Choose from {_words(_served(card))}.")
    if not kind.says & set(card.says):
        raise ValueError(
            f"retrieval: {word} needs {kind.needs}, and {source.dataset} has "
            f"{' and '.join(SAID[one] for one in card.says)}: choose from "
            f"{_words(_served(card))}, or another dataset."
        )
    if word is Retrieval.ASYMMETRIC and not (evaluate.asked_by or evaluate.real):
        raise ValueError(
            "retrieval: asymmetric asks with what the index does not hold: set evaluate: {real: "
            "true}, of binary codes, or evaluate: {asked_by: ENCODER}, trained for it by train: "
            "{compatible_with: …}."
        )
    told = evaluate.named
    if told is None and evaluate.protocol == "auto":
        return _by_kind(word, kind, source, train, evaluate)
    if isinstance(evaluate.protocol, str):
        measures: tuple[Retrieval, ...] = measured_by(evaluate.protocol)
    else:
        measures = (told.retrieval,) if told and told.retrieval else (word,)
    if word not in measures:
        named = (*OURS, *protocols_of(source.dataset))
        raise ValueError(
            f"evaluate.protocol {evaluate.name} measures {_words(measures)}, and not retrieval: "
            f"{word}: choose from {_words(name for name in named if word in measured_by(name))}, "
            "or leave the protocol out."
        )
    return evaluate


def _by_kind(
    word: Retrieval,
    kind: Kind,
    source: "SourcePlan",
    train: "TrainPlan",
    evaluate: EvaluatePlan,
) -> EvaluatePlan:
    """EVALUATE, by the protocol of KIND, whose word is WORD."""
    opened = source.opened()
    splits = tuple(opened.options.splits or opened.options.choices(opened.card.splits))
    teaching = train.split or ("train" if "train" in splits else "")
    others = tuple(name for name in splits if name != teaching) if teaching in splits else ()
    protocol = kind.protocol(
        evaluate.split,
        among=others,
        word=word,
        dataset=source.dataset,
        lists=str(source.options.get("lists", "") or ""),
    )
    said = evaluate.model_dump(exclude={"protocol", "split", "queries"})
    limit = evaluate.queries if protocol.queries.splits else evaluate.queries or QUERIES
    return EvaluatePlan(**said, protocol=protocol, queries=limit)


def kinds() -> list[list[Any]]:
    """The kinds of retrieval as lines under `HEAD`."""
    return [_line(word, kind) for word, kind in RETRIEVALS.items()]


def lines() -> list[list[Any]]:
    """The same under `PAGE`."""
    return [
        [
            *_line(word, kind),
            kind.about,
            ", ".join(kind.protocols),
            ", ".join(datasets_of(word)),
            f"`{kind.command}`" if kind.command else "",
            _refusal(kind),
            kind.cite,
        ]
        for word, kind in RETRIEVALS.items()
    ]


def facts() -> dict[str, Any]:
    """All that is said of the kinds, by their words, for machines."""
    return {
        str(word): {
            "about": kind.about,
            "cite": kind.cite,
            "asks": list(kind.asks),
            "relevance": kind.relevance,
            "right": kind.right,
            "distances": list(kind.distances),
            "rerankings": list(kind.rerankings),
            "headline": kind.headline,
            "also": list(kind.also),
            "needs": kind.needs,
            "protocols": list(kind.protocols),
            "datasets": list(datasets_of(word)),
            "command": kind.command,
            "refusal": _refusal(kind),
        }
        for word, kind in RETRIEVALS.items()
    }


def datasets_of(word: Retrieval) -> tuple[str, ...]:
    """The names of the datasets whose truth can measure the kind WORD, sorted."""
    return tuple(name for name in sorted(DATASETS) if word in DATASETS[name].card.retrievals)


def _line(word: Retrieval, kind: Kind) -> list[Any]:
    return [
        word,
        ", ".join(kind.asks) or "-",
        kind.relevance,
        ", ".join(kind.distances) or "-",
        ", ".join(kind.rerankings) or "-",
        kind.headline,
        kind.needs,
    ]


def _refusal(kind: Kind) -> str:
    """Why KIND cannot be asked or measured yet, as the end of a sentence; empty where it can."""
    why = kind.refusal or RELEVANCES[kind.relevance].refusal or measure(kind.headline).kind.refusal
    return why.rstrip(".")


def _served(card: Card) -> list[Retrieval]:
    """The kinds that the dataset of CARD knows enough for."""
    known = set(card.says)
    return [word for word, kind in RETRIEVALS.items() if kind.says & known and not _refusal(kind)]


def _words(words: Iterable[str]) -> str:
    return ", ".join(map(str, words)) or "nothing yet"
