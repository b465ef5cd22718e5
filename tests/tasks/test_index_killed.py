"""A night of the index that is killed, fenced off or watched is all there or not at all."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest

from data.store import Store
from tasks.index import IndexPlan

if TYPE_CHECKING:
    from tests.tasks.conftest import World

LIVE, REMOVED, QUARANTINED = "live", "removed", "quarantined"


def pictures(*names: str, label: str = "a") -> dict[str, tuple[str, str, str]]:
    """Live images NAMES, each of its own content."""
    return {name: (f"content of {name}", label, LIVE) for name in names}


def test_a_lost_lease_leaves_the_index_as_it_was(real_world: "World") -> None:
    real_world.write(pictures("a"))
    real_world.describe_all()
    before = real_world.night("run-1")
    real_world.write(pictures("b"))
    real_world.describe_all()

    def lost() -> None:
        raise RuntimeError("another run holds the lease")

    with pytest.raises(RuntimeError, match="another run"):
        real_world.index("run-2", check=lost)
    assert real_world.open().version == before.version
    assert real_world.night("run-3").rows == 2


def test_a_reader_sees_all_of_a_night_or_nothing(real_world: "World") -> None:
    """Each night changes every label: a reader that saw two labels saw half a night."""
    keys = [f"k{n}" for n in range(30)]
    real_world.write(pictures(*keys, label="0"))
    real_world.describe_all()
    real_world.night("run-0")
    done, seen, torn = threading.Event(), set[str](), list[Any]()

    def read() -> None:
        while not done.is_set():
            rows = real_world.open().to_table(["key", "labels"])
            labels = {label for labels in rows["labels"].to_pylist() for label in labels}
            seen.update(labels)
            if len(labels) != 1 or len(rows) != 30 - int(min(labels)):
                torn.append((labels, len(rows)))

    reader = threading.Thread(target=read)
    reader.start()
    for night in range(1, 9):
        left = keys[: 30 - night]
        real_world.write(
            {**pictures(*left, label=str(night)), keys[30 - night]: ("", "a", REMOVED)}
        )
        real_world.describe_all()
        real_world.night(f"run-{night}")
    done.set()
    reader.join()
    assert torn == []
    assert len(seen) > 1


KILLED = """
    import os, signal, sys
    from data.store import Store
    from data.tables import Table
    from tasks.cluster import ClusterPlan
    from tasks.index import IndexPlan, index, seal
    from tasks import seal as sealing

    root, table, dataset, version, encoder, where = sys.argv[1:]
    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)
    if where == "sealed but not tagged":
        sealing._tag = lambda *arguments: die() if arguments[1].startswith("run-") else None
    store = Store(root)
    checks = iter([die] if where == "staged" else [lambda: None] * 9)
    candidate = index(store, table, dataset, int(version), encoder, IndexPlan(exact_below=20),
        ClusterPlan(), "night", lambda: next(checks)())
    if where == "committed":
        die()
    seal(store, candidate, {"recipe": "toy"}, die if where == "to be sealed" else lambda: None)
    die()
"""


@pytest.fixture
def two_worlds(tmp_path: Any) -> "list[World]":
    from tests.tasks.conftest import World

    worlds = [World(Store(str(tmp_path / name))) for name in ("killed", "undisturbed")]
    for world in worlds:
        world.write(pictures(*(f"k{n}" for n in range(40))))
        world.describe_all()
        world.night("first", IndexPlan(exact_below=20))
        world.write({**pictures("new"), "k1": ("other", "a", LIVE), "k2": ("", "a", REMOVED)})
        world.describe_all()
    return worlds


@pytest.mark.parametrize(
    "where", ["staged", "committed", "to be sealed", "sealed but not tagged", "sealed"]
)
def test_a_night_killed_and_run_again_ends_like_an_undisturbed_one(
    two_worlds: "list[World]", where: str
) -> None:
    killed, undisturbed = two_worlds
    before = killed.held()
    names = [killed.store.root, killed.table, killed.dataset, str(killed.version), killed.encoder]
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), *names, where],
        cwd=os.getcwd(),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert killed.held() == (before if where == "staged" else undisturbed.expected())
    again = killed.night("night", IndexPlan(exact_below=20))
    once = undisturbed.night("night", IndexPlan(exact_below=20))
    assert killed.held() == undisturbed.held() == undisturbed.expected()
    differing = {"code", "created", "seconds", "health", "version"}
    assert again.model_dump(exclude=differing) == once.model_dump(exclude=differing)
    assert killed.open("run-night").version == again.version  # type: ignore[arg-type]
    assert json.loads(killed.open().metadata["nightjar.lineage"])["run"] == "night"
