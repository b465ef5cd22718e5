"""Why no row satisfies a condition: the values in it that no row of the index has."""

import difflib
from typing import Final

import lance
import pyarrow as pa
import pyarrow.compute as pc

from data.columns import FIELDS
from data.conditions import Where, comparisons
from data.tables import STREAMED_ROWS, streamed

NAMED: Final = ("label", "tag", "split")
"""Fields whose values are words that many rows have."""


def unheld(dataset: lance.LanceDataset, condition: Where) -> list[str]:
    """A sentence for each label, tag and split that CONDITION asks for and no row of DATASET has.

    It says which value is spelt nearly so.
    """
    asked = [
        (one.field, str(value))
        for one in comparisons(condition.tree)
        if one.field in NAMED and one.operator in ("=", "in") and not one.negated
        for value in one.values
    ]
    held = {field: _values(dataset, FIELDS[field].column) for field in {name for name, _ in asked}}
    return [
        _sentence(field, value, held[field])
        for field, value in dict.fromkeys(asked)
        if value not in held[field]
    ]


def _values(dataset: lance.LanceDataset, column: str) -> set[str]:
    """The different values of COLUMN, a text or a list of texts."""
    found: set[str] = set()
    for batch in streamed(dataset, [column], STREAMED_ROWS):
        values = batch[column]
        if pa.types.is_list(values.type):
            values = values.flatten()
        found |= {value for value in pc.unique(values).to_pylist() if value}
    return found


def _sentence(field: str, value: str, held: set[str]) -> str:
    near = difflib.get_close_matches(value, sorted(held), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"None has the {field} {value!r}.{hint}"
