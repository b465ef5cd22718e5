"""Conditions written at random, each with what it means, and rows for them."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from data.columns import FIELDS, OPERATORS

Row = dict[str, Any]
Holds = Callable[[Row], bool]

WORDS = (
    "cat", "dog", "Cat", "dog's", "polar bear", "a\\b", "x'; DROP TABLE t; --", '"q"', "ünïcode",
    "İstanbul", "ΟΔΟΣ", "100%", "a_b", "new\nline", "\u0001", "''", "and", "none", "(", "日本", "",
)  # fmt: skip
DAY = 86_400 * 10**9
STAMPS = (0, 1, 1_700_000_000 * 10**9, 1_700_000_000 * 10**9 + 5, 20_000 * DAY, 20_000 * DAY - 1)
NUMBERS = (0, 1, 63, 64, 65, 1000, 2**31, 2**63 - 1)


def drawn(count: int) -> list[Row]:
    """COUNT rows in the columns of a manifest, with gaps, from a fixed seed."""
    rng = np.random.default_rng(7)

    def one(of: tuple[Any, ...]) -> Any:
        return of[rng.integers(len(of))]

    def some() -> list[str] | None:
        size = int(rng.integers(-1, 4))
        return None if size < 0 else [one(WORDS) for _ in range(size)]

    return [
        {
            "key": f"{one(WORDS)}/{number}", "uri": one((*WORDS, "")), "size": one(NUMBERS),
            "mtime": one(STAMPS), "etag": "", "labels": some(), "tags": some(),
            "captions": some(), "split": one((None, "", "test", "train")),
            "digest": one((None, "ab12")), "width": one((None, 63, 64, 65)),
            "height": one((None, *NUMBERS[:6])), "since": one((1, 2, 3)), "run": one(("a", "b")),
        }
        for number in range(count)
    ]  # fmt: skip


# --- conditions that are written at random, each with what it means ------------------------------


def quoted(value: str, quote: str = '"') -> str:
    escaped = value.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return f"{quote}{escaped}{quote}"


@st.composite
def written(draw: st.DrawFn, value: str) -> str:
    """VALUE as a person may write it."""
    plain = re.fullmatch(r"[^\W_]+", value) and value not in ("and", "none")
    if plain and draw(st.booleans()):
        return value
    return quoted(value, draw(st.sampled_from("\"'")))


@st.composite
def of_text(draw: st.DrawFn, name: str) -> tuple[str, Holds]:
    column, many = FIELDS[name].column, FIELDS[name].kind == "texts"

    def texts(row: Row) -> list[str]:
        said = row[column]
        return (said or []) if many else [] if said is None else [said]

    kind = draw(st.sampled_from(OPERATORS["text"]))
    if kind == "none":
        return f"{name} is none", lambda row: not row[column]
    if kind == "in":
        values = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3))
        listed = ", ".join([draw(written(value)) for value in values])
        return f"{name} in ({listed})", lambda row: any(t in values for t in texts(row))
    value = draw(st.sampled_from([word for word in WORDS if word or kind != "~"]))
    said = f"{name} {kind} {draw(written(value))}"
    if kind == "~":
        return said, lambda row: any(value.lower() in text.lower() for text in texts(row))
    return said, lambda row: (value in texts(row)) == (kind == "=")


COMPARED: dict[str, Callable[[int, int], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "=": lambda a, b: a == b,
}  # fmt: skip


@st.composite
def of_number(draw: st.DrawFn, name: str) -> tuple[str, Holds]:
    column = FIELDS[name].column
    kind = draw(st.sampled_from(OPERATORS["number"]))
    if kind == "none":
        return f"{name} is none", lambda row: row[column] is None
    if kind == "in":
        values = draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3))
        return f"{name} in ({', '.join(map(str, values))})", lambda row: row[column] in values
    number = draw(st.sampled_from(NUMBERS))
    said = f"{name} {kind} {number}"
    if kind == "!=":
        return said, lambda row: row[column] != number
    return said, lambda row: row[column] is not None and COMPARED[kind](row[column], number)


@st.composite
def of_time(draw: st.DrawFn) -> tuple[str, Holds]:
    written, first, after = draw(
        st.sampled_from(
            (
                ("2023-11-14T22:13:20", 1_700_000_000 * 10**9, 1_700_000_001 * 10**9),
                ("2024-10-04", 20_000 * DAY, 20_001 * DAY),
                ("2023", 19_358 * DAY, 19_723 * DAY),
                ("2024-02", 19_754 * DAY, 19_783 * DAY),
            )
        )
    )
    kind = draw(st.sampled_from(("<", "<=", ">", ">=", "=", "!=", "none")))
    if kind == "none":
        return "time is none", lambda row: row["mtime"] == 0

    def holds(row: Row) -> bool:
        moment = row["mtime"]
        return moment > 0 and {
            "<": moment < first,
            "<=": moment < after,
            ">": moment >= after,
            ">=": moment >= first,
        }.get(kind, first <= moment < after)

    return f"time {kind} {written}", holds if kind != "!=" else lambda row: not holds(row)


LEAVES = st.one_of(
    *(of_text(name) for name in ("label", "tag", "caption", "split", "key", "uri", "digest")),
    *(of_number(name) for name in ("width", "height", "bytes", "since")),
    of_time(),
)


@st.composite
def joined(draw: st.DrawFn, parts: st.SearchStrategy[tuple[str, Holds]]) -> tuple[str, Holds]:
    word = draw(st.sampled_from(("and", "or", "AND", "not")))
    if word == "not":
        text, holds = draw(parts)
        return f"not ({text})", lambda row: not holds(row)
    found = draw(st.lists(parts, min_size=2, max_size=3))
    several = all if word.lower() == "and" else any
    text = f" {word} ".join(f"({text})" for text, _ in found)
    return text, lambda row: several(holds(row) for _, holds in found)


CONDITIONS = st.recursive(LEAVES, joined, max_leaves=8)
