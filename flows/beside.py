"""The tables that a dataset has beside its pictures, as text."""

import io
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import yaml

from data.adapters import DATASETS, open_dataset
from data.adapters.base import Dataset
from data.taxonomy import choose

KEY = "key"


def batches(name: str, table: str, root: str, options: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of TABLE of the dataset NAME at ROOT, with OPTIONS written as ``WORD=VALUE``.

    Raises:
        ValueError: there is no such dataset, table or option; names the choices.
    """
    said = {}
    for option in options:
        word, equals, value = option.partition("=")
        if not equals:
            raise ValueError(f"option {option!r} should be WORD=VALUE.")
        said[word] = yaml.safe_load(value)
    dataset = open_dataset(name, root, said)
    tables = dataset.tables()
    if not tables:
        having = [one for one, kind in DATASETS.items() if kind.tables is not Dataset.tables]
        raise ValueError(f"{name} has no tables: {' and '.join(sorted(having))} have.")
    return choose(tables, table, f"table of {name}")()


class Wanted:
    """The rows of KEYS, and which of these had none."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = list(dict.fromkeys(key for key in map(str.strip, keys) if key))
        self.array = pa.array(self.keys, pa.string())
        self.met: set[str] = set()

    def of(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of BATCH whose key is wanted.

        Raises:
            ValueError: the table has no keys.
        """
        if KEY not in batch.schema.names:
            raise ValueError(
                f"The table has no column {KEY}; it has {', '.join(batch.schema.names)}."
            )
        rows = batch.filter(pc.is_in(batch[KEY], value_set=self.array))
        self.met.update(rows[KEY].to_pylist())
        return rows

    def lost(self) -> list[str]:
        """The keys that no batch had."""
        return [key for key in self.keys if key not in self.met]


def csv(some: Iterable[pa.RecordBatch]) -> Iterator[str]:
    """SOME batches as CSV with one line of names."""
    for number, batch in enumerate(some):
        out = io.BytesIO()
        pyarrow.csv.write_csv(batch, out, pyarrow.csv.WriteOptions(include_header=not number))
        yield out.getvalue().decode()
