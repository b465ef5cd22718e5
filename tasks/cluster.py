"""Ray's one room: work spread over processes that stay, on this machine or on a cluster.

`spread` keeps a pool of Ray actors. Each makes its work once (loads the model) and takes an item (a
shard, a part of one) at a time; only as many items are drawn as the actors can hold.
"""

import atexit
import math
import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import Field

from data.plan import Plan
from tasks.worker import Outcome, Worker, WorkFailed, failed, in_this_process

I = TypeVar("I")  # noqa: E741  (an item)
R = TypeVar("R")

IN_FLIGHT: Final = 2
"""Items a worker holds: the one it works on and the next, so that it never waits for the driver."""
OBJECT_STORE_BYTES: Final = 512 * 2**20


__all__ = ["ClusterPlan", "WorkFailed", "connect", "runtime", "shutdown", "spread"]


class ClusterPlan(Plan):
    """Where the work runs and how much of it at once."""

    workers: int = Field(
        default=0, ge=0, description="worker processes; 0: one a core, or one a GPU"
    )
    cpus: float = Field(default=1, gt=0, description="cores a worker takes")
    gpus: float = Field(default=0, ge=0, description="GPUs a worker takes")
    address: str | None = Field(
        default=None, description="a running Ray cluster; none: RAY_ADDRESS, else this machine"
    )
    small: int = Field(default=2000, ge=0, description="pictures up to which no cluster is started")
    restarts: int = Field(default=2, ge=0, description="lost workers that one item may cost")


def spread(
    make: Callable[[], Callable[[I], R]],
    items: Iterable[I],
    plan: ClusterPlan,
    *,
    here: bool,
    name: Callable[[I], str] = str,
) -> Generator[R, None, None]:
    """What the work answers for each of ITEMS, in order of completion.

    ITEMS may be endless: one is drawn when a worker has room for it. A worker that dies is replaced
    and what it held is tried again, alone, so that an item that kills is told from its neighbour.
    Closing the iterator frees the workers. A cluster that had to be started serves later spreads
    too, until `shutdown`.

    Args:
        make: called once in each worker; what it returns is called with each item. Both, the items
            and the answers are pickled, unless HERE.
        items: small things that say where the work lies, not the work's bytes.
        plan: how many workers, where.
        here: work in this process, one item after another; no cluster is started.
        name: how an item is called in errors.

    Raises:
        WorkFailed: the work raised, or an item lost more than ``plan.restarts`` workers.
        Exception: whatever MAKE raised, at once: a worker that cannot be made is not tried again.
    """
    if here:
        yield from in_this_process(make, items, name)
        return
    connect(plan)
    crew: _Crew[I, R] = _Crew(make, iter(items), plan, name)
    try:
        yield from crew.answers()
    finally:
        crew.dismiss()


def connect(plan: ClusterPlan) -> None:
    """Join the cluster that PLAN or ``RAY_ADDRESS`` names, or start one here; reuse one at hand."""
    global _ours
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return
    address = plan.address or os.environ.get("RAY_ADDRESS")
    settings: dict[str, Any] = {"address": address, "runtime_env": runtime(bool(address))}
    if not address:
        wanted = math.ceil(plan.workers * plan.cpus)
        settings |= {
            "address": "local",
            "num_cpus": max(wanted, len(os.sched_getaffinity(0))),
            "object_store_memory": OBJECT_STORE_BYTES,
            "include_dashboard": False,
        }
    with warnings.catch_warnings():
        # Ray's servers are forked and exec at once: what lance fears of a fork cannot come about
        warnings.filterwarnings("ignore", "lance is not fork-safe")
        ray.init(logging_level="ERROR", log_to_driver=False, **settings)
    _ours = True
    atexit.register(shutdown)


def shutdown() -> None:
    """Stop the cluster if `connect` started it, leave it if it joined it; else do nothing."""
    global _ours
    if _ours:
        import ray

        ray.shutdown()
        _ours = False


_ours = False


def runtime(remote: bool) -> dict[str, Any]:
    """What workers need in order to import our packages.

    In a checkout: its files sent along to another machine's workers, its folder on the path of
    this machine's (which so keep the working folder). Nothing where we are installed.
    """
    root = Path(__file__).resolve().parents[1]
    if not (root / "pyproject.toml").is_file():
        return {}
    if remote:
        return {"working_dir": str(root)}
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    return {"env_vars": {"PYTHONPATH": path}}


@dataclass
class _Job(Generic[I]):
    """An item, and how many workers have died while they held it."""

    item: I
    losses: int = 0


@dataclass(eq=False)
class _Seat(Generic[I]):
    """A worker's place in the crew, and what it holds."""

    actor: Any
    started: bool = False
    lost: bool = False
    jobs: list[_Job[I]] = field(default_factory=list)

    def takes(self, job: _Job[I], room: int) -> bool:
        """Whether JOB may be given; one that has cost a worker before works alone."""
        if job.losses or any(held.losses for held in self.jobs):
            return self.started and not self.jobs
        return self.started and len(self.jobs) < room


class _Crew(Generic[I, R]):
    """The workers of one spread: as many as there is work for, the dead replaced."""

    def __init__(
        self,
        make: Callable[[], Callable[[I], R]],
        items: Iterator[I],
        plan: ClusterPlan,
        name: Callable[[I], str],
    ) -> None:
        import ray

        self._ray = ray
        self._plan = plan
        self._name = name
        self._make = ray.put(make)
        self._size = _workers(plan, ray.cluster_resources())
        self._items = items
        self._waiting = deque(_Job(item) for item in islice(items, self._size))
        self._seats: list[_Seat[I]] = []
        self._pending: dict[Any, tuple[_Seat[I], _Job[I] | None]] = {}
        self._false_starts = 0

    def answers(self) -> Iterator[R]:
        """What the work answers, in order of completion."""
        while True:
            self._hire()
            self._hand_out()
            if not self._pending:
                return
            (ref,), _ = self._ray.wait(list(self._pending), num_returns=1)
            seat, job = self._pending.pop(ref)
            outcome = self._outcome(ref, seat, job)
            if outcome is None:
                continue
            error = outcome.failure()
            if job is None:
                if error is not None:
                    raise error
                seat.started = True
                continue
            seat.jobs.remove(job)
            if error is not None:
                raise failed(self._name(job.item), error) from error
            yield outcome.answer

    def dismiss(self) -> None:
        """Free all workers, whatever they are at."""
        for seat in self._seats:
            self._ray.kill(seat.actor)
        self._seats.clear()
        self._pending.clear()

    def _hire(self) -> None:
        """Start workers until there are as many as asked for, or as there are items."""
        worker = self._ray.remote(Worker).options(
            num_cpus=self._plan.cpus, num_gpus=self._plan.gpus, max_restarts=0, max_task_retries=0
        )
        work = len(self._waiting) + sum(len(seat.jobs) for seat in self._seats)
        while len(self._seats) < min(self._size, work):
            seat: _Seat[I] = _Seat(worker.remote())
            self._seats.append(seat)
            self._pending[seat.actor.start.remote(self._make)] = (seat, None)

    def _hand_out(self) -> None:
        """Give items to the workers that have room, one to each before a second to any."""
        for room in range(1, IN_FLIGHT + 1):
            for seat in self._seats:
                while (job := self._next()) is not None:
                    if not seat.takes(job, room):
                        self._waiting.appendleft(job)
                        break
                    seat.jobs.append(job)
                    self._pending[seat.actor.do.remote(job.item)] = (seat, job)

    def _next(self) -> _Job[I] | None:
        """The item that is to be done next, drawn from the source if none waits."""
        if self._waiting:
            return self._waiting.popleft()
        return next((_Job(item) for item in self._items), None)

    def _outcome(self, ref: Any, seat: _Seat[I], job: _Job[I] | None) -> Outcome | None:
        """What came of JOB (None: of the worker's start); None if the worker is lost."""
        errors = self._ray.exceptions
        try:
            outcome: Outcome = self._ray.get(ref)
            return outcome
        except (errors.RayActorError, errors.ObjectLostError, errors.WorkerCrashedError) as error:
            self._lose(seat)
            self._charge(job, error)
        except errors.RayTaskError as error:  # the item or its answer cannot be pickled
            raise failed(self._name(job.item) if job else "A worker", error) from error
        return None

    def _lose(self, seat: _Seat[I]) -> None:
        """Give up a worker; what else it held comes back by itself, each with its own error."""
        if seat in self._seats:
            self._seats.remove(seat)
            self._ray.kill(seat.actor)

    def _charge(self, job: _Job[I] | None, error: Exception) -> None:
        """Put JOB first in the queue again, or give it up where it has cost too many workers."""
        if job is None:
            self._false_starts += 1
            what, losses = "A worker", self._false_starts
        else:
            job.losses += 1
            what, losses = self._name(job.item), job.losses
        if losses > self._plan.restarts:
            when = "before its first item" if job is None else "over it"
            raise WorkFailed(
                what,
                f"{losses} worker(s) died {when} (restarts: {self._plan.restarts}). A process that "
                "vanishes was most often killed for want of memory: see the system's log, give "
                "fewer workers or smaller batches.",
            ) from error
        if job is not None:
            self._waiting.appendleft(job)


def _workers(plan: ClusterPlan, resources: Mapping[str, float]) -> int:
    """How many workers of PLAN a cluster of RESOURCES can hold, at most what PLAN asks for.

    Raises:
        ValueError: not even one, in a cluster that was started here and will not grow.
    """
    grows = bool(plan.address or os.environ.get("RAY_ADDRESS"))
    holds = math.floor(resources.get("CPU", 0) / plan.cpus)
    if plan.gpus:
        holds = min(holds, math.floor(resources.get("GPU", 0) / plan.gpus))
    if grows and plan.workers:
        return plan.workers
    if holds < 1:
        raise ValueError(
            f"A worker takes {plan.cpus:g} core(s) and {plan.gpus:g} GPU(s), but the cluster has "
            f"{resources.get('CPU', 0):g} and {resources.get('GPU', 0):g}. Lower cluster.cpus or "
            "cluster.gpus, or name a larger cluster in cluster.address."
        )
    return min(plan.workers or holds, holds)
