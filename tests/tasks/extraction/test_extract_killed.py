"""A driver or a worker killed at work costs what was in flight, and nothing else."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.store import Store
from tasks.cluster import ClusterPlan
from tests.tasks.extraction.runs import run, vectors

ROOT = Path(__file__).parents[3]

DRIVER = """
import sys
import pyarrow.parquet as pq
from data.store import Store
from tasks.cluster import ClusterPlan
from tasks.extract import ExtractPlan, Limits, extract
store, places, encoder, small = sys.argv[1:]

def main():
    def say(stage, done, total, note):
        sys.stdout.write(f"{done}\\n"); sys.stdout.flush()
    extract(Store(store), "d", pq.read_table(places), encoder, ExtractPlan(batch=4, part=8),
            ClusterPlan(workers=2, small=int(small)), Limits(), say)
main()
"""


@pytest.mark.parametrize(
    "small", [1000, pytest.param(0, marks=pytest.mark.ray)], ids=["here", "ray"]
)
def test_a_driver_killed_at_work_loses_only_the_parts_in_flight(
    small: int,
    store: Store,
    encoder: str,
    shelve: Callable[..., pa.Table],
    draw: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    places = shelve([draw(i) for i in range(400)])
    pq.write_table(places, tmp_path / "places.parquet")
    arguments = [store.root, str(tmp_path / "places.parquet"), encoder, str(small)]
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert driver.stdout is not None
    done = int(driver.stdout.readline())
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    kept = settled(lambda: len(vectors(store, encoder, places["digest"])))
    assert done <= kept < 400
    again = run(store, places, encoder)
    assert (again.cached, again.embedded) == (kept, 400 - kept)
    assert len(vectors(store, encoder, places["digest"])) == 400


def settled(count: Callable[[], int]) -> int:
    """What COUNT says when nobody writes any more: workers outlive their driver by a moment."""
    last = -1
    while (now := count()) != last:
        last = now
        time.sleep(2)
    return now


@pytest.mark.ray
def test_a_ray_worker_killed_at_work_costs_its_parts_and_nothing_else(
    store: Store, encoder: str, shelve: Callable[..., pa.Table], draw: Callable[..., bytes]
) -> None:
    places = shelve([draw(i) for i in range(160)])
    killed: list[int] = []

    def kill_one(stage: str, done: int, total: int, note: str) -> None:
        if not killed:
            killed.extend(actors()[:1])
            os.kill(killed[0], signal.SIGKILL)

    done = run(store, places, encoder, where=ClusterPlan(workers=2, small=0), progress=kill_one)
    assert killed
    assert (done.embedded, done.deferred, len(done.bad)) == (160, 0, 0)
    assert len(vectors(store, encoder, places["digest"])) == 160


def actors() -> list[int]:
    """The processes of this test's Ray workers that are actors of ours."""
    import psutil

    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if child.name().startswith("ray::Worker")]
