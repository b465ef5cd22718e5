"""The right to write for one recipe: one holder at a time, and a number that fences off the last.

A lease is a chain of numbered objects ``leases/NAME/000007.json``. Whoever creates the next number
holds the lease, and since `Store.create` succeeds for one of many, two never do. The holder
rewrites its own object as a heartbeat. A successor may create the next number when the newest
object says `released`, or when its holder is gone:

* on this machine: the process is dead, or is another one by the same id (its start time differs
  from the recorded one); or it has not renewed for longer than the lease's duration;
* on another machine: its object did not change while we watched it for the whole duration. Two
  machines' clocks are never compared.

A holder that was only asleep finds a higher number when it wakes: `Lease.check`, called right
before every commit, raises. The number is thus a fencing token.
"""

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

import psutil

from data.plan import Plan, digest_of
from data.store import Store

FOLDER: Final = "leases"
KEPT: Final = 5
"""How many objects of a lease stay: the newest, and some to see who was there before."""
BEATS: Final = 4
"""Heartbeats in one duration: so many must fail in a row before a successor may step in."""
CLOCK_GRAIN: Final = 2.0
"""Seconds by which two readings of one process's start may differ (the boot time is rounded)."""

log = logging.getLogger(__name__)


class LeaseHeld(RuntimeError):
    """Somebody else holds the lease; `holder` says who."""

    def __init__(self, name: str, holder: "Holder") -> None:
        self.holder = holder
        until = _iso(holder.renewed + holder.duration)
        super().__init__(
            f"The lease {name!r} is held by process {holder.pid} on {holder.host} since "
            f"{_iso(holder.since)}, unless it is renewed until {until}. Only one run of a recipe "
            f"writes at a time: wait for it, or end that process and start again."
        )


class LeaseLost(RuntimeError):
    """Another holder took the lease over, so nothing more may be committed under it."""


class Holder(Plan):
    """What a lease's object says of its holder.

    Args:
        host: the machine's name, for people.
        place: names the machine's boot and its space of process ids, within which `pid` means one
            process; two containers of one name differ in it.
        pid: process id.
        started: seconds from the machine's boot to the process's start: with it a process id that
            was given out again is not taken for the holder.
        since: when the lease was taken, seconds since 1970 by the holder's clock.
        renewed: the last heartbeat, by the same clock.
        duration: seconds after the last heartbeat in which nobody may take over.
        state: `released` once the holder is done.
    """

    host: str
    place: str
    pid: int
    started: float
    since: float
    renewed: float
    duration: float
    state: Literal["held", "released"] = "held"

    @property
    def here(self) -> bool:
        """Whether its process would be seen from this one."""
        return self.place == _place()

    @property
    def alive(self) -> bool:
        """Whether its process, of which `here` is true, still runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            running = process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
            return running and abs(_started(process) - self.started) <= CLOCK_GRAIN
        except psutil.NoSuchProcess:
            return False


class Lease:
    """A context in which this process alone may write under NAME.

    Args:
        store: where the lease lies.
        name: what is leased, e.g. a recipe's name.
        seconds: how long the holder may be silent before another takes over.

    Raises:
        LeaseHeld: on entering, when somebody else holds it. Where that holder is on another machine
            this is known only after it was seen to renew, within about a quarter of its duration.
    """

    def __init__(self, store: Store, name: str, seconds: float = 30.0) -> None:
        if seconds <= 0:
            raise ValueError(f"A lease lasts a positive number of seconds, not {seconds}.")
        self.store = store
        self.name = name
        self.seconds = seconds
        self.token = 0
        self._holder: Holder | None = None
        self._done = threading.Event()
        self._heart: threading.Thread | None = None

    def __enter__(self) -> Self:
        process = psutil.Process()
        while not self.token:
            number = _newest(self.store, self.name)
            self._wait_until_free(number)
            self._trim(number)
            now = time.time()
            holder = Holder(
                host=socket.gethostname(),
                place=_place(),
                pid=process.pid,
                started=_started(process),
                since=now,
                renewed=now,
                duration=self.seconds,
            )
            if self.store.create(_path(self.name, number + 1), _bytes(holder)):
                self.token, self._holder = number + 1, holder
        self._done.clear()
        self._heart = threading.Thread(target=self._beat, name=f"lease-{self.name}", daemon=True)
        self._heart.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        if self._heart:
            self._heart.join()
        if self._holder and not self._overtaken():
            self._write(self._holder.model_copy(update={"state": "released"}))
        self.token, self._holder = 0, None

    def check(self) -> None:
        """Return if the lease is still ours; the last thing to do before a commit.

        Raises:
            LeaseLost: it was never taken, or another holder took it over while this one was silent.
        """
        if not self.token:
            raise LeaseLost(f"The lease {self.name!r} is not held: enter it before writing.")
        newest = self._overtaken()
        if newest:
            holder = _read(self.store, self.name, newest)
            who = f"process {holder.pid} on {holder.host}" if holder else "another process"
            raise LeaseLost(
                f"The lease {self.name!r} (number {self.token}) was taken over by {who} (number "
                f"{newest}): this run was silent for over {self.seconds:g} s and commits nothing "
                f"more. What it has finished is used by the next run."
            )

    def _wait_until_free(self, number: int) -> None:
        """Return when number NUMBER no longer keeps us out.

        Raises:
            LeaseHeld: its holder lives.
        """
        seen = _read(self.store, self.name, number) if number else None
        if seen is None or seen.state == "released":
            return
        if seen.here:
            if seen.alive and time.time() <= seen.renewed + seen.duration:
                raise LeaseHeld(self.name, seen)
            return
        deadline = time.monotonic() + seen.duration
        while time.monotonic() < deadline:
            time.sleep(min(0.5, seen.duration / (2 * BEATS)))
            now = _read(self.store, self.name, number)
            if now is None or now.state == "released" or _newest(self.store, self.name) > number:
                return  # the caller looks at the new state of things
            if now != seen:
                raise LeaseHeld(self.name, now)

    def _beat(self) -> None:
        """Renew until released, or until a higher number shows that there is nothing to renew."""
        while not self._done.wait(self.seconds / BEATS):
            try:
                if self._overtaken():
                    return
                if self._holder:
                    self._holder = self._holder.model_copy(update={"renewed": time.time()})
                    self._write(self._holder)
            except Exception as error:  # a store that is away for a moment must not end the night
                log.warning("The lease %r could not be renewed: %s", self.name, error)

    def _overtaken(self) -> int:
        """The newest number where it is not ours; 0 while we hold."""
        newest = _newest(self.store, self.name)
        return newest if newest > self.token else 0

    def _write(self, holder: Holder) -> None:
        self.store.write(_path(self.name, self.token), _bytes(holder))

    def _trim(self, newest: int) -> None:
        for number in _numbers(self.store, self.name):
            if number <= newest - KEPT:
                with suppress(FileNotFoundError):  # another newcomer tidies up at the same time
                    self.store.delete(_path(self.name, number))


def dataset_lease(dataset: str) -> str:
    """The name of the lease on a manifest, which recipes may share; no recipe is called so."""
    return f"dataset.{dataset}"


def holder(store: Store, name: str) -> Holder | None:
    """Who holds the lease NAME by its newest object, be it alive or not; None where it is free."""
    number = _newest(store, name)
    found = _read(store, name, number) if number else None
    return found if found and found.state == "held" else None


def _numbers(store: Store, name: str) -> list[int]:
    return [int(base.removesuffix(".json")) for base in store.names(f"{FOLDER}/{name}")]


def _newest(store: Store, name: str) -> int:
    return max(_numbers(store, name), default=0)


def _path(name: str, number: int) -> str:
    return f"{FOLDER}/{name}/{number:06d}.json"


def _read(store: Store, name: str, number: int) -> Holder | None:
    """What object NUMBER says; None where successors have already trimmed it."""
    try:
        return Holder.model_validate_json(store.read(_path(name, number)))
    except FileNotFoundError:
        return None


def _bytes(holder: Holder) -> bytes:
    return holder.model_dump_json(indent=1).encode()


def _started(process: psutil.Process) -> float:
    """Seconds from boot to the start of PROCESS, which setting the clock leaves as it is."""
    return float(process.create_time() - psutil.boot_time())


def _place() -> str:
    """Names this machine, its boot, and the space in which its process ids are told apart."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    space = Path("/proc/self/ns/pid")
    return digest_of(
        [
            socket.gethostname(),
            boot.read_text().strip() if boot.exists() else round(psutil.boot_time() / 60),
            os.readlink(space) if space.exists() else "",
        ]
    )[:16]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
