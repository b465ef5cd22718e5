"""DuckDB, which compares what is too much for memory: one way to open it, bounded and quiet."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from data.memory import one_heap


def connect(memory: int, spill: str, *, ordered: bool = True) -> Any:
    """A DuckDB connection to an empty database in memory.

    Args:
        memory: MB it may use.
        spill: a folder for what does not fit; made when it is needed.
        ordered: keep the order of rows where a query asks for none, which takes more memory.
    """
    one_heap()
    import duckdb  # 0.25 s that `--help` need not pay

    settings = {
        "memory_limit": f"{memory}MB",
        "temp_directory": spill,
        "preserve_insertion_order": ordered,
        "enable_external_file_cache": False,  # what is read once need not stay in memory
        "allocator_flush_threshold": "16MB",  # what a question has freed goes back at its end
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    return duckdb.connect(config=settings)


@contextmanager
def database(memory: int) -> Iterator[Any]:
    """A connection as of `connect`, whose spill folder goes with it."""
    with (
        tempfile.TemporaryDirectory(prefix="nightjar-spill-") as spill,
        connect(memory, spill) as connection,
    ):
        yield connection
