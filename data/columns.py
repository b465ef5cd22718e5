"""What may be asked of a row in words: the fields of a condition, and the SQL of one comparison.

SQL is made here and nowhere else, of the names of our own columns and of values that were parsed:
whole numbers, and texts within quotes that are doubled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from data.taxonomy import unknown

Kind = Literal["texts", "text", "number", "time"]
Operator = Literal["=", "!=", "~", "<", "<=", ">", ">=", "in", "none"]
Value = str | int | tuple[int, int]
"""A text, a number, or a stretch of time: the first nanosecond, and the first after it."""

OPERATORS: Final[Mapping[Kind, tuple[Operator, ...]]] = {
    "texts": ("=", "!=", "~", "in", "none"),
    "text": ("=", "!=", "~", "in", "none"),
    "number": ("=", "!=", "<", "<=", ">", ">=", "in", "none"),
    "time": ("=", "!=", "<", "<=", ">", ">=", "in", "none"),
}
"""What a field can be asked by its kind."""


@dataclass(frozen=True)
class Field:
    """Something that a condition compares.

    Args:
        column: where it stands.
        kind: what it is: a list of texts, any of which may fit, a text, a whole number, a time.
        about: what it is, for a person.
        listed: whether it stands in the index itself; else the manifest alone knows it.
    """

    column: str
    kind: Kind
    about: str
    listed: bool = True


FIELDS: Final[Mapping[str, Field]] = {
    "label": Field("labels", "texts", "a label of the image"),
    "tag": Field("tags", "texts", "a tag"),
    "caption": Field("captions", "texts", "a caption"),
    "split": Field("split", "text", "its split"),
    "key": Field("key", "text", "its key"),
    "uri": Field("uri", "text", "where its file lay"),
    "digest": Field("digest", "text", "SHA-256 of its bytes"),
    "width": Field("width", "number", "in pixels", listed=False),
    "height": Field("height", "number", "in pixels", listed=False),
    "bytes": Field("size", "number", "of its file", listed=False),
    "time": Field("mtime", "time", "when its file was last written, UTC", listed=False),
    "since": Field("since", "number", "the dataset version that last wrote it", listed=False),
    "run": Field("run", "text", "the run that last wrote it", listed=False),
}
"""By the word that a person says."""

ALSO: Final[Mapping[str, str]] = {
    "labels": "label",
    "tags": "tag",
    "captions": "caption",
    "size": "bytes",
    "mtime": "time",
}
"""Other words for a field: those of the columns."""

SEPARATOR: Final = "\x1f"
"""Stands between the texts of a list where all of them are looked through."""

_UNITS: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_LARGEST: Final = 2**63 - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def field_of(word: str) -> str:
    """The field that WORD means.

    Raises:
        ValueError: there is none.
    """
    name = ALSO.get(word.lower(), word.lower())
    if name not in FIELDS:
        raise ValueError(unknown("field", word, FIELDS))
    return name


def value_of(field: Field, text: str) -> Value:
    """What TEXT is as a value of FIELD.

    Raises:
        ValueError: it is none; says what would be.
    """
    if field.kind == "number":
        return _number(text)
    if field.kind == "time":
        return _stretch(text)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!r} is no text that UTF-8 can hold.") from error
    return text


def sql_of(field: Field, operator: Operator, values: Sequence[Value]) -> str:
    """The SQL of one comparison, true or false for every row: where nothing is known it is false.

    ``!=`` is true where ``=`` is not, so of a list it says that none of its texts is the value.
    """
    if operator == "none":
        return _nothing(field)
    if operator == "!=":
        return f"NOT {sql_of(field, '=', values)}"
    if field.kind == "texts":
        said = _of_texts(field.column, operator, values)
    elif field.kind == "time":
        said = " OR ".join(_of_time(field.column, operator, value) for value in values)
        said = f"{field.column} > 0 AND ({said})"
    elif operator == "~":
        said = _contains(field.column, values[0])
    elif operator == "in":
        said = f"{field.column} IN ({', '.join(literal(value) for value in values)})"
    else:
        said = f"{field.column} {operator} {literal(values[0])}"
    return f"coalesce({said}, false)"


def literal(value: Value) -> str:
    """VALUE, a number or a text, as SQL.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    raise TypeError(f"{value!r} is no literal.")


def _of_texts(column: str, operator: Operator, values: Sequence[Value]) -> str:
    if operator == "~":
        return _contains(f"array_to_string({column}, chr({ord(SEPARATOR)}))", values[0])
    if operator == "in":
        return f"array_has_any({column}, make_array({', '.join(map(literal, values))}))"
    return f"array_has({column}, {literal(values[0])})"


def _contains(whole: str, value: Value) -> str:
    """Whether WHOLE, an expression, contains VALUE, large letters and small being the same."""
    return f"contains(lower({whole}), lower({literal(value)}))"


def _of_time(column: str, operator: Operator, value: Value) -> str:
    """A stretch of time compared: before and after are those of all of it."""
    if not isinstance(value, tuple):
        raise TypeError(f"{value!r} is no stretch of time.")
    first, after = value
    return {
        "<": f"{column} < {first}",
        "<=": f"{column} < {after}",
        ">": f"{column} >= {after}",
        ">=": f"{column} >= {first}",
    }.get(operator, f"({column} >= {first} AND {column} < {after})")


def _nothing(field: Field) -> str:
    """Whether nothing is known."""
    if field.kind == "texts":
        return f"coalesce(array_length({field.column}), 0) = 0"
    if field.kind == "text":
        return f"coalesce({field.column}, '') = ''"
    if field.kind == "time":
        return f"coalesce({field.column}, 0) <= 0"
    return f"{field.column} IS NULL"


def _number(text: str) -> int:
    digits = text.rstrip("kKmMgG")
    unit = text[len(digits) :].lower()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and unit in _UNITS):
        raise ValueError(f"{text!r} is no whole number: write 640, or 100k, 2M, 1G.")
    number = int(digits) * _UNITS[unit]
    if number > _LARGEST:
        raise ValueError(f"{text!r} is too large a number: the largest is {_LARGEST}.")
    return number


def _stretch(text: str) -> tuple[int, int]:
    """The stretch of time that TEXT names: a year, month, day, minute or second, in UTC."""
    for form, grows in _FORMS:
        try:
            begin = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if not 1970 <= begin.year < 2262:  # what nanoseconds since 1970 can say
            raise ValueError(f"{text!r} is no time from 1970 to 2261.")
        return _nanoseconds(begin), _nanoseconds(grows(begin))
    raise ValueError(
        f"{text!r} is no time: write 2026, 2026-01, 2026-01-31 or 2026-01-31T12:00, in UTC."
    )


def _nanoseconds(moment: datetime) -> int:
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9


def _next_month(moment: datetime) -> datetime:
    return (moment.replace(day=28) + timedelta(days=4)).replace(day=1)


_FORMS: Final = (
    ("%Y-%m-%dT%H:%M:%S", lambda moment: moment + timedelta(seconds=1)),
    ("%Y-%m-%dT%H:%M", lambda moment: moment + timedelta(minutes=1)),
    ("%Y-%m-%d", lambda moment: moment + timedelta(days=1)),
    ("%Y-%m", _next_month),
    ("%Y", lambda moment: moment.replace(year=moment.year + 1)),
)
"""How a time is written, and what its stretch ends at."""
