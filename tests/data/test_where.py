"""A condition leaves the rows that a loop over all of them would, and nothing else reaches SQL."""

import re
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.columns import FIELDS
from data.conditions import BadWhere, both, comparisons
from data.manifest import MANIFEST
from data.where import DEEPEST, LONGEST, MOST, VALUES, labelled, where
from tests.data.said import CONDITIONS, WORDS, Holds, drawn, quoted

APOSTROPHE = "'"
Row = dict[str, Any]
Table = tuple[lance.LanceDataset, list[Row]]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """Rows in Lance, and the same in a list."""
    rows = drawn(150)
    path = tmp_path_factory.mktemp("where") / "rows.lance"
    return lance.write_dataset(pa.Table.from_pylist(rows, MANIFEST), str(path)), rows


def left(table: Table, sql: str) -> list[str]:
    """The keys of the rows that Lance leaves."""
    keys: list[str] = table[0].scanner(["key"], filter=sql).to_table()["key"].to_pylist()
    return keys


def looped(table: Table, holds: Holds) -> list[str]:
    """The keys of the rows that a loop leaves."""
    return [row["key"] for row in table[1] if holds(row)]


@given(CONDITIONS)
def test_a_condition_leaves_the_rows_that_a_loop_leaves(
    table: Table, said: tuple[str, Holds]
) -> None:
    text, holds = said
    if text.count("(") > DEEPEST:  # may be deeper than is read
        return
    read = where(text)
    assert left(table, read.sql()) == looped(table, holds), text


def test_and_binds_closer_than_or_and_not_closer_still(
    table: Table,
) -> None:
    def has(word: str, row: Row) -> bool:
        return word in (row["labels"] or [])

    for text, holds in (
        (
            "label=cat or label=dog and label=Cat",
            lambda r: has("cat", r) or (has("dog", r) and has("Cat", r)),
        ),
        ("not label=cat and label=dog", lambda r: not has("cat", r) and has("dog", r)),
        ("not (label=cat or label=dog)", lambda r: not (has("cat", r) or has("dog", r))),
        ("not not label=cat", lambda r: has("cat", r)),
        ("label not in (cat, dog)", lambda r: not (has("cat", r) or has("dog", r))),
        ("label is not none", lambda r: bool(r["labels"])),
    ):
        assert left(table, where(text).sql()) == looped(table, holds), text


@given(st.text(max_size=60))
@example("label = 'a' or 1=1; --")
@example('label = "\' OR 1=1 --"')
@example("label = a\\'; DROP")
@example("label in ('), (', ''')")
def test_nothing_but_quoted_literals_and_our_own_words_reaches_sql(text: str) -> None:
    for read in (where, labelled):
        try:
            sql = read(text).sql()
        except BadWhere:
            continue
        assert_safe(sql)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
@example("' OR 1=1 --")
@example("\\' OR 1=1 --")
@example("\0")
def test_any_text_is_a_value_and_found_by_it(value: str) -> None:
    read = where(f"label = {quoted(value)} and not key in ({quoted(value, APOSTROPHE)})")
    assert [one.values for one in comparisons(read.tree)] == [(value,), (value,)]
    assert_safe(read.sql())


def assert_safe(sql: str) -> None:
    """Hold SQL to be of our own words and of literals within quotes."""
    bare = re.sub(r"'(?:[^']|'')*'", "?", sql)
    assert re.fullmatch(r"[a-zA-Z_0-9 ()<>=,?]*", bare), bare
    known = set(
        [
            "coalesce",
            "false",
            "array_has",
            "array_has_any",
            "make_array",
            "array_to_string",
            "chr",
            "contains",
            "lower",
            "array_length",
            "AND",
            "OR",
            "NOT",
            "IN",
            "IS",
            "NULL",
        ]
    )
    columns = {field.column for field in FIELDS.values()}
    assert set(re.findall(r"[a-zA-Z_]+", bare)) <= known | columns


def test_hostile_literals_are_only_literals(tmp_path: Path) -> None:
    hostile = [*WORDS, "\0", "$1", "?", ":name", "/*", "\\'", "\\", "`", "\u2028", "😀", "a" * 5000]
    rows = [{"key": str(n), "labels": [word]} for n, word in enumerate(hostile)]
    schema = pa.schema([MANIFEST.field("key"), MANIFEST.field("labels")])
    dataset = lance.write_dataset(pa.Table.from_pylist(rows, schema), str(tmp_path / "t.lance"))
    for number, word in enumerate(hostile):
        sql = where(f"label = {quoted(word)}").sql()
        assert dataset.scanner(["key"], filter=sql).to_table()["key"].to_pylist() == [str(number)]


# --- how large a condition may be ----------------------------------------------------------------


def test_as_deep_and_as_long_as_may_be_is_answered(
    table: Table,
) -> None:
    deep = "label = cat"
    for level in range(DEEPEST):
        deep = f"not ({deep} {'and' if level % 2 else 'or'} split = test and tag = dog)"
    assert 0 <= len(left(table, where(deep).sql())) <= 150
    either = " or ".join(f"label = {quoted(f'dog {n}')}" for n in range(MOST - 1))
    several = f"{either} or label = dog"
    assert left(table, where(several).sql()) == left(table, where("label = dog").sql())
    values = ", ".join(map(str, range(VALUES)))
    assert left(table, where(f"width in ({values})").sql()) == left(
        table, where("width is not none").sql()
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(" * (DEEPEST + 1) + "label = a", f"{DEEPEST} deep in each other"),
        ("not (" * 1900 + "label = a", f"{DEEPEST} deep in each other"),
        (" or ".join(["label = a"] * (MOST + 1)), f"{MOST} comparisons at most"),
        (f"width in ({','.join('1' * (VALUES + 1))})", "1,000 values at most"),
        ("label = " + "a" * LONGEST, "10,000 characters at most, and this one 10,008"),
    ],
)
def test_what_is_too_large_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadWhere, match=re.escape(says)):
        where(text)


def test_many_nots_are_as_good_as_one_or_none() -> None:
    assert where("not " * 2001 + "label = a").sql() == where("not label = a").sql()


# --- what cannot be read -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("", 0, "a field is expected, one of label, tag"),
        ("   ", 3, "a field is expected"),
        ("label", 5, "After 'label' there is one of =, !=, ~, in, is"),
        ("label cat", 6, "After 'label' there is one of"),
        ("lable = cat", 0, "Unknown field 'lable': choose from .* Did you mean 'label'"),
        ("label =", 7, "a value of label is expected"),
        ("label = polar bear", 14, "Write a value of several words in quotes"),
        ("label = and", 8, "'and' is a value within quotes"),
        ("label = 'cat", 8, "ends with the quote it begins with"),
        ("(label = cat", 12, "'and', 'or' or '\\)' is expected"),
        ("label = cat)", 11, "'and', 'or' or the end"),
        ("label ! cat", 6, "Write != or not"),
        ("label < 3", 6, "After 'label' there is one of =, !=, ~, in"),
        ("width ~ 3", 6, "After 'width' there is one of =, !=, <, <=, >, >=, in"),
        ("width > wide", 8, "'wide' is no whole number: write 640"),
        ("width > 1.5", 8, "'1.5' is no whole number"),
        ("width > -1", 8, "'-1' is no whole number"),
        ("width > ٣", 8, "no whole number"),
        ("bytes > 99999999999G", 8, "too large a number"),
        ("time > soon", 7, "'soon' is no time: write 2026"),
        ("time > 2026-13-01", 7, "is no time"),
        ("time > 1066", 7, "no time from 1970 to 2261"),
        ("label in cat", 9, "After 'in' there is a list"),
        ("label in (cat dog)", 14, "',' or '\\)' is expected"),
        ("label in ()", 10, "a value of label is expected"),
        ("label not cat", 10, "After a field and 'not' there is 'in'"),
        ("split is test", 9, "After 'is' there is 'none'"),
        ("label ~ ''", 8, "what a text may contain"),
        ("label = cat or", 14, "a field is expected"),
        ("split = \udc80", 8, "no text that UTF-8 can hold"),
        ("; DROP TABLE", 0, "Unknown field ';'"),
    ],
)
def test_what_cannot_be_read_says_where_and_what_could_stand_there(
    text: str, place: int, says: str
) -> None:
    with pytest.raises(BadWhere, match=says) as found:
        where(text)
    assert found.value.place == place
    shown, mark = str(found.value).splitlines()[-2:]
    assert mark == " " * (2 + place) + "^"
    assert shown.startswith("  ")


def test_of_a_long_condition_the_place_alone_is_shown() -> None:
    with pytest.raises(BadWhere) as found:
        where(" or ".join(["label = cat"] * 50) + " or oops = 3")
    shown, mark = str(found.value).splitlines()[-2:]
    assert shown[mark.index("^") :].startswith("oops = 3")
    assert len(shown) < 100


# --- labels alone --------------------------------------------------------------------------------


def test_labels_alone_are_an_expression_of_labels(
    table: Table,
) -> None:
    read = labelled('dog and not (cat or "polar bear")')
    assert read.fields == {"label"}
    assert read.listed

    def holds(row: Row) -> bool:
        has = row["labels"] or []
        return "dog" in has and not ("cat" in has or "polar bear" in has)

    assert left(table, read.sql()) == looped(table, holds)
    assert left(table, labelled("'and' or width").sql()) == left(table, where("label='and'").sql())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dog = cat", "Labels are not compared: '=' is for --where"),
        ("dog cat", "Write a value of several words in quotes"),
        ("not", "a label is expected"),
        ("", "a label is expected"),
        ("dog and or cat", "'or' is a value within quotes"),
    ],
)
def test_labels_that_cannot_be_read_are_refused(text: str, says: str) -> None:
    with pytest.raises(BadWhere, match=says):
        labelled(text)


def test_two_conditions_are_one() -> None:
    one, other = where("width > 3"), labelled("dog")
    assert both(None, None) is None
    assert both(one, None) == one
    assert both(None, other) == other
    together = both(one, other)
    assert together is not None
    assert together.fields == {"width", "label"}
    assert not together.listed
    assert where(together.text.replace("(dog)", "(label = dog)")).tree == together.tree
