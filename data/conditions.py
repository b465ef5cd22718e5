"""Conditions on rows, as they are understood, and the SQL that says the same."""

from dataclasses import dataclass
from typing import Literal

from data.columns import FIELDS, Operator, Value, sql_of


class BadWhere(ValueError):
    """A condition that cannot be read; its message shows where.

    Args:
        what: is wrong, a sentence.
        text: the condition.
        place: where in it, counted from 0.
    """

    def __init__(self, what: str, text: str, place: int) -> None:
        start = max(0, place - 50)
        shown = "".join(
            char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
            for char in text[start : place + 30]
        )
        super().__init__(f"{what}\n  {shown}\n  {' ' * (place - start)}^")
        self.place = place


@dataclass(frozen=True)
class Comparison:
    """FIELD compared with VALUES, or the opposite of it."""

    field: str
    operator: Operator
    values: tuple[Value, ...] = ()
    negated: bool = False

    def sql(self) -> str:
        """As SQL that is true or false for every row."""
        said = sql_of(FIELDS[self.field], self.operator, self.values)
        if not self.negated:
            return said
        # no NOT before a parenthesis: nested, each of them doubles the time of Lance's parser
        return said.removeprefix("NOT ") if said.startswith("NOT ") else f"NOT {said}"


@dataclass(frozen=True)
class Several:
    """PARTS of which all must hold, or any."""

    word: Literal["and", "or"]
    parts: tuple["Comparison | Several", ...]

    def sql(self) -> str:
        """As SQL that is true or false for every row."""
        return f" {self.word.upper()} ".join(f"({part.sql()})" for part in self.parts)


@dataclass(frozen=True)
class Where:
    """A condition that rows may satisfy.

    Args:
        text: as a person wrote it.
        tree: as it is understood.
    """

    text: str
    tree: Comparison | Several

    @property
    def fields(self) -> frozenset[str]:
        """The fields that are compared."""
        return frozenset(one.field for one in comparisons(self.tree))

    @property
    def listed(self) -> bool:
        """Whether an index knows all of them by itself."""
        return all(FIELDS[name].listed for name in self.fields)

    def sql(self) -> str:
        """As SQL for the columns of an index, or of a manifest, true or false for every row."""
        return self.tree.sql()


def both(one: Where | None, other: Where | None) -> Where | None:
    """What is satisfied by rows that satisfy ONE and OTHER, where both are said."""
    if one is None or other is None:
        return one or other
    text = f"({one.text}) and ({other.text})"
    return Where(text, Several("and", (one.tree, other.tree)))


def comparisons(tree: Comparison | Several) -> list[Comparison]:
    """The comparisons of TREE, from left to right."""
    if isinstance(tree, Comparison):
        return [tree]
    return [one for part in tree.parts for one in comparisons(part)]
