"""Extraction embeds what is missing, once, within its bounds, part by part."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.descriptors import DescriptorCache
from data.manifest import MANIFEST, manifest
from data.store import Store
from tasks import pictures
from tasks.describe import Describer
from tasks.extract import ExtractPlan, missing, pictures_in
from tasks.pictures import PICTURES, parts_of
from tasks.training import train
from tests.tasks.extraction.runs import Progress, run, vectors


def test_every_picture_gets_the_descriptor_that_the_embedder_gives_it_alone(
    store: Store, encoder: str, shelve: Callable[..., pa.Table], draw: Callable[..., bytes]
) -> None:
    contents = [draw(i) for i in range(21)]
    places = shelve(contents)
    progress = Progress()
    done = run(store, places, encoder, progress=progress)
    assert (done.embedded, done.cached, done.deferred, len(done.bad)) == (21, 0, 0, 0)
    embedder = train.load_encoder(store, encoder)
    found = vectors(store, encoder, places["digest"])
    for digest, content in zip(places["digest"].to_pylist(), contents, strict=True):
        alone = embedder.describe(embedder.features(embedder.pixels(content)[None]))[0]
        np.testing.assert_allclose(found[digest], alone, atol=1e-5)
    assert [(told[0], *told[1:3]) for told in progress.told] == [
        *(("extract", done, 21) for done in (4, 8, 12, 16, 20, 21))
    ]
    assert "images/s" in progress.told[-1][3]
    assert "0 failed" in progress.told[-1][3]


def test_a_second_run_embeds_nothing_and_loads_no_encoder(
    store: Store,
    encoder: str,
    shelve: Callable[..., pa.Table],
    draw: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = shelve([draw(i) for i in range(5)])
    run(store, places, encoder)
    monkeypatch.setattr(train, "load_encoder", None)
    again = run(store, places, encoder)
    assert (again.embedded, again.cached, again.deferred, again.rate) == (0, 5, 0, 0.0)


def test_decoding_ahead_in_threads_gives_the_same_bits(
    store: Store, encoder: str, shelve: Callable[..., pa.Table], draw: Callable[..., bytes]
) -> None:
    places = shelve([*(draw(i) for i in range(19)), b"no picture"])
    run(store, places, encoder)
    folder = Path(store.uri(DescriptorCache(store, encoder).folder))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.unlink()
    run(store, places, encoder, ExtractPlan(batch=4, part=8, decode_threads=2))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("bound", [0, 5, 8, 9, 100])
def test_max_embeds_cuts_exactly_and_the_rest_waits(
    bound: int,
    store: Store,
    encoder: str,
    shelve: Callable[..., pa.Table],
    draw: Callable[..., bytes],
) -> None:
    places = shelve([draw(i) for i in range(12)])
    done = run(store, places, encoder, max_embeds=bound)
    assert (done.embedded, done.deferred) == (min(bound, 12), max(12 - bound, 0))
    rest = run(store, places, encoder)
    assert (rest.embedded, rest.cached, rest.deferred) == (12 - done.embedded, done.embedded, 0)


def test_past_the_deadline_no_part_is_begun_and_those_begun_are_finished(
    store: Store,
    encoder: str,
    shelve: Callable[..., pa.Table],
    draw: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = shelve([draw(i) for i in range(24)])
    assert run(store, places, encoder, max_minutes=0).deferred == 24
    describe = Describer.__call__

    def slow(self: Describer, part: Any) -> Any:
        clock.append(clock[-1] + 40)
        return describe(self, part)

    clock = [0.0]
    monkeypatch.setattr(Describer, "__call__", slow)
    monkeypatch.setattr("tasks.extract.time", SimpleNamespace(monotonic=lambda: clock[-1]))
    done = run(store, places, encoder, max_minutes=1)
    assert (done.embedded, done.deferred, done.seconds) == (8, 16, 80)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300)), max_size=60), st.integers(1, 7))
def test_parts_hold_all_pictures_in_order_within_their_bounds(
    drawn: list[tuple[int, int]], size: int
) -> None:
    shards, lengths = (
        zip(*sorted(drawn, key=lambda row: row[0]), strict=True) if drawn else ((), ())
    )
    table = pa.table(
        [
            [f"{i:064x}" for i in range(len(shards))],
            [f"s{shard}" for shard in shards],
            np.cumsum(lengths, dtype=np.int64),
            pa.array(lengths, pa.int64()),
        ],
        schema=PICTURES,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "PART_BYTES", 500)
        parts = list(parts_of(table, "d", size))
    assert [d for part in parts for d in part.digests] == table["digest"].to_pylist()
    assert [part.shard for part in parts for _ in part.digests] == table["shard"].to_pylist()
    assert all(0 < len(part) <= size for part in parts)
    assert all(part.lengths.sum() < 500 + 300 for part in parts)


def test_finished_parts_taken_away_leave_the_others_as_they_were() -> None:
    table = pa.table(
        [[f"{i:064x}" for i in range(30)], ["a"] * 17 + ["b"] * 13, [*range(30)], [1] * 30],
        schema=PICTURES,
    )
    names = [part.descriptors for part in parts_of(table, "d", 5)]
    rest = pa.concat_tables([table.slice(0, 5), table.slice(10, 7), table.slice(22)])
    assert [part.descriptors for part in parts_of(rest, "d", 5)] == [
        names[i] for i in (0, 2, 3, 5, 6)
    ]


def commit(store: Store, places: pa.Table, state: str = "live") -> int:
    base = manifest(store, "d").latest()
    offset = base.count_rows() if base else 0
    rows = places.to_pylist()
    told = {"size": 1, "mtime": 0, "etag": "", "uri": "", "state": state}
    table = pa.Table.from_pylist(
        [{**row, **told, "key": f"k{offset + i}"} for i, row in enumerate(rows)], schema=MANIFEST
    )
    there = manifest(store, "d")
    version: int = there.commit(
        base, there.stage(table), np.empty(0, np.uint64), {"run": "test"}
    ).version
    return version


def test_missing_are_the_live_images_without_a_good_descriptor_once_each_in_order(
    store: Store, encoder: str, shelve: Callable[..., pa.Table], draw: Callable[..., bytes]
) -> None:
    second = shelve([draw(3), draw(4)], "s2")
    first = shelve([draw(1), draw(2), b"bad"], "s1")
    commit(store, pa.concat_tables([second, first]))
    commit(store, first)  # copies under other keys
    version = commit(store, shelve([draw(9)], "s9"), "quarantined")
    waiting = missing(store, "d", version, encoder)
    assert waiting.equals(pa.concat_tables([first, second]))
    run(store, waiting.slice(1, 3), encoder)
    left = missing(store, "d", version, encoder)
    assert left["digest"].to_pylist() == [
        first["digest"][0].as_py(),
        first["digest"][2].as_py(),
        second["digest"][1].as_py(),
    ]
    done = run(store, left, encoder)
    assert (done.embedded, len(done.bad)) == (2, 1)
    assert missing(store, "d", 1, encoder)["digest"].to_pylist() == done.bad["digest"].to_pylist()


def test_pictures_in_a_wave_are_its_live_rows_that_lie_in_shards(tmp_path: Path) -> None:
    rows = {
        "digest": ["a", "b", "c", None],
        "shard": ["s", "s", "", None],
        "offset": [512, 2048, 0, None],
        "length": [9, 9, 0, None],
        "state": ["live", "quarantined", "live", "deferred"],
    }
    pq.write_table(pa.table(rows), tmp_path / "wave.parquet")
    assert pictures_in(tmp_path / "wave.parquet")["digest"].to_pylist() == ["a"]
