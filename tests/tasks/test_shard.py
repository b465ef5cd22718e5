"""Shard: each candidate is read once, its bytes are kept once, and a killed night is taken up."""

import hashlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from data.adapters import DATASETS
from data.shards import members
from data.store import Store
from tasks.cluster import ClusterPlan
from tasks.plan import candidates
from tasks.scan import ScanPlan, SourcePlan, scan
from tasks.shard import ShardPlan, shard
from tests.tasks.nights import Memory, Nights, Picture, counted, memory_nights, rows_in

Draw = Callable[..., bytes]


@pytest.fixture
def nights(store: Store, monkeypatch: pytest.MonkeyPatch) -> Nights:
    return replace(memory_nights(store, monkeypatch), shard=ShardPlan(images=4))


def resolved(nights: Nights, workspace: Path, **options: object) -> list[dict[str, object]]:
    """What became of the candidates, in the listing's order: chunks are told as they finish."""
    (wave,) = scan(nights.source, nights.scan, workspace)
    wanted = candidates(nights.store, nights.dataset, workspace, wave)
    path = shard(
        nights.store,
        nights.dataset,
        nights.source,
        wanted,
        nights.shard,
        nights.cluster,
        workspace,
        **options,  # type: ignore[arg-type]
    )
    return sorted(rows_in(path), key=lambda row: int(str(row["position"])))


def test_every_candidate_is_accounted_for(nights: Nights, draw: Draw, tmp_path: Path) -> None:
    Memory.pictures = {
        "good": Picture(draw(1, width=30, height=20)),
        "copy": Picture(draw(1, width=30, height=20)),
        "png": Picture(draw(2, suffix="png")),
        "empty": Picture(b""),
        "lost": Picture(FileNotFoundError(2, "No such file or directory")),
    }
    rows = {str(row["key"]): row for row in resolved(nights, tmp_path)}
    assert {key: (row["state"], row["reason"]) for key, row in rows.items()} == {
        "good": ("live", ""),
        "copy": ("live", ""),
        "png": ("live", ""),
        "empty": ("quarantined", "empty"),
        "lost": ("deferred", "unreadable: No such file or directory"),
    }
    assert (rows["good"]["width"], rows["good"]["height"]) == (30, 20)
    assert rows["copy"] == {**rows["good"], "key": "copy", "position": 1}
    assert rows["empty"]["digest"] == hashlib.sha256(b"").hexdigest()
    assert (rows["empty"]["shard"], rows["lost"]["digest"]) == ("", "")
    (tar,) = [name for name in nights.tars() if name.endswith(".tar")]
    with nights.store.fs.open(nights.store.uri(f"shards/pictures/{tar}")) as file:
        held = {name: (span.offset, content) for name, span, content in members(file)}
    assert held == {
        f"{rows['good']['digest']}.jpg": (rows["good"]["offset"], draw(1, width=30, height=20)),
        f"{rows['png']['digest']}.png": (rows["png"]["offset"], draw(2, suffix="png")),
    }


def test_the_same_input_makes_the_same_bytes(nights: Nights, draw: Draw, tmp_path: Path) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i)) for i in range(10)}
    other = replace(nights, store=Store(str(tmp_path / "other")))
    nights.night()
    other.night()
    assert len(nights.tars()) == 6
    assert nights.tars() == other.tars()


def test_a_shard_ends_at_its_images_or_its_bytes(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    large = draw(1, suffix="png") + bytes(600_000)
    Memory.pictures = {f"{i}": Picture(large + bytes([i])) for i in range(4)}
    here = replace(nights, shard=ShardPlan(images=3, megabytes=1))
    assert len({row["shard"] for row in resolved(here, tmp_path)}) == 4
    (tmp_path / "again").mkdir()
    here = replace(here, shard=ShardPlan(images=3), store=Store(str(tmp_path / "other")))
    assert len({row["shard"] for row in resolved(here, tmp_path / "again")}) == 2


def test_bytes_that_are_held_are_not_stored_again(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {"a": Picture(draw(1)), "b": Picture(draw(2))}
    nights.night()
    before = nights.tars().keys()
    Memory.pictures = {"copy": Picture(draw(1)), "b": Picture(draw(2))}
    assert [row["state"] for row in resolved(nights, tmp_path)] == ["known"]
    assert {name for name in nights.tars().keys() - before if name.endswith(".tar")} == set()


def test_a_removed_image_that_comes_back_finds_its_bytes(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {"a": Picture(draw(1)), "b": Picture(draw(2))}
    nights.night("one")
    place = nights.rows()["a"]
    del Memory.pictures["a"]
    nights.night("two")
    assert nights.rows()["a"]["state"] == "removed"
    Memory.pictures["a"] = Picture(draw(1), mtime=7)
    _, change = nights.night("three")
    row = nights.rows()["a"]
    assert counted(change) == {"added": 1, "unchanged": 1, "listed": 2}
    assert (change.bytes, row["state"], row["mtime"]) == (0, "live", 7)
    assert [row[name] for name in ("shard", "offset")] == [place["shard"], place["offset"]]


def test_a_finished_chunk_is_not_read_again(nights: Nights, draw: Draw, tmp_path: Path) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i)) for i in range(8)}
    (tmp_path / "killed").mkdir()
    first = resolved(nights, tmp_path / "killed")
    Memory.asked.clear()
    (tmp_path / "next").mkdir()
    assert resolved(nights, tmp_path / "next") == first
    assert Memory.asked == []


def test_what_could_not_be_read_is_asked_for_again_alone(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i)) for i in range(3)}
    size = len(draw(1))
    Memory.pictures["1"] = Unsteady(PermissionError(13, "Permission denied"), told=size)
    (tmp_path / "killed").mkdir()
    assert resolved(nights, tmp_path / "killed")[1]["state"] == "deferred"
    Memory.asked.clear()
    Memory.pictures["1"] = Picture(draw(1))
    (tmp_path / "next").mkdir()
    rows = resolved(nights, tmp_path / "next")
    assert Memory.asked == ["1"]
    assert {row["key"]: row["state"] for row in rows} == dict.fromkeys("012", "live")


class Unsteady(Picture):
    """A picture whose size is known though it cannot be read."""

    def __init__(self, content: OSError, told: int) -> None:
        super().__init__(content)
        object.__setattr__(self, "told", told)

    @property
    def size(self) -> int:
        return int(self.told)  # type: ignore[attr-defined]


def test_a_chunk_whose_tar_is_lost_is_read_again(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {"a": Picture(draw(1))}
    (tmp_path / "one").mkdir()
    first = resolved(nights, tmp_path / "one")
    before = nights.tars()
    nights.store.delete(f"shards/pictures/{first[0]['shard']}.tar")
    (tmp_path / "two").mkdir()
    assert resolved(nights, tmp_path / "two") == first
    assert nights.tars() == before


def test_a_sidecar_counts_only_against_the_version_it_was_read_for(
    nights: Nights, draw: Draw
) -> None:
    # size and no time stamp: the listing cannot tell the second picture from the first
    one, two = draw(1, suffix="png") + b"12", draw(1, suffix="png") + b"21"
    Memory.pictures = {"a": Picture(one, mtime=0), "b": Picture(draw(3))}
    nights.night("one")
    del Memory.pictures["a"]
    nights.night("two")
    Memory.pictures["a"] = Picture(two, mtime=0)
    nights.night("three")
    assert nights.bytes_of(nights.rows()["a"]) == two


def test_a_passed_deadline_defers_what_is_left(nights: Nights, draw: Draw) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i)) for i in range(6)}
    _, change = nights.night("short", deadline=time.monotonic() - 1)
    assert counted(change) == {"deferred": 6, "listed": 6}
    assert nights.rows() == {}
    _, change = nights.night("long")
    assert counted(change) == {"added": 6, "listed": 6}


def test_digests_alone_leave_the_store_as_it_is(nights: Nights, draw: Draw, tmp_path: Path) -> None:
    Memory.pictures = {"a": Picture(draw(1)), "bad": Picture(b"no")}
    rows = resolved(nights, tmp_path, write=False)
    assert [(row["state"], row["shard"]) for row in rows] == [("live", ""), ("quarantined", "")]
    assert rows[0]["length"] == len(draw(1))
    assert nights.tars() == {}


def slow_night(store: Store, pictures: dict[str, Picture], workspace: Path) -> None:
    DATASETS["memory"] = Memory  # type: ignore[index]
    Memory.pictures, Memory.slow = pictures, 0.05
    replace(Nights(store), shard=ShardPlan(images=4)).change(workspace)


def test_a_night_that_was_killed_ends_as_an_undisturbed_one(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {f"{i:02}": Picture(draw(i)) for i in range(40)}
    undisturbed = replace(nights, store=Store(str(tmp_path / "undisturbed")))
    undisturbed.night("a run")
    (tmp_path / "killed").mkdir()
    work = (nights.store, dict(Memory.pictures), tmp_path / "killed")
    process = multiprocessing.get_context("spawn").Process(target=slow_night, args=work)
    process.start()
    while sum(name.endswith(".arrow") for name in nights.tars()) < 3 and process.is_alive():
        time.sleep(0.01)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    finished = sum(name.endswith(".arrow") for name in nights.tars())
    Memory.asked.clear()
    nights.night("a run")
    assert len(Memory.asked) == 40 - 4 * finished
    assert nights.rows() == undisturbed.rows()
    assert nights.tars() == undisturbed.tars()


@pytest.mark.ray
def test_workers_on_a_cluster_write_what_this_process_would(
    picture_folder: Callable[..., Path], tmp_path: Path
) -> None:
    root = picture_folder(30)
    here = Nights(
        Store(str(tmp_path / "here")),
        source=SourcePlan(dataset="folder", root=str(root)),
        scan=ScanPlan(),
        shard=ShardPlan(images=7),
    )
    spread = replace(
        here, store=Store(str(tmp_path / "spread")), cluster=ClusterPlan(workers=2, small=0)
    )
    here.night("a run")
    spread.night("a run")
    assert spread.tars() == here.tars()
    assert spread.rows() == here.rows()
