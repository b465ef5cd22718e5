"""The lists that labelled pictures of products come in: as Caffe reads them, and tables.

Each gives a split's rows in batches of `ROWS`: path or URL as it is written, label, and where the
shape has them the product's id and title.
"""

from collections.abc import Iterator
from typing import Final

import fsspec
import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.archives import content_of
from data.adapters.rows import Dialect, column_names, row_batches

TABLES: Final = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
PATHS: Final = ("path", "url", "uri", "path_or_url")
ROWS: Final = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("path", "label", "product", "title")]
)

_LINES: Final = Dialect(delimiter="\x01", names=("line",), quoted=False)
_LINE: Final = r"^(?P<path>.*[^ \t])[ \t]+(?P<number>[0-9]{1,9})[ \t]*$"


def table_of(root: str, split: str) -> str:
    """Where the table of SPLIT lies in ROOT; empty where there is none."""
    fs, path = fsspec.url_to_fs(root)
    found = (suffix for suffix in TABLES if fs.exists(f"{path}/{split}{suffix}"))
    suffix = next(found, "")
    return f"{root}/{split}{suffix}" if suffix else ""


def classes_of(path: str) -> list[str]:
    """The names of the classes 0, 1, 2, … that the lines of the file at PATH are.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is not UTF-8, or a name is there twice; names the file.
    """
    try:
        names = [line.strip() for line in content_of(path).decode("utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}.") from error
    while names and not names[-1]:
        names.pop()
    for number, name in enumerate(names):
        if not name or name in names[:number]:
            raise ValueError(
                f"{path}: line {number + 1} is {name!r}, which is no class's own name."
            )
    return names


def list_rows(path: str, classes: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows of the list at PATH: a path, which may have blanks in it, a blank, a class's number.

    Raises:
        FileNotFoundError: the list is not there.
        ValueError: a line is none, or its number that of no class; names the list and the row.
    """
    names = pa.array(classes, pa.string())
    before = 0
    for batch in row_batches(path, {"line": pa.string()}, _LINES):
        lines = batch["line"]
        parts = pc.extract_regex(lines, _LINE)
        numbers = pc.struct_field(parts, "number").cast(pa.int64())
        wrong = pc.fill_null(pc.greater_equal(numbers, len(names)), True)
        if (row := pc.index(wrong, True).as_py()) >= 0:
            raise ValueError(
                f"{path}: row {before + row + 1} is {lines[row].as_py()!r}, no path and number of "
                f"one of {len(names)} classes."
            )
        yield _rows(pc.struct_field(parts, "path"), names.take(numbers))
        before += len(lines)


def table_rows(path: str) -> Iterator[pa.RecordBatch]:
    """The rows of the table at PATH: ``path`` or ``url``, ``label``, ``product_id``, ``title``.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it has no path or no label, or a row has none; names the table and the row.
    """
    there = column_names(path)
    place = next((name for name in PATHS if name in there), "")
    if not place or "label" not in there:
        raise ValueError(
            f"{path} needs a column path or url and a column label; it has {', '.join(there)}."
        )
    names = [place, "label", *(name for name in ("product_id", "title") if name in there)]
    before = 0
    for batch in row_batches(path, dict.fromkeys(names, pa.string())):
        columns = {name: pc.fill_null(batch[name].cast(pa.string()), "") for name in names}
        for name in (place, "label"):
            if (row := pc.index(columns[name], "").as_py()) >= 0:
                raise ValueError(f"{path}: row {before + row + 1} has no {name}.")
        yield _rows(
            columns[place], columns["label"], columns.get("product_id"), columns.get("title")
        )
        before += batch.num_rows


def _rows(
    paths: pa.Array, labels: pa.Array, products: pa.Array = None, titles: pa.Array = None
) -> pa.RecordBatch:
    nothing = pa.repeat("", len(paths))
    columns = [paths, labels, *(nothing if one is None else one for one in (products, titles))]
    return pa.RecordBatch.from_arrays(columns, schema=ROWS)
