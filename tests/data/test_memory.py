"""Memory goes back to the system; each is tried in a process of its own, for it stays as it is."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is glibc's memory")

MB = 2**20

THREADS = """
import ctypes, sys, threading
from data.memory import one_heap

def size():
    return int(next(line for line in open("/proc/self/status") if "VmSize" in line).split()[1])

if sys.argv[1] == "one":
    one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
threading.stack_size(2**20)
done = threading.Barrier(5)
before = size()
for _ in range(4):
    threading.Thread(target=lambda: (libc.malloc(5000), done.wait(), done.wait())).start()
done.wait()
print((size() - before) * 1024)
done.wait()
"""

KEPT = """
import ctypes
from data.memory import give_back

def resident():
    return int(next(line for line in open("/proc/self/status") if "VmRSS" in line).split()[1])

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
blocks = [libc.malloc(50_000) for _ in range(2000)]
for block in blocks:
    ctypes.memset(ctypes.c_void_p(block), 1, 50_000)
for block in blocks[:-1]:  # the last one keeps the heap from shrinking by itself
    libc.free(ctypes.c_void_p(block))
before = resident()
give_back()
print((before - resident()) * 1024)
"""

FAULTS = """
import resource, sys
import numpy as np
from data.memory import keep

def round():
    for block in [np.empty(2**20) for _ in range(6)]:  # 8 MB each
        block.fill(1)

if sys.argv[1] == "kept":
    keep()
round()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    round()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

ASKED = """
from data.database import asking

def resident():
    return int(next(line for line in open("/proc/self/status") if "VmRSS" in line).split()[1])

def ask():
    with asking(512) as connection:
        connection.execute("SELECT count(*) FROM (SELECT DISTINCT hash(range) FROM range(4000000))")
        connection.fetchone()
        return resident()

during = ask()
print((during - resident()) * 1024)
"""


def told(script: str, *arguments: object) -> int:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_threads_share_one_heap() -> None:
    assert told(THREADS, "each its own") > 4 * 64 * MB, "what a heap reserves"
    assert told(THREADS, "one") < 64 * MB


def test_what_was_freed_between_others_goes_back() -> None:
    assert told(KEPT) > 90 * MB


def test_a_question_leaves_nothing_behind() -> None:
    assert told(ASKED) > 40 * MB


def test_what_is_kept_need_not_be_cleared_again() -> None:
    assert told(FAULTS, "given back") > 20 * 1000, "of 12,288 pages a round"
    assert told(FAULTS, "kept") < 100
