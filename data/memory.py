"""Memory that is no longer in use: how it goes back to the system before the process ends."""

import ctypes
import sys
from functools import cache
from typing import Any, Final

import pyarrow as pa

M_ARENA_MAX: Final = -8
"""glibc's word for how many heaps its threads may have, from its ``malloc.h``."""


def one_heap() -> None:
    """Let all threads that are still to come share one heap, where the system is Linux with glibc.

    Of several heaps each keeps what its threads have freed: a scan of five million rows that holds
    50 MB at a time left 300 MB behind.
    """
    if libc := _glibc():
        libc.mallopt(M_ARENA_MAX, 1)


def give_back() -> None:
    """Return what Arrow and the heap keep for later: the next stage needs other pieces of it."""
    pa.default_memory_pool().release_unused()
    if libc := _glibc():
        libc.malloc_trim(0)


@cache
def _glibc() -> Any:
    """The C library, if it is glibc."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "malloc_trim") else None
