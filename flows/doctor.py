"""Is everything here that a run needs? Each check says what it found and what to do about it."""

import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from operator import methodcaller
from pathlib import Path
from typing import Final, Literal, NamedTuple

from data.store import Store
from flows.orchestration import answers, server_url

ROOM: Final = 5 * 2**30
"""Bytes of free disk under which a night may well run out of room."""
PINS: Final = {
    "fastapi": ((0, 151), "from 0.158 on the server of Prefect 3.8 does not start"),
    "sqlalchemy": ((2, 1), "under 2.1 Prefect's scheduler silently makes no runs"),
}
"""Distribution -> the first version (major, minor) that does not work here, and why."""


class Finding(NamedTuple):
    """What one check found.

    Args:
        check: what was looked at.
        state: ``fail`` stops a run, ``warn`` may hurt it.
        found: what is there.
        advice: what to do; empty where nothing is to be done.
    """

    check: str
    state: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def examine(store: Store, ray: bool = False) -> Iterator[Finding]:
    """The findings of all checks, one after the other; with RAY a worker is started and asked."""
    yield from libraries()
    yield writable(store)
    yield room(store)
    yield threads()
    yield prefect_server()
    if ray:
        yield ray_worker()


def libraries() -> Iterator[Finding]:
    """Whether the libraries are here, in versions that work together."""
    yield Finding("python", "ok", platform.python_version())
    for name in ("torch", "pylance", "lancedb", "ray", "prefect", "dvc", *PINS):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(name, "fail", "not installed", "run: make setup")
            continue
        if name in PINS and _numbers(version) >= PINS[name][0]:
            limit = ".".join(str(part) for part in PINS[name][0])
            advice = f"{PINS[name][1]}; run: pip install '{name}<{limit}'"
            yield Finding(name, "fail", version, advice)
        else:
            yield Finding(name, "ok", version)


def writable(store: Store) -> Finding:
    """Whether the store keeps what is written, and lets one of two creators win."""
    name = f"doctor-{uuid.uuid4().hex}"
    advice = "set NIGHTJAR_STORE to a folder or bucket you may write to"
    try:
        first, second = store.create(name, b"here"), store.create(name, b"there")
        kept = store.read(name)
        store.delete(name)
    except (OSError, ValueError, ImportError) as error:
        return Finding("store", "fail", f"{store.root}: {error}", advice)
    if (first, second, kept) != (True, False, b"here"):
        found = f"{store.root} lets two writers create one object"
        return Finding("store", "fail", found, "use a bucket with conditional writes, or a folder")
    return Finding("store", "ok", f"{store.root} is writable")


def room(store: Store) -> Finding:
    """Whether the disk of the store, or of the workspace beside a bucket, has room."""
    folder = Path(store.root) if store.local else Path(os.environ.get("TMPDIR", "/tmp"))
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < ROOM:
        return Finding("disk", "warn", found, "make room, or run: nightjar clean RECIPE")
    return Finding("disk", "ok", found)


def threads() -> Finding:
    """How many threads torch takes in this process; a worker always takes one."""
    import torch

    found, cores = torch.get_num_threads(), os.cpu_count() or 1
    text = f"{found} in this process, 1 in a worker, {cores} cores"
    if found > cores:
        return Finding("torch threads", "warn", text, f"set OMP_NUM_THREADS to at most {cores}")
    return Finding("torch threads", "ok", text)


def prefect_server() -> Finding:
    """Whether a Prefect server is configured, and whether it answers."""
    url = server_url()
    if not url:
        found = "none configured: `nightjar reindex` runs its stages in its own process"
        return Finding("prefect server", "ok", found)
    if answers(url):
        return Finding("prefect server", "ok", f"{url} answers")
    advice = "start it (prefect server start), or unset PREFECT_API_URL"
    return Finding("prefect server", "fail", f"{url} does not answer", advice)


def ray_worker() -> Finding:
    """Whether Ray starts a worker that works."""
    from tasks.cluster import ClusterPlan, spread

    plan = ClusterPlan(workers=1, small=0)
    try:
        answer = list(spread(partial(methodcaller, "upper"), ["here"], plan, here=False))
    except (OSError, RuntimeError) as error:
        return Finding("ray", "fail", str(error).splitlines()[0], "see docs/cluster.md")
    if answer != ["HERE"]:
        return Finding("ray", "fail", f"a worker said {answer}", "see docs/cluster.md")
    return Finding("ray", "ok", "a worker was started and answered")


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of VERSION: (2, 0) of ``2.0.58``."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
