"""Plan: every listed key is in one class, as a plain simulation of the nights says."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.store import Store
from tasks.plan import CLASSES, candidates, plan
from tasks.scan import ScanPlan, scan
from tasks.shard import ShardPlan
from tests.tasks.nights import Memory, Nights, Picture, counted, memory_nights, rows_in

Draw = Callable[..., bytes]
GONE = OSError(5, "Input/output error")


@pytest.fixture
def nights(store: Store, monkeypatch: pytest.MonkeyPatch) -> Nights:
    return memory_nights(store, monkeypatch)


@dataclass(frozen=True)
class Held:
    """What the oracle remembers of a key."""

    stamp: tuple[int, int]
    digest: str
    state: str
    labels: tuple[str, ...]


def simulate(
    held: dict[str, Held], listing: dict[str, Picture], bad: frozenset[bytes]
) -> tuple[dict[str, str], dict[str, Held]]:
    """One night in plain loops: the class of every key, and what is held after it."""
    kinds: dict[str, str] = {}
    after = dict(held)
    newcomers: list[str] = []
    for key, picture in listing.items():
        old, stamp = held.get(key), (picture.size, picture.mtime)
        if old and old.state != "removed" and old.stamp == stamp:
            after[key] = replace(old, labels=picture.labels)
            if old.state == "quarantined":
                kinds[key] = "quarantined"
            else:
                kinds[key] = "unchanged" if old.labels == picture.labels else "relabelled"
            continue
        if isinstance(picture.content, OSError):
            kinds[key] = "deferred"
            continue
        digest = hashlib.sha256(picture.content).hexdigest()
        state = "quarantined" if picture.content in bad else "live"
        after[key] = Held(stamp, digest, state, picture.labels)
        if state == "quarantined":
            kinds[key] = "quarantined"
        elif old is None or old.state == "removed":
            newcomers.append(key)
        elif old.state == "quarantined" or old.digest != digest:
            kinds[key] = "changed"
        else:
            kinds[key] = "touched"
    gone = sorted(k for k, row in held.items() if k not in listing and row.state != "removed")
    free = [key for key in gone if held[key].state == "live"]
    taken = {
        after[k].digest
        for k in listing
        if k not in newcomers and k in after and after[k].state == "live"
    }
    for key in newcomers:
        digest = after[key].digest
        origin = next((k for k in free if held[k].digest == digest), None)
        if origin is not None:
            free.remove(origin)
            gone.remove(origin)
            kinds[key] = "moved"
            after[origin] = replace(held[origin], state="removed", labels=())
        else:
            kinds[key] = "duplicate" if digest in taken else "added"
        taken.add(digest)
    for key in gone:
        kinds[key] = "removed"
        after[key] = replace(held[key], state="removed", labels=())
    return kinds, after


KEYS = ("a", "b'", 'c"; DROP TABLE held; --', "d/ü.jpg", "e", "f")
LABELS = ((), ("x",), ("x, y",), ("x", "y"))
night_of = st.dictionaries(
    st.sampled_from(KEYS),
    st.tuples(st.integers(0, 6), st.integers(1, 2), st.sampled_from(LABELS)),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(night_of, min_size=2, max_size=4), st.integers(2, 4))
def test_nights_end_as_the_simulation_says(
    nights: Nights,
    draw: Draw,
    tmp_path_factory: pytest.TempPathFactory,
    listings: list[dict[str, tuple[int, int, tuple[str, ...]]]],
    size: int,
) -> None:
    bad = (b"no picture", b"")
    contents: list[bytes | OSError] = [*(draw(seed) for seed in range(4)), *bad, GONE]
    here = replace(
        nights,
        store=Store(str(tmp_path_factory.mktemp("store"))),
        scan=ScanPlan(wave=size),
        shard=ShardPlan(images=size),
    )
    held: dict[str, Held] = {}
    for listing in listings:
        Memory.pictures = {
            key: Picture(contents[which], mtime, labels=labels)
            for key, (which, mtime, labels) in listing.items()
        }
        kinds, held = simulate(held, Memory.pictures, frozenset(bad))
        _, change = here.night()
        assert counted(change) == Counter(kinds.values()) + Counter(listed=len(listing))
        assert sum(change.counts[kind] for kind in CLASSES) == len(listing)
        rows = here.rows()
        assert held == {
            key: Held(
                (row["size"], row["mtime"]), row["digest"], row["state"], tuple(row["labels"])
            )
            for key, row in rows.items()
        }
        for row in rows.values():
            if row["state"] == "live":
                assert hashlib.sha256(here.bytes_of(row)).hexdigest() == row["digest"]


def test_each_change_is_named(nights: Nights, draw: Draw, tmp_path: Path) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i), labels=("old",)) for i in range(8)}
    nights.night()
    Memory.asked.clear()
    Memory.pictures = {
        "0": Picture(draw(0), labels=("old",)),
        "1": Picture(draw(1), mtime=2, labels=("old",)),
        "2": Picture(draw(20), mtime=2),
        "3": Picture(draw(3), labels=("new",)),
        "four": Picture(draw(4)),
        "5": Picture(draw(5), labels=("old",)),
        "5 again": Picture(draw(5)),
        "6": Picture(b"not a picture", mtime=2),
        "8": Picture(draw(8)),
        "9": Picture(GONE),
    }
    change = nights.change(tmp_path)
    kinds = {row["key"]: row["kind"] for row in rows_in(change.keys)}
    assert kinds == {
        "1": "touched",
        "2": "changed",
        "3": "relabelled",
        "four": "moved",
        "4": "left behind",
        "5 again": "duplicate",
        "6": "quarantined",
        "7": "removed",
        "8": "added",
        "9": "deferred",
    }
    assert Memory.asked == ["1", "2", "four", "5 again", "6", "8", "9"]
    assert change.removed_share == 1 / 8
    assert change.bytes == len(draw(20)) + len(draw(8))
    assert change.examples["moved"] == ["four"]
    new = {hashlib.sha256(draw(seed)).hexdigest() for seed in (8, 20)}
    assert {row["digest"] for row in rows_in(change.digests)} == new


def test_two_names_that_swap_are_changed_and_bring_no_new_bytes(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {"a": Picture(draw(1)), "b": Picture(draw(2))}
    nights.night()
    shards = nights.tars().keys()
    Memory.pictures = {"a": Picture(draw(2), mtime=2), "b": Picture(draw(1), mtime=2)}
    change = nights.change(tmp_path)
    assert counted(change) == {"changed": 2, "listed": 2}
    assert (change.bytes, rows_in(change.digests)) == (0, [])
    assert {n for n in nights.tars() if n.endswith(".tar")} == {
        n for n in shards if n.endswith(".tar")
    }


def test_planning_alone_changes_nothing_and_says_the_same(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {"a": Picture(draw(1)), "b": Picture(draw(1)), "c": Picture(b"")}
    dry = nights.change(tmp_path, write=False)
    assert not Path(nights.store.root).exists()
    _, wet = nights.night()
    assert (dry.counts, dry.bytes) == (wet.counts, wet.bytes)


def test_an_etag_is_believed_before_a_time_stamp(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {"same": Picture(draw(1), 1, "v1"), "other": Picture(draw(2), 1, "v1")}
    nights.night()
    Memory.pictures = {"same": Picture(draw(1), 2, "v1"), "other": Picture(draw(2), 1, "v2")}
    assert counted(nights.change(tmp_path)) == {"unchanged": 1, "touched": 1, "listed": 2}


def test_another_decoder_tries_a_quarantined_image_again(
    nights: Nights, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Memory.pictures = {"a": Picture(draw(1)), "bad": Picture(b"no picture")}
    nights.night()
    for wave in scan(nights.source, nights.scan, tmp_path):
        assert rows_in(candidates(nights.store, nights.dataset, tmp_path, wave)) == []
    monkeypatch.setattr("models.pixels.DECODER", "a newer one")
    again = candidates(nights.store, nights.dataset, tmp_path, wave)
    assert [row["key"] for row in rows_in(again)] == ["bad"]


def test_what_was_not_read_is_deferred(nights: Nights, draw: Draw, tmp_path: Path) -> None:
    Memory.pictures = {"a": Picture(draw(1))}
    list(scan(nights.source, nights.scan, tmp_path))
    change = plan(nights.store, nights.dataset, tmp_path)
    assert counted(change) == {"deferred": 1, "listed": 1}
    assert rows_in(change.keys)[0]["reason"] == "not read"


def test_images_that_turn_out_bad_leave_their_class(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {"old": Picture(draw(1)), "older": Picture(draw(3))}
    nights.night()
    Memory.pictures |= {"new": Picture(draw(2)), "older": Picture(draw(3), mtime=2)}
    change = nights.change(tmp_path)
    digests = [hashlib.sha256(draw(seed)).hexdigest() for seed in (1, 2, 3)]
    bad = pa.table({"digest": digests})
    assert counted(change) == {"unchanged": 1, "added": 1, "touched": 1, "listed": 3}
    assert counted(change.without(bad)) == {"quarantined": 3, "listed": 3}
    assert counted(change.without(bad.slice(0, 1))) == {
        "quarantined": 1,
        "added": 1,
        "touched": 1,
        "listed": 3,
    }


def test_a_source_that_is_empty_removes_everything(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {"a": Picture(draw(1)), "bad": Picture(b"")}
    nights.night()
    Memory.pictures = {}
    change = nights.change(tmp_path)
    assert counted(change) == {"removed": 2}
    assert change.removed_share == 1.0


def test_a_folder_with_a_quote_in_its_name_serves_as_workspace(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {"a": Picture(draw(1))}
    workspace = tmp_path / "it's; here"
    workspace.mkdir()
    assert counted(nights.change(workspace)) == {"added": 1, "listed": 1}


def test_rows_are_written_in_the_same_order_each_time(
    nights: Nights, draw: Draw, tmp_path: Path
) -> None:
    Memory.pictures = {f"{i}": Picture(draw(i)) for i in range(9, 0, -1)}
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files.append(pq.read_table(nights.change(tmp_path / name).rows))
    assert files[0].equals(files[1])
    assert files[0]["key"].to_pylist() == list(Memory.pictures)
