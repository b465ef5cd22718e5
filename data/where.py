"""Conditions as a person writes them: ``label = cat and not (split = test or width < 64)``.

    condition  = all, {"or", all}
    all        = part, {"and", part}
    part       = {"not"}, ("(", condition, ")" | comparison)
    comparison = FIELD, ("=" | "!=" | "~" | "<" | "<=" | ">" | ">="), VALUE
               | FIELD, ["not"], "in", "(", VALUE, {",", VALUE}, ")"
               | FIELD, "is", ["not"], "none"

Where labels alone are asked for, a comparison is a VALUE by itself: a label.

A FIELD is a word of `data.columns.FIELDS`. A VALUE is a word, or any text within double or single
quotes, in which a backslash lets the character after it stand for itself. Words that have a meaning
(and, or, not, in, is, none) are values within quotes only; they, and fields, may be in capitals.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from data.columns import FIELDS, OPERATORS, SEPARATOR, Value, field_of, value_of
from data.conditions import BadWhere, Comparison, Several, Where

LONGEST: Final = 10_000
"""Characters of a condition."""
DEEPEST: Final = 16
"""Parentheses within each other."""
MOST: Final = 200
"""Comparisons."""
VALUES: Final = 1000
"""Values of one ``in``."""

_TOKEN: Final = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<mark>!=|<=|>=|[=<>~(),])"""
    r"""|(?P<word>[^\s()=,!<>~"'][^\s()=,!<>~]*)""",
    re.DOTALL,
)
_WORDS: Final = ("and", "or", "not", "in", "is", "none")
_CLOSED: Final = "A text within quotes ends with the quote it begins with, and this one does not."


def where(text: str) -> Where:
    """The condition that TEXT means.

    Raises:
        BadWhere: it means none; says where it goes wrong, and what could stand there.
    """
    return Where(text, _Reader(text, labels=False).whole())


def labelled(text: str) -> Where:
    """The condition that TEXT means, an expression of labels: ``dog and not (cat or car)``.

    Raises:
        BadWhere: it means none; says where it goes wrong, and what could stand there.
    """
    return Where(text, _Reader(text, labels=True).whole())


@dataclass(frozen=True)
class _Token:
    kind: str
    """``word``, ``quoted``, ``mark``, ``end``, or the word that has a meaning."""
    text: str
    place: int


class _Reader:
    """Reads one condition, from its beginning to its end."""

    def __init__(self, text: str, labels: bool) -> None:
        self.text, self.labels = text, labels
        if len(text) > LONGEST:
            raise BadWhere(
                f"A condition has {LONGEST:,} characters at most, and this one {len(text):,}.",
                text,
                LONGEST,
            )
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0
        self.compared = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.at]

    def whole(self) -> Comparison | Several:
        found = self._any(negated=False)
        if self.next.kind != "end":
            hint = " Write a value of several words in quotes." * (self.next.kind == "word")
            raise self._wrong(f"Here 'and', 'or' or the end is expected.{hint}")
        return found

    def _any(self, negated: bool) -> Comparison | Several:
        return self._joined("or", self._all, negated)

    def _all(self, negated: bool) -> Comparison | Several:
        return self._joined("and", self._part, negated)

    def _joined(
        self,
        word: Literal["and", "or"],
        part: Callable[[bool], Comparison | Several],
        negated: bool,
    ) -> Comparison | Several:
        """Parts with WORD between; negated each of them is, and the other word joins them."""
        parts = [part(negated)]
        while self.next.kind == word:
            self.at += 1
            parts.append(part(negated))
        if len(parts) == 1:
            return parts[0]
        other: Literal["and", "or"] = "and" if word == "or" else "or"
        return Several(other if negated else word, tuple(parts))

    def _part(self, negated: bool) -> Comparison | Several:
        while self.next.kind == "not":
            self.at += 1
            negated = not negated
        if self.next.text != "(" or self.next.kind != "mark":
            return self._label(negated) if self.labels else self._comparison(negated)
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._wrong(f"Parentheses may stand {DEEPEST} deep in each other, not deeper.")
        self.at += 1
        found = self._any(negated)
        self._mark(")", "Here 'and', 'or' or ')' is expected.")
        self.depth -= 1
        return found

    def _label(self, negated: bool) -> Comparison:
        self._count()
        value = self._value(lambda text: value_of(FIELDS["label"], text), "a label")
        if self.next.kind == "mark" and self.next.text not in "()":
            raise self._wrong(
                f"Labels are not compared: {self.next.text!r} is for --where. Write the labels "
                "themselves, with and, or, not between them."
            )
        return Comparison("label", "=", (value,), negated)

    def _comparison(self, negated: bool) -> Comparison:
        self._count()
        name = self._field()
        if self.next.kind == "is":
            self.at += 1
            negated ^= self._took("not")
            if not self._took("none"):
                raise self._wrong("After 'is' there is 'none' or 'not none'.")
            return Comparison(name, "none", (), negated)
        if self.next.kind in ("in", "not"):
            negated ^= self._took("not")
            if not self._took("in"):
                raise self._wrong("After a field and 'not' there is 'in'.")
            return Comparison(name, "in", self._values(name), negated)
        able = OPERATORS[FIELDS[name].kind]
        operator = next((one for one in able if one == self.next.text), None)
        if self.next.kind != "mark" or operator is None:
            marks = ", ".join(one for one in able if one not in ("in", "none"))
            raise self._wrong(f"After {name!r} there is one of {marks}, in, is.")
        self.at += 1
        if operator == "~" and (SEPARATOR in self.next.text or self.next.text == ""):
            raise self._wrong("After '~' there is what a text may contain.")
        value = self._value(lambda text: value_of(FIELDS[name], text), f"a value of {name}")
        return Comparison(name, operator, (value,), negated)

    def _field(self) -> str:
        token = self.next
        if token.kind != "word":
            raise self._wrong(f"Here a field is expected, one of {', '.join(FIELDS)}, or 'not'.")
        try:
            name = field_of(token.text)
        except ValueError as error:
            raise self._wrong(str(error)) from error
        self.at += 1
        return name

    def _values(self, name: str) -> tuple[Value, ...]:
        """The list of an ``in``."""
        self._mark("(", "After 'in' there is a list: (cat, dog).")
        values: list[Value] = []
        while True:
            value = self._value(lambda text: value_of(FIELDS[name], text), f"a value of {name}")
            values.append(value)
            if len(values) > VALUES:
                raise self._wrong(f"A list has {VALUES:,} values at most.")
            if self.next.text == "," and self.next.kind == "mark":
                self.at += 1
                continue
            self._mark(")", "Here ',' or ')' is expected.")
            return tuple(values)

    def _value(self, read: Callable[[str], Value], what: str) -> Value:
        token = self.next
        if token.kind not in ("word", "quoted"):
            hint = f" {token.text!r} is a value within quotes." * (token.kind in _WORDS)
            raise self._wrong(f"Here {what} is expected.{hint}")
        try:
            value = read(token.text)
        except ValueError as error:
            raise self._wrong(str(error)) from error
        self.at += 1
        return value

    def _count(self) -> None:
        self.compared += 1
        if self.compared > MOST:
            raise self._wrong(f"A condition has {MOST} comparisons at most; 'in' takes more.")

    def _took(self, kind: str) -> bool:
        """Whether a token of KIND was next; it is passed."""
        there = self.next.kind == kind
        self.at += there
        return there

    def _mark(self, mark: str, otherwise: str) -> None:
        if self.next.kind != "mark" or self.next.text != mark:
            raise self._wrong(otherwise)
        self.at += 1

    def _wrong(self, what: str) -> BadWhere:
        return BadWhere(what, self.text, self.next.place)


def _tokens(text: str) -> list[_Token]:
    """TEXT as tokens, an ``end`` last."""
    tokens: list[_Token] = []
    place = 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        found = _TOKEN.match(text, place)
        if found is None:
            quote = text[place] in "\"'"
            raise BadWhere(_CLOSED if quote else "Write != or not.", text, place)
        said, kind = found[0], str(found.lastgroup)
        if kind == "quoted":
            said = re.sub(r"\\(.)", r"\1", said[1:-1], flags=re.DOTALL)
        elif kind == "word" and said.lower() in _WORDS:
            kind = said.lower()
        tokens.append(_Token(kind, said, place))
        place = found.end()
    return [*tokens, _Token("end", "", len(text))]
