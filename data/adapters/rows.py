"""The rows of a CSV or Parquet file in batches, as they stand, from a disk or a URL."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

ROWS: Final = 50_000
"""Rows of Parquet in a batch."""

BLOCK: Final = 8 << 20
"""Bytes of CSV in a batch; a row must fit."""

_PACKED: Final = (".gz", ".bz2", ".zst")
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}


def column_names(path: str) -> list[str]:
    """The names of the columns of the list at PATH.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is neither CSV nor Parquet, or is broken; names the file.
    """
    try:
        with _opened(path) as file:
            if _suffix(path) == ".parquet":
                return list(pyarrow.parquet.read_schema(file).names)
            return list(_csv(path, file, {}).schema.names)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: {error}") from error


def row_batches(path: str, columns: Sequence[str], numbers: Sequence[str]) -> Iterator[Any]:
    """The COLUMNS of the list at PATH as record batches; of a CSV, all are text but the NUMBERS.

    Raises:
        ValueError: a row is not as long as the header, or not UTF-8, or says no number where one
            should be; names file and row.
    """
    try:
        with _opened(path) as file:
            if _suffix(path) == ".parquet":
                rows = pyarrow.parquet.ParquetFile(file)
                yield from rows.iter_batches(batch_size=ROWS, columns=list(columns))
                return
            kinds = {name: pa.int64() if name in numbers else pa.string() for name in columns}
            yield from _csv(path, file, kinds)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: {error}") from error


def _csv(path: str, file: Any, kinds: Mapping[str, pa.DataType]) -> Any:
    return pyarrow.csv.open_csv(
        file,
        read_options=pyarrow.csv.ReadOptions(block_size=BLOCK, use_threads=False),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=_DELIMITERS[_suffix(path)], newlines_in_values=True
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=kinds, include_columns=list(kinds), strings_can_be_null=False
        ),
    )


def _suffix(path: str) -> str:
    """What kind of list PATH is, by its name.

    Raises:
        ValueError: no kind that can be read.
    """
    name = path.lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    for suffix in (*_DELIMITERS, ".parquet"):
        if name.endswith(suffix):
            return suffix
    raise ValueError(f"{path} is no list that can be read: .csv, .tsv (also .gz) or .parquet.")


def _opened(path: str) -> AbstractContextManager[Any]:
    if _suffix(path) == ".parquet":
        return fsspec.open(path, "rb") if "://" in path else pa.OSFile(path)
    if "://" in path:
        return fsspec.open(path, "rb", compression="infer")
    return pa.input_stream(path, compression="detect")
