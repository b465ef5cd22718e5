"""The rows of a CSV or Parquet file in batches, as they stand, from a disk, a URL or an archive."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from data.adapters.archives import opened
from data.adapters.reading import member_of

ROWS: Final = 50_000
"""Rows of Parquet in a batch."""

BLOCK: Final = 1 << 20
"""Bytes of CSV in a batch; a row must fit. The reader runs ahead by 32 of them."""

_PACKED: Final = (".gz", ".bz2", ".zst")
_DELIMITERS: Final = {".csv": ",", ".tsv": "\t", ".txt": " "}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text file of rows is written, where it is not the usual CSV.

    Args:
        delimiter: between fields; none given: what the name says (a space in .txt).
        names: of the columns, for a file without a header; empty: its first row has them.
        quoted: whether a field may stand in quotes and then hold delimiters and ends of lines; in
            the logs of a service a quote is a letter like others.
        uneven: whether rows with too many or too few fields are passed over, counted and logged;
            else they are an error.
        longest: bytes that a row may have, where they are more than `BLOCK`; up to forty times as
            many are held in memory.
    """

    delimiter: str = ""
    names: tuple[str, ...] = ()
    quoted: bool = True
    uneven: bool = False
    longest: int = 0


USUAL: Final = Dialect()


def column_names(path: str, dialect: Dialect = USUAL) -> list[str]:
    """The names of the columns of the list at PATH.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is neither CSV nor Parquet, or is broken; names the file.
    """
    try:
        with _opened(path) as file:
            if _suffix(path) == ".parquet":
                return list(pyarrow.parquet.read_schema(file).names)
            return list(_csv(path, file, {}, _Passed(path, dialect)).schema.names)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: {error}") from error


def row_batches(
    path: str, kinds: Mapping[str, pa.DataType], dialect: Dialect = USUAL
) -> Iterator[pa.RecordBatch]:
    """The columns that KINDS names of the list at PATH as record batches, however long it is.

    A CSV's columns come as KINDS says: text (``pa.string()``, which must be UTF-8), numbers, or
    ``pa.binary()`` for what need not be text; those of a Parquet file as they are.

    Raises:
        ValueError: a column is not there, or a row is not as long as the header, or not UTF-8, or
            says no number where one should be; names file and column or row.
    """
    try:
        with _opened(path) as file:
            if _suffix(path) == ".parquet":
                rows, columns = pyarrow.parquet.ParquetFile(file), list(kinds)
                for group in range(
                    rows.num_row_groups
                ):  # of all at once Arrow would hold all bytes
                    yield from rows.iter_batches(ROWS, row_groups=[group], columns=columns)
                return
            passed = _Passed(path, dialect)
            yield from _csv(path, file, kinds, passed)
            passed.tell()
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise ValueError(f"{path}: {error}") from error


@dataclass(slots=True)
class _Passed:
    """What is to be done with uneven rows of a file, and those that were passed over."""

    path: str
    dialect: Dialect
    count: int = 0
    first: list[str] = field(default_factory=list)

    def __call__(self, row: Any) -> str:
        if not self.dialect.uneven:
            return "error"
        self.count += 1
        if not self.first:
            self.first.append(f"{row.actual_columns} fields for {row.expected_columns}: {row.text}")
        return "skip"

    def tell(self) -> None:
        """Log how many rows were passed over, and the first of them."""
        if self.count:
            log.warning(
                "%s: %d uneven rows passed over, first %.200s", self.path, self.count, self.first[0]
            )


def _csv(path: str, file: Any, kinds: Mapping[str, pa.DataType], passed: _Passed) -> Any:
    dialect = passed.dialect
    return pyarrow.csv.open_csv(
        file,
        read_options=pyarrow.csv.ReadOptions(
            block_size=max(dialect.longest, BLOCK),
            use_threads=False,
            column_names=dialect.names or None,
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=dialect.delimiter or _DELIMITERS[_suffix(path)],
            quote_char='"' if dialect.quoted else False,
            newlines_in_values=dialect.quoted,
            invalid_row_handler=passed,
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
    if member_of(path)[1]:
        return opened(path)
    if "://" in path:
        return fsspec.open(path, "rb", compression="infer")
    return pa.input_stream(path, compression="detect")
