"""Memory that is no longer in use: when it goes back to the system, and when it is kept at hand."""

import ctypes
import sys
from functools import cache
from typing import Any, Final

import pyarrow as pa

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""glibc's words for what its heaps keep when it is freed, from which size on a block is none of
theirs, and how many heaps its threads may have; from its ``malloc.h``."""

KEPT_BYTES: Final = 256 * 2**20
BLOCK_BYTES: Final = 32 * 2**20
"""The most that glibc takes for a block of a heap."""


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


def keep() -> None:
    """Keep what is freed from now on, up to `KEPT_BYTES`, for what is asked for next.

    glibc otherwise gives each freed tensor of some size back to the system, which clears the pages
    before it hands them out again: of a small network's CPU time that was a quarter.
    """
    if libc := _glibc():
        libc.mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


@cache
def _glibc() -> Any:
    """The C library, if it is glibc."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "malloc_trim") else None
