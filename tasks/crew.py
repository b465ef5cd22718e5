"""The crew of a spread: its workers as the driver sees them, what they hold, what was lost."""

import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from pydantic import Field

from data.plan import Plan
from tasks.worker import Outcome, Worker, WorkFailed, failed

I = TypeVar("I")  # noqa: E741  (an item)
R = TypeVar("R")

IN_FLIGHT: Final = 2
"""Items a worker holds: the one it works on and the next, so that it never waits for the driver."""

SMALL: Final = 2000
SMALL_ALONE: Final = 20_000
"""Pictures up to which no cluster is worth its start, and where it would be this machine alone,
which works as fast without (`benchmarks.throughput`)."""


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
    small: int | None = Field(
        default=None,
        ge=0,
        description="pictures up to which no cluster is started; none: 2,000 where one is named, "
        "20,000 where it would be of this machine alone",
    )
    restarts: int = Field(default=2, ge=0, description="lost workers that one item may cost")

    @property
    def named(self) -> str | None:
        """The address of the cluster to join; None where one would be started on this machine."""
        return self.address or os.environ.get("RAY_ADDRESS")

    def here(self, pictures: int) -> bool:
        """Whether so few PICTURES are worked on in this process, and no cluster is started."""
        small = self.small
        if small is None:
            small = SMALL if self.named else SMALL_ALONE
        return pictures <= small

    def threads(self) -> int:
        """Threads of this process that work where no cluster does: one a core, as workers would."""
        most = max(1, math.floor(cores() / self.cpus))
        return min(self.workers or most, most)


def cores() -> int:
    """Cores that this process may use; all of the machine's where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass
class Job(Generic[I]):
    """An item, and how many workers have died while they held it."""

    item: I
    losses: int = 0


@dataclass(eq=False)
class Seat(Generic[I]):
    """A worker's place in the crew, and what it holds."""

    actor: Any
    started: bool = False
    lost: bool = False
    jobs: list[Job[I]] = field(default_factory=list)

    def takes(self, job: Job[I], room: int) -> bool:
        """Whether JOB may be given; one that has cost a worker before works alone."""
        if job.losses or any(held.losses for held in self.jobs):
            return self.started and not self.jobs
        return self.started and len(self.jobs) < room


class Crew(Generic[I, R]):
    """The workers of one spread: as many as there is work for, the dead replaced.

    Args:
        ray: the module, connected; this file does not import it.
        size: workers at most.
        make, items, plan, name: as `tasks.cluster.spread` was given them.
    """

    def __init__(
        self,
        ray: Any,
        size: int,
        make: Callable[[], Callable[[I], R]],
        items: Iterator[I],
        plan: ClusterPlan,
        name: Callable[[I], str],
    ) -> None:
        self._ray = ray
        self._plan = plan
        self._name = name
        self._make = ray.put(make)
        self._size = size
        self._items = items
        self._waiting = deque(Job(item) for item in islice(items, self._size))
        self._seats: list[Seat[I]] = []
        self._pending: dict[Any, tuple[Seat[I], Job[I] | None]] = {}
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
            seat: Seat[I] = Seat(worker.remote())
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

    def _next(self) -> Job[I] | None:
        """The item that is to be done next, drawn from the source if none waits."""
        if self._waiting:
            return self._waiting.popleft()
        return next((Job(item) for item in self._items), None)

    def _outcome(self, ref: Any, seat: Seat[I], job: Job[I] | None) -> Outcome | None:
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

    def _lose(self, seat: Seat[I]) -> None:
        """Give up a worker; what else it held comes back by itself, each with its own error."""
        if seat in self._seats:
            self._seats.remove(seat)
            self._ray.kill(seat.actor)

    def _charge(self, job: Job[I] | None, error: Exception) -> None:
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
