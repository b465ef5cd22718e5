"""Work where it is done: threads of this process, their memory, errors fit to travel."""

import os
import threading
from itertools import count

import pytest

from tasks.cluster import ClusterPlan, spread
from tasks.crew import cores
from tasks.worker import Outcome, WorkFailed


class PickyError(Exception):
    """Cannot be unpickled: pickle calls it with one argument."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


@pytest.mark.parametrize("workers", [1, 3])
def test_the_threads_of_this_process_work_side_by_side(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    together = threading.Barrier(workers)

    def meet(x: int) -> int:
        together.wait(timeout=30)  # returns once so many items are worked on at a time
        return x

    plan = ClusterPlan(workers=workers)
    assert sorted(spread(lambda: meet, range(3 * workers), plan, here=True)) == [
        *range(3 * workers)
    ]


def test_a_thread_that_fails_ends_the_spread_and_begins_nothing_new() -> None:
    begun: list[int] = []

    def fail(x: int) -> int:
        begun.append(x)
        raise KeyError(x)

    with pytest.raises(WorkFailed, match="KeyError"):
        list(spread(lambda: fail, count(), ClusterPlan(workers=1), here=True))
    assert begun == [0]


def test_few_pictures_start_no_cluster_and_more_are_few_where_it_would_be_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert (ClusterPlan().here(20_000), ClusterPlan().here(20_001)) == (True, False)
    named = ClusterPlan(address="head:6379")
    assert (named.here(2000), named.here(2001)) == (True, False)
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert not ClusterPlan().here(2001)
    assert ClusterPlan(small=7).here(7)
    assert not ClusterPlan(small=7).here(8)


@pytest.mark.parametrize(
    ("plan", "threads"),
    [
        (ClusterPlan(), 4),
        (ClusterPlan(workers=3), 3),
        (ClusterPlan(workers=64), 4),
        (ClusterPlan(cpus=2), 2),
        (ClusterPlan(cpus=8), 1),
    ],
)
def test_this_process_works_in_as_many_threads_as_there_would_be_workers(
    plan: ClusterPlan, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    assert plan.threads() == threads


def test_an_exception_that_cannot_be_pickled_is_carried_as_text() -> None:
    failure = Outcome.of(PickyError(1, 2)).failure()
    assert isinstance(failure, RuntimeError)
    assert str(failure) == "PickyError: 1 and 2"


def test_where_the_system_does_not_say_all_cores_of_the_machine_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert (cores(), ClusterPlan().threads()) == (6, 6)
