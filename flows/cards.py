"""The datasets in words: the table of all, one card in full, and the page docs/datasets.md."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from data.adapters import DATASETS
from data.adapters.card import Card, Source
from data.protocols import PROTOCOLS, protocols_of

COMMAND: Final = "nightjar datasets --markdown > docs/datasets.md"
"""Writes the page anew."""

HEAD: Final = ("name", "pictures", "says", "access", "verified on", "about")

FILES: Final = ("file", "holds", "form", "splits", "bytes", "digest", "from")

FEW: Final = 3
"""Files that hold the same are named one by one up to so many."""


def cards() -> list[Card]:
    """The cards of all adapters, by name."""
    return [DATASETS[name].card for name in sorted(DATASETS)]


def row(card: Card) -> list[Any]:
    """CARD as a line under `HEAD`."""
    return [
        card.name,
        card.pictures or None,
        ", ".join(card.says),
        card.access,
        card.verified,
        card.about,
    ]


def facts_of(card: Card) -> dict[str, Any]:
    """All that is said on CARD and all that follows from it, for machines."""
    return card.model_dump(mode="json") | {
        "annotations": card.annotations,
        "supervisions": [str(word) for word in card.supervisions],
        "pictures": card.pictures,
        "protocols": {
            name: PROTOCOLS[name].model_dump(mode="json") for name in protocols_of(card.name)
        },
    }


def told(card: Card) -> dict[str, Any]:
    """CARD for a person: name and words a line, without its files."""
    return {
        "name": card.name,
        "about": card.about,
        "labels": card.labels,
        "says": ", ".join(card.says),
        "splits": ", ".join(f"{name} {count:,}" for name, count in card.splits.items()),
        "supervisions": ", ".join(card.supervisions),
        "retrieval types": ", ".join(card.retrievals),
        "protocols": ", ".join(
            f"{name} ({PROTOCOLS[name].metric})" for name in protocols_of(card.name)
        ),
        "cite": card.cite,
        "home": card.home,
        "licence": card.licence,
        "terms": card.terms,
        "access": card.access,
        "to ask for": card.ask,
        "layout": card.layout,
        "verified on": card.verified + (f": {card.proof}" if card.proof else ""),
        "traps": " ".join(card.traps),
    }


def file_rows(card: Card) -> list[list[Any]]:
    """The files of CARD as lines under `FILES`, or a line for many that hold the same.

    None where nobody says.
    """
    return [line for lines in _alike(card.sources) for line in _lines(lines)]


def page() -> str:
    """The page docs/datasets.md."""
    parts = [
        "# Datasets",
        "Written by `" + COMMAND + "` from the cards in `data/adapters/`: change those, not this.",
        "A dataset is read in the layout in which its publisher hands it out. "
        "`nightjar download NAME` gets what is open and says whom to ask for the rest; "
        "`nightjar datasets NAME` shows a card. *Verified on* says what the adapter was tried on: "
        "`real files`, a `part of the real files`, or a `miniature` that the tests build in the "
        "documented layout, where no real file could be had. How papers measure on them, name by "
        "name, is said in [protocols](protocols.md).",
        markdown_table(HEAD, map(row, cards())),
    ]
    for card in cards():
        parts.append(f"## {card.name}")
        facts = {name: words for name, words in told(card).items() if words and name != "name"}
        parts.append("\n".join(f"- **{name}**: {words}" for name, words in facts.items()))
        if card.sources:
            parts.append(markdown_table(FILES, file_rows(card)))
    return "\n\n".join(parts) + "\n"


def _alike(sources: Iterable[Source]) -> list[list[Source]]:
    """SOURCES that follow each other and hold the same, together."""
    groups = groupby(sources, lambda source: (source.holds, source.form, source.splits))
    return [list(group) for _, group in groups]


def _lines(sources: Sequence[Source]) -> list[list[Any]]:
    if len(sources) <= FEW:
        return [_line(source.name, [source]) for source in sources]
    return [_line(f"{sources[0].name} … {sources[-1].name} ({len(sources):,} files)", sources)]


def _line(name: str, sources: Sequence[Source]) -> list[Any]:
    first = sources[0]
    whole = all(source.bytes for source in sources)
    return [
        name,
        first.holds,
        first.form,
        ", ".join(first.splits),
        sum(source.bytes for source in sources) if whole else None,
        _digest(first) if len(sources) == 1 else "",
        _origin(sources) or "by agreement",
    ]


def _origin(sources: Sequence[Source]) -> str:
    """Where SOURCES lie: the address of one, the folder of many."""
    url = sources[0].url
    return url if len(sources) == 1 else url.rpartition("/")[0] + "/" * bool(url)


def _digest(source: Source) -> str:
    if source.sha256:
        return f"sha256 {source.sha256}"
    return f"md5 {source.md5}" if source.md5 else "published beside it" * bool(source.md5_url)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """ROWS under HEAD as a table of Markdown."""
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")
