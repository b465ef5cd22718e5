"""DuckDB, which compares what is too much for memory: one way to ask it, bounded and quiet."""

import atexit
import itertools
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from data.memory import one_heap

_NUMBERS: Final = itertools.count()


@dataclass(frozen=True)
class Numbered:
    """A Parquet file whose view has its rows' numbers too, in a column ``row``."""

    path: Path


@contextmanager
def asking(
    memory: int, **tables: list[Path] | Numbered | pa.Table | pa.RecordBatchReader
) -> Iterator[Any]:
    """A DuckDB connection to an empty database of its own, which goes with all that is made in it.

    Rows come in no order but that which a query asks for.

    Args:
        memory: MB that it may use, together with others at the same time that may use as much;
            what does not fit is spilled to a temporary folder.
        tables: views of their names: Parquet files (at least one), one with its rows numbered,
            rows, or a reader of rows, which can be asked once.
    """
    with _engine(memory).cursor() as connection:
        name = f"question_{next(_NUMBERS)}"
        connection.execute(f"ATTACH ':memory:' AS {name}")
        try:
            connection.execute(f"USE {name}")
            for view, table in tables.items():
                if isinstance(table, list | Numbered):
                    look(connection, view, table)
                else:
                    connection.register(view, table)
            yield connection
        finally:
            connection.execute("USE memory")
            connection.execute(f"DETACH {name}")
            # said anew, the limit makes DuckDB give back what a question has left it with: 200 MB
            connection.execute(f"SET memory_limit = '{memory}MB'")


def look(connection: Any, view: str, files: list[Path] | Numbered) -> None:
    """Make FILES, Parquet, what CONNECTION sees as VIEW."""
    numbered = isinstance(files, Numbered)
    paths = [files.path] if isinstance(files, Numbered) else files
    names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    what = "* RENAME (file_row_number AS row)" if numbered else "*"
    # in SQL, for the relational way opens each file once more
    connection.execute(
        f'CREATE VIEW "{view}" AS '
        f"SELECT {what} FROM read_parquet([{names}], file_row_number={numbered})"
    )


def number(ask: Any, query: str) -> int:
    """The one number that QUERY says; read to the end, or the connection would stay in use."""
    return int(ask.execute(query).fetchall()[0][0])


@cache
def _engine(memory: int) -> Any:
    """The DuckDB of this process that may use MEMORY MB; starting one takes 20 ms."""
    one_heap()
    import duckdb  # 0.25 s that `--help` need not pay

    spill = f"nightjar-spill-{os.getpid()}-{secrets.token_hex(4)}"
    return duckdb.connect(
        config={
            "memory_limit": f"{memory}MB",
            # made by DuckDB when it is needed, and taken away when the engine is closed
            "temp_directory": os.path.join(tempfile.gettempdir(), spill),
            "preserve_insertion_order": False,  # every order that matters is asked for
            "enable_external_file_cache": False,  # what is read once need not stay in memory
            "allocator_flush_threshold": "16MB",  # what a question has freed goes back at its end
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )


atexit.register(_engine.cache_clear)  # DuckDB complains of what outlives the interpreter
