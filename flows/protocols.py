"""Protocols and measures in words: the table of all, one in full, the page docs/protocols.md."""

from collections.abc import Iterable
from typing import Any, Final

from data.hierarchy import above
from data.protocols import PROTOCOLS, Pick, Protocol
from data.relevance import RELEVANCES
from flows.cards import markdown_table
from models.measures import MEASURES, Kind, measure

COMMAND: Final = "nightjar protocols --markdown > docs/protocols.md"
"""Writes the page anew."""

HEAD: Final = ("name", "dataset", "queries", "database", "train", "measure", "relevant")
"""Columns of the table of all."""

PAGE: Final = (
    "protocol", "queries", "database", "train", "sizes", "relevant", "own picture", "measure",
    "also", "defined by", "note",
)  # fmt: skip

SETS: Final = ("queries", "database", "train")


def row(name: str, told: Protocol) -> list[Any]:
    """The protocol NAME as a line under `HEAD`."""
    sizes = [size or None for size in told.sizes]
    return [name, told.dataset, *sizes, told.metric, told.relevance]


def rows() -> list[list[Any]]:
    """All protocols under `HEAD`, by dataset."""
    ordered = sorted(PROTOCOLS.items(), key=lambda item: item[1].dataset)
    return [row(name, told) for name, told in ordered]


def facts_of(name: str, told: Protocol) -> dict[str, Any]:
    """All that the protocol NAME says, and whether it can be measured yet, for machines."""
    return {"name": name, **told.model_dump(mode="json"), "refusal": refusal(told)}


def told_of(name: str, told: Protocol) -> dict[str, Any]:
    """The protocol NAME for a person."""
    measures = {word: measure(word).kind.definition for word in told.measures}
    return {
        "name": name,
        "dataset": told.dataset,
        **{one: picked(getattr(told, one), told.objects) for one in SETS},
        "sizes as stated": sizes(told),
        "relevant": told.relevance,
        "tree": ", ".join(
            f"{name} in {' and '.join(above(name, told.parents))}" for name in told.parents
        ),
        "own picture": told.own.replace("_", " "),
        **measures,
        "defined by": told.defined,
        "note": told.note,
        "not measured yet": refusal(told),
    }


def refusal(told: Protocol) -> str:
    """Why the protocol TOLD cannot be measured yet; empty where it can."""
    why = RELEVANCES[told.relevance].refusal or measure(told.metric).kind.refusal
    return f"It {why.rstrip('.')}." if why else ""


def picked(pick: Pick | None, objects: str = "") -> str:
    """Which pictures, or OBJECTS in them, PICK takes, in words."""
    if pick is None:
        return "none of this dataset"
    of = f"{objects} of " if objects in ("boxes", "grid") else ""
    words = [of + (" and ".join(pick.splits) or "all splits")]
    if pick.labels != "all":
        words.append("with a label" if pick.labels == "some" else f"of {pick.labels} labels")
    if pick.each:
        words.append(f"{pick.each:,} drawn of each label")
    if pick.count:
        words.append(f"{pick.count:,} drawn")
    if pick.without:
        words.append(f"without {' and '.join(pick.without)}")
    return ", ".join(words)


def sizes(told: Protocol) -> str:
    """The sizes of the sets as papers state them: queries / database / train."""
    if not any(told.sizes):
        return ""
    return " / ".join(f"{size:,}" if size else "–" for size in told.sizes)


def page() -> str:
    """The page docs/protocols.md."""
    parts = [
        "# Protocols and measures",
        f"Written by `{COMMAND}` from `data/protocols/` and `models/measures.py`: change those, "
        "not this.",
        "A number is worth what stands beside it: which pictures asked, which answered, what "
        "counted as right, and by what it was divided. A *protocol* says all of that under one "
        "name. `evaluate: {protocol: NAME}` in a recipe measures by it, and its name stands with "
        "each number in the ledger, the report and the lineage of the index version.",
        "No query is in the database, unless *own picture* says so: left out of the query's "
        "answers by its key, or counted. Sets that nobody published are drawn from a seed "
        "(`data/protocols/draw.py`), kept in the store, pinned, and named by the index version. "
        "`nightjar protocols NAME --sets RECIPE --out FILE` writes them down. Some protocols are "
        "of datasets whose adapters are still to come, and one is judged by people: these are "
        "refused when a recipe names them. Those of captions ask with sentences for pictures, and "
        "with pictures for sentences, by an encoder that has a tower for text.",
        "## Measures",
        "K is a number. The range begins at 0. *all ranks* are looked at exactly, whatever the "
        "size of the database; where Hamming distances tie, a measure is its expectation over all "
        "orders of the ties. Queries without a relevant picture are left out, and counted.",
        markdown_table(
            ("measure", "is", "up to", "looks at", "needs", "source"),
            (_measure(name, kind) for name, kind in MEASURES.items()),
        ),
        "`map@K[hits]` may fall when a ranking gets better, and is worth up to 3.6 times "
        "`map@K[min]` on the same ranking: numbers of different names are not to be compared.",
        "## Protocols",
    ]
    for dataset in sorted({told.dataset for told in PROTOCOLS.values()}):
        ours = {name: told for name, told in PROTOCOLS.items() if told.dataset == dataset}
        parts += [f"### {dataset}", markdown_table(PAGE, _lines(ours.items()))]
    return "\n\n".join(parts) + "\n"


def _lines(protocols: Iterable[tuple[str, Protocol]]) -> Iterable[list[Any]]:
    for name, told in protocols:
        yield [
            name,
            *(picked(getattr(told, one), told.objects) for one in SETS),
            sizes(told),
            told.relevance,
            told.own.replace("_", " "),
            told.metric,
            ", ".join(told.also),
            told.defined,
            " ".join(filter(None, (told.note, refusal(told)))),
        ]


def _measure(name: str, kind: Kind) -> list[Any]:
    depth = {"K": "K ranks", "all": "all ranks", "1": "the first rank", "4": "four ranks"}
    highest = f"{kind.highest:g}" if kind.highest < float("inf") else "by grades"
    needs = {"grades": "grades", "hamming": "binary codes"}
    wanted = ", ".join(needs[need] for need in sorted(kind.needs)) or "relevant or not"
    if kind.refusal:
        wanted = f"not measured yet: it {kind.refusal}"
    return [name, kind.definition, highest, depth[kind.depth], wanted, kind.source]
