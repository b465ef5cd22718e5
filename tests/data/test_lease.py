"""The lease: one holder at a time, a dead one is followed at once, a sleeping one is fenced off."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from data.lease import KEPT, Holder, Lease, LeaseHeld, LeaseLost, holder
from data.store import Store

HOLD = textwrap.dedent(
    """
    import sys, time
    from data.lease import Lease, LeaseHeld, LeaseLost
    from data.store import Store
    try:
        with Lease(Store(sys.argv[1]), "toy", float(sys.argv[2])) as lease:
            print("held", lease.token, flush=True)
            sys.stdin.readline()
            try:
                lease.check()
                print("still held", flush=True)
            except LeaseLost as error:
                print("lost:", error, flush=True)
    except LeaseHeld as error:
        print("refused:", error, flush=True)
    """
)

Start = Callable[[float], "subprocess.Popen[str]"]


@pytest.fixture
def start(store: Store) -> Iterator[Start]:
    """Starts a process that takes the lease for SECONDS and keeps it until it is sent a line."""
    running = []

    def run(seconds: float) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, store.root, str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline()


def go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def written(store: Store, number: int) -> Holder:
    return Holder.model_validate_json(store.read(f"leases/toy/{number:06d}.json"))


def until(true: Callable[[], bool]) -> None:
    """Wait for TRUE; the test's own timeout ends a wait in vain."""
    while not true():
        time.sleep(0.02)


def elsewhere(store: Store, seconds: float, **fields: object) -> Holder:
    """A holder on another machine, written as the newest object."""
    with Lease(store, "toy", seconds):
        here = written(store, 1)
    there = here.model_copy(
        update={"state": "held", "place": "elsewhere", "host": "far", "pid": 1, **fields}
    )
    store.write("leases/toy/000001.json", there.model_dump_json().encode())
    return there


def test_tokens_only_grow(store: Store) -> None:
    tokens = []
    for _ in range(3):
        with Lease(store, "toy") as lease:
            tokens.append(lease.token)
            lease.check()
    assert tokens == [1, 2, 3]


def test_one_that_is_not_entered_may_not_write(store: Store) -> None:
    lease = Lease(store, "toy")
    with pytest.raises(LeaseLost, match="not held"):
        lease.check()
    with lease:
        pass
    with pytest.raises(LeaseLost, match="not held"):
        lease.check()


def test_who_holds_it_is_said(store: Store) -> None:
    with Lease(store, "toy") as lease, pytest.raises(LeaseHeld) as refused, Lease(store, "toy"):
        pass
    assert f"process {os.getpid()} on " in str(refused.value)
    assert "unless it is renewed until" in str(refused.value)
    assert refused.value.holder.pid == os.getpid()
    assert holder(store, "toy") is None
    assert lease.token == 0


def test_an_error_within_releases_it(store: Store) -> None:
    with pytest.raises(KeyError), Lease(store, "toy"):
        raise KeyError
    assert holder(store, "toy") is None


def test_recipes_do_not_wait_for_each_other(store: Store) -> None:
    with Lease(store, "toy") as one, Lease(store, "other") as two:
        assert one.token == two.token == 1


def test_a_lease_of_no_duration_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="positive"):
        Lease(store, "toy", 0)


def test_of_two_processes_exactly_one_gets_it(store: Store, start: Start) -> None:
    racers = [start(30) for _ in range(3)]
    words = sorted(said(racer).split()[0] for racer in racers)
    assert words == ["held", "refused:", "refused:"]


def test_the_next_gets_it_at_once_after_a_release(start: Start) -> None:
    first = start(600)
    assert said(first) == "held 1\n"
    go(first)
    assert said(first) == "still held\n"
    first.wait()
    assert said(start(600)) == "held 2\n"


def test_a_killed_holder_is_followed_at_once(store: Store, start: Start) -> None:
    first = start(600)
    assert said(first) == "held 1\n"
    first.send_signal(signal.SIGKILL)
    first.wait()
    with Lease(store, "toy", 600) as lease:
        assert lease.token == 2


def test_a_killed_holder_that_nobody_reaped_is_dead(store: Store, start: Start) -> None:
    first = start(600)
    assert said(first) == "held 1\n"
    first.send_signal(signal.SIGKILL)
    until(lambda: not written(store, 1).alive)
    assert first.returncode is None  # a zombie still has its process id
    with Lease(store, "toy", 600) as lease:
        assert lease.token == 2


def test_another_process_by_the_same_id_is_not_the_holder(store: Store) -> None:
    with Lease(store, "toy", 600):
        mine = written(store, 1)
    assert mine.alive
    assert not mine.model_copy(update={"started": mine.started - 60}).alive
    older = mine.model_copy(update={"state": "held", "started": mine.started - 60})
    store.write("leases/toy/000001.json", older.model_dump_json().encode())
    with Lease(store, "toy", 600) as lease:
        assert lease.token == 2


def test_a_heartbeat_keeps_it_past_its_duration(store: Store) -> None:
    with Lease(store, "toy", 0.4) as lease:
        first = written(store, 1).renewed
        until(lambda: written(store, 1).renewed > first + 0.8)
        lease.check()
        with pytest.raises(LeaseHeld), Lease(store, "toy"):
            pass


def test_a_sleeper_is_followed_and_fenced_off_when_it_wakes(store: Store, start: Start) -> None:
    sleeper = start(0.6)
    assert said(sleeper) == "held 1\n"
    sleeper.send_signal(signal.SIGSTOP)
    until(lambda: written(store, 1).renewed + 0.6 < time.time())
    with Lease(store, "toy", 600) as lease:
        assert lease.token == 2
        sleeper.send_signal(signal.SIGCONT)
        go(sleeper)
        assert said(sleeper).startswith("lost: The lease 'toy' (number 1) was taken over by")
        sleeper.wait()
        lease.check()
    assert written(store, 2).state == "released"
    assert written(store, 1).state == "held"  # the fenced-off one wrote no release


def test_a_silent_holder_elsewhere_is_followed_whatever_its_clock_says(store: Store) -> None:
    elsewhere(store, 0.5, renewed=time.time() + 1e6)
    with Lease(store, "toy", 5) as lease:
        assert lease.token == 2


def test_a_beating_holder_elsewhere_is_respected_whatever_its_clock_says(store: Store) -> None:
    there = elsewhere(store, 5, renewed=1.0)
    stop = threading.Event()

    def beat() -> None:
        renewed = 1.0
        while not stop.wait(0.05):
            renewed += 0.05
            beaten = there.model_copy(update={"renewed": renewed})
            store.write("leases/toy/000001.json", beaten.model_dump_json().encode())

    heart = threading.Thread(target=beat)
    heart.start()
    try:
        with pytest.raises(LeaseHeld, match="process 1 on far"), Lease(store, "toy"):
            pass
    finally:
        stop.set()
        heart.join()


def test_a_release_elsewhere_ends_the_wait(store: Store) -> None:
    there = elsewhere(store, 60)
    done = there.model_copy(update={"state": "released"})
    release = threading.Timer(
        0.3, lambda: store.write("leases/toy/000001.json", done.model_dump_json().encode())
    )
    release.start()
    with Lease(store, "toy") as lease:
        assert lease.token == 2
    release.join()


def test_a_store_that_is_away_for_a_moment_does_not_stop_the_heart(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Lease(store, "toy", 0.2) as lease:
        before = written(store, 1).renewed
        with monkeypatch.context() as away:
            away.setattr(Store, "write", _away)
            until(lambda: "could not be renewed: no route" in caplog.text)
        until(lambda: written(store, 1).renewed > before)
        lease.check()


def _away(store: Store, name: str, content: bytes) -> None:
    raise OSError("no route")


def test_old_objects_are_tidied_away(store: Store) -> None:
    for _ in range(KEPT + 4):
        with Lease(store, "toy"):
            pass
    names = store.names("leases/toy")
    assert len(names) <= KEPT + 1
    assert names[-1] == f"{KEPT + 4:06d}.json"
