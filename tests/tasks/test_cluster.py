"""Spreading work: order of completion, back-pressure, lost workers, errors that name their item."""

import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from tasks import cluster
from tasks.cluster import ClusterPlan, spread
from tasks.crew import IN_FLIGHT
from tasks.worker import WorkFailed

PLAN = ClusterPlan(workers=2, restarts=2)
both = pytest.mark.parametrize("here", [True, pytest.param(False, marks=pytest.mark.ray)])
ray_too = pytest.mark.usefixtures("_cluster")


@pytest.fixture(scope="module")
def _cluster() -> None:
    """A cluster with room for the plan's workers; one at hand may be that of a lesser plan."""
    import ray

    cluster.connect(PLAN)
    if ray.cluster_resources()["CPU"] < PLAN.workers:
        cluster.shutdown()


def squaring() -> Callable[[], Callable[[int], int]]:
    """A `make` of nested functions, which pickle by value: workers cannot import this file."""
    return lambda: lambda x: x * x


@both
@ray_too
def test_every_item_is_answered_once(here: bool) -> None:
    assert sorted(spread(squaring(), range(20), PLAN, here=here)) == [x * x for x in range(20)]


@both
@ray_too
def test_no_items_make_no_answers(here: bool) -> None:
    assert list(spread(squaring(), [], PLAN, here=here)) == []


@both
@ray_too
def test_the_work_is_made_once_a_worker(here: bool, tmp_path: Path) -> None:
    def make() -> Callable[[int], int]:
        (tmp_path / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        return lambda x: x

    list(spread(make, range(30), PLAN, here=here))
    assert len(list(tmp_path.iterdir())) == (1 if here else 2)


@both
@ray_too
def test_items_may_be_endless_and_few_are_drawn_ahead(here: bool) -> None:
    drawn: list[int] = []

    def endless() -> Iterator[int]:
        for i in count():
            drawn.append(i)
            yield i

    answers = spread(squaring(), endless(), PLAN, here=here)
    assert len(list(islice(answers, 10))) == 10
    assert len(drawn) <= 10 + IN_FLIGHT * PLAN.workers
    answers.close()


@both
@ray_too
def test_what_the_work_raises_names_the_item_and_keeps_its_cause_and_traceback(
    here: bool, tmp_path: Path
) -> None:
    def make() -> Callable[[int], int]:
        def culprit(x: int) -> int:
            (tmp_path / f"{x}-{time.monotonic_ns()}").touch()
            if x == 3:
                raise KeyError("lost it")
            return x

        return culprit

    with pytest.raises(WorkFailed, match=r"shard-3: KeyError: 'lost it'") as caught:
        list(spread(make, [3], PLAN, here=here, name=lambda x: f"shard-{x}"))
    assert caught.value.item == "shard-3"
    assert isinstance(caught.value.__cause__, KeyError)
    assert "in culprit" in "".join(traceback.format_exception(caught.value))
    assert len(list(tmp_path.iterdir())) == 1  # what raises would raise again: no second try


@both
@ray_too
def test_an_error_in_making_the_work_surfaces_as_itself(here: bool) -> None:
    def make() -> Callable[[int], int]:
        raise FileNotFoundError("no such encoder")

    with pytest.raises(FileNotFoundError, match="no such encoder"):
        list(spread(make, range(5), PLAN, here=here))


@both
@ray_too
def test_torch_has_one_thread_while_the_work_is_done(here: bool) -> None:
    import torch

    def make() -> Callable[[int], int]:
        import torch

        return lambda x: torch.get_num_threads()

    before = torch.get_num_threads()
    assert set(spread(make, range(3), PLAN, here=here)) == {1}
    assert torch.get_num_threads() == before


@pytest.mark.ray
@ray_too
@pytest.mark.parametrize("how", ["exit", "kill"])
def test_a_worker_that_dies_once_is_replaced_and_nothing_is_lost(how: str, tmp_path: Path) -> None:
    def make() -> Callable[[int], int]:
        def work(x: int) -> int:
            if x == 5 and not (tmp_path / "died").exists():
                (tmp_path / "died").touch()
                if how == "exit":
                    os._exit(1)
                os.kill(os.getpid(), signal.SIGKILL)
            return x

        return work

    assert sorted(spread(make, range(20), PLAN, here=False)) == list(range(20))
    assert (tmp_path / "died").exists()


@pytest.mark.ray
@ray_too
def test_an_item_that_always_kills_is_named_and_its_neighbours_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def make() -> Callable[[int], int]:
        def work(x: int) -> int:
            if x == 2:
                with (tmp_path / "tries").open("a") as tries:
                    tries.write("x")
                os._exit(1)
            return x

        return work

    answers: list[int] = []
    with pytest.raises(WorkFailed, match=r"item 2: 3 worker\(s\) died") as caught:
        answers.extend(spread(make, range(4), PLAN, here=False, name=lambda x: f"item {x}"))
    assert caught.value.__cause__ is not None
    assert (tmp_path / "tries").read_text() == "xxx"
    deadline = time.monotonic() + 30
    while "A worker died" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "A worker died" in caplog.text
    assert capsys.readouterr().out == ""  # stdout belongs to what the command answers


@pytest.mark.ray
@ray_too
def test_workers_that_die_before_their_first_item_end_the_spread() -> None:
    def make() -> Callable[[int], int]:
        os._exit(1)

    with pytest.raises(WorkFailed, match="before its first item"):
        list(spread(make, range(4), ClusterPlan(workers=1, restarts=1), here=False))


@pytest.mark.ray
@ray_too
def test_closing_early_ends_the_workers_at_what_they_are(tmp_path: Path) -> None:
    def make() -> Callable[[int], int]:
        def work(x: int) -> int:
            (tmp_path / str(os.getpid())).touch()
            if x:
                time.sleep(600)
            return x

        return work

    answers = spread(make, range(4), PLAN, here=False)
    assert next(answers) == 0
    answers.close()
    pids = [int(path.name) for path in tmp_path.iterdir()]
    deadline = time.monotonic() + 30
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert pids
    assert not any(map(alive, pids))


@pytest.mark.ray
@ray_too
def test_a_worker_too_large_for_the_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cluster\.cpus or cluster\.gpus"):
        list(spread(squaring(), range(4), ClusterPlan(gpus=64), here=False))


@pytest.mark.ray
@ray_too
def test_an_item_that_cannot_be_sent_is_an_error_and_no_hang() -> None:
    items: Any = [lambda: 1, (x for x in "generators do not pickle")]
    with pytest.raises((TypeError, WorkFailed)):
        list(spread(lambda: lambda x: 1, items, PLAN, here=False, name=lambda x: "odd"))


@pytest.mark.parametrize("named", ["plan", "environment"])
def test_a_head_that_does_not_answer_is_named_at_once(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.shutdown()
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    with socket.socket() as bound:  # and listens to nobody
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address if named == "environment" else "")
        plan = ClusterPlan(address=address if named == "plan" else None)
        with pytest.raises(ConnectionError, match=f"{address}.*RAY_ADDRESS"):
            cluster.connect(plan)


def test_a_head_that_comes_up_in_time_is_waited_for() -> None:
    with socket.socket() as head:
        head.bind(("127.0.0.1", 0))
        threading.Timer(0.3, head.listen).start()
        cluster._await_head(f"127.0.0.1:{head.getsockname()[1]}")
    cluster._await_head("auto")  # a word of Ray's, which looks itself


def test_a_cluster_that_does_not_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def overloaded(**_: object) -> None:
        raise Exception("The current node timed out during startup. This could happen")

    cluster.shutdown()
    monkeypatch.setattr(ray, "init", overloaded)
    with pytest.raises(ConnectionError, match=r"this machine: The current node timed out [^.]*\. "):
        cluster.connect(PLAN)


@pytest.mark.ray
@ray_too
@pytest.mark.filterwarnings("ignore:lance is not fork-safe")
def test_a_cluster_that_was_at_hand_is_used_and_left() -> None:
    import ray

    cluster.connect(PLAN)
    assert ray.is_initialized()
    cluster.shutdown()
    assert not ray.is_initialized()
    ray.init(
        address="local",
        num_cpus=1,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
        runtime_env=cluster.runtime(remote=False),
    )
    assert sorted(spread(squaring(), range(3), PLAN, here=False)) == [0, 1, 4]
    cluster.shutdown()
    assert ray.is_initialized()
    ray.shutdown()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False
