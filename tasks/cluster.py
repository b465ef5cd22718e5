"""Ray's one room: work spread over processes that stay, on this machine or on a cluster.

`spread` keeps a pool of Ray actors. Each makes its work once (loads the model) and takes an item (a
shard, a part of one) at a time; only as many items are drawn as the actors can hold.
"""

import atexit
import logging
import math
import os
import socket
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from tasks.crew import ClusterPlan, Crew, cores
from tasks.worker import WorkFailed, in_this_process

I = TypeVar("I")  # noqa: E741  (an item)
R = TypeVar("R")

OBJECT_STORE_BYTES: Final = 512 * 2**20

PATIENCE: Final = 20.0
"""Seconds in which a cluster's head must answer; Ray itself would try for many minutes."""

_log = logging.getLogger(__name__)


__all__ = ["ClusterPlan", "WorkFailed", "connect", "runtime", "shutdown", "spread"]


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
        here: work in this process, in as many threads as there would be workers; the work is made
            once and no cluster is started.
        name: how an item is called in errors.

    Raises:
        WorkFailed: the work raised, or an item lost more than ``plan.restarts`` workers.
        Exception: whatever MAKE raised, at once: a worker that cannot be made is not tried again.
    """
    if here:
        yield from in_this_process(make, items, name, plan.threads())
        return
    connect(plan)
    import ray

    size = _workers(plan, ray.cluster_resources())
    crew: Crew[I, R] = Crew(ray, size, make, iter(items), plan, name)
    try:
        yield from crew.answers()
    finally:
        crew.dismiss()


def connect(plan: ClusterPlan) -> None:
    """Join the cluster that PLAN or ``RAY_ADDRESS`` names, or start one here; reuse one at hand.

    Raises:
        ConnectionError: no cluster answers there, or none would start here; says what to do.
    """
    global _ours
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return
    address = plan.named
    settings: dict[str, Any] = {"address": address, "runtime_env": runtime(bool(address))}
    if address:
        _await_head(address)
    else:
        wanted = math.ceil(plan.workers * plan.cpus)
        settings |= {
            "address": "local",
            "num_cpus": max(wanted, cores()),
            "object_store_memory": OBJECT_STORE_BYTES,
            "include_dashboard": False,
        }
    with warnings.catch_warnings():
        # Ray's servers are forked and exec at once: what lance fears of a fork cannot come about
        warnings.filterwarnings("ignore", "lance is not fork-safe")
        try:
            ray.init(logging_level="ERROR", log_to_driver=False, **settings)
        except ValueError:  # what was asked for, not how it went
            raise
        except Exception as error:  # Ray raises it bare
            raise _unwilling(address, error) from error
    # Ray tells of lost workers on stdout, which belongs to the command's answer
    ray._private.worker.print_to_stdstream = _tell
    _ours = True
    atexit.register(shutdown)


def _await_head(address: str) -> None:
    """Return once somebody listens at ADDRESS, HOST:PORT; at once where it is another word of Ray.

    Raises:
        ConnectionError: nobody does, `PATIENCE` long.
    """
    host, _, port = address.rpartition(":")
    if "/" in address or not port.isdecimal():
        return
    until = time.monotonic() + PATIENCE
    while True:
        try:
            left = max(0.1, until - time.monotonic())
            socket.create_connection((host.strip("[]"), int(port)), left).close()
            return
        except (OSError, OverflowError) as error:
            if time.monotonic() >= until:
                raise ConnectionError(
                    f"No Ray cluster answers at {address}: {error}. Start its head "
                    f"(ray start --head --port {port}), or correct cluster.address or RAY_ADDRESS; "
                    "without either, the work is done on this machine."
                ) from error
        time.sleep(0.5)


def _unwilling(address: str | None, error: Exception) -> ConnectionError:
    """That no cluster was to be had at ADDRESS, or here where there is none, of what ERROR says."""
    why = str(error).partition(". ")[0].rstrip(".")
    if address:
        return ConnectionError(
            f"The Ray cluster at {address} let nobody in: {why}. It must have the Python and the "
            "Ray of this machine, and may want a token (RAY_AUTH_MODE=token): see docs/cluster.md."
        )
    return ConnectionError(
        f"No Ray cluster would start on this machine: {why}. Run it again when less runs beside "
        "it; what is finished is kept."
    )


def _tell(data: Mapping[str, Any], ignore_prefix: bool) -> None:
    """Log what Ray would print."""
    for line in data.get("lines", ()):
        _log.warning("%s: %s", data.get("pid"), line)


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


def _workers(plan: ClusterPlan, resources: Mapping[str, float]) -> int:
    """How many workers of PLAN a cluster of RESOURCES can hold, at most what PLAN asks for.

    Raises:
        ValueError: not even one, in a cluster that was started here and will not grow.
    """
    grows = bool(plan.named)
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
