"""Extraction: what is missing is embedded once; bad pictures, bad bytes, bad encoders and kills."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.descriptors import DescriptorCache, descriptor_schema
from data.manifest import MANIFEST, manifest, shard_name
from data.shards import CorruptShard, pack
from data.store import Store
from models import canary, weights
from models.canary import CanaryMismatch
from models.pixels import DECODER, Transform
from models.weights import Embedder, EncoderSpec
from tasks import cluster, pictures, train
from tasks.cluster import ClusterPlan, WorkFailed
from tasks.describe import Describer, bisected
from tasks.extract import (
    Extraction,
    ExtractPlan,
    FailureBudgetExceeded,
    Limits,
    extract,
    missing,
    pictures_in,
)
from tasks.pictures import PICTURES, parts_of

ROOT = Path(__file__).parents[2]
SPEC = EncoderSpec(dimensions=16, transform=Transform(size=32), arguments={"width": 4})
PLAN = ExtractPlan(batch=4, part=8)
HERE = ClusterPlan()


@pytest.fixture(scope="module")
def encoder_file() -> bytes:
    return weights.save(weights.build(SPEC), SPEC)


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    """The tests share a cluster, which the first that needs one starts."""
    yield
    cluster.shutdown()


@pytest.fixture
def encoder(store: Store, encoder_file: bytes) -> str:
    """An encoder in the store, with a card that is true."""
    reference = canary.reference(weights.load(encoder_file))
    return train.keep_encoder(store, encoder_file, {"canary": reference})


@pytest.fixture
def shelve(store: Store) -> Callable[..., pa.Table]:
    """Puts a shard of contents into the store, and says where they lie."""

    def put(contents: list[bytes], shard: str = "s1") -> pa.Table:
        digests = [hashlib.sha256(content).hexdigest() for content in contents]
        with store.replacing(shard_name("d", shard)) as out:
            named = (
                (f"{digest}.jpg", content)
                for digest, content in zip(digests, contents, strict=True)
            )
            spans = pack(named, out)
        return pa.table(
            [
                digests,
                [shard] * len(digests),
                [span.offset for span in spans],
                [span.length for span in spans],
            ],
            schema=PICTURES,
        )

    return put


class Progress:
    def __init__(self) -> None:
        self.told: list[tuple[str, int, int, str]] = []

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        self.told.append((stage, done, total, note))


def run(
    store: Store,
    pictures: pa.Table,
    encoder: str,
    plan: ExtractPlan = PLAN,
    where: ClusterPlan = HERE,
    progress: Callable[[str, int, int, str], None] | None = None,
    **limits: float,
) -> Extraction:
    bounds = Limits.model_validate(limits)
    return extract(store, "d", pictures, encoder, plan, where, bounds, progress or Progress())


def vectors(store: Store, encoder: str, digests: pa.ChunkedArray) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for batch in DescriptorCache(store, encoder).read(digests):
        for digest, vector in zip(batch["digest"].to_pylist(), batch["vector"], strict=True):
            found[digest] = vector.values.to_numpy()
    return found


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
        ("extract", 8, 21),
        ("extract", 16, 21),
        ("extract", 21, 21),
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


def test_bad_pictures_are_rows_with_reasons_and_are_not_tried_again(
    store: Store, encoder: str, shelve: Callable[..., pa.Table], draw: Callable[..., bytes]
) -> None:
    odd = {b"": "empty", b"text": "not an image", draw(0)[:400]: "truncated"}
    places = shelve([draw(1), *odd, draw(2)])
    expected = {hashlib.sha256(content).hexdigest(): why for content, why in odd.items()}
    for embedded, cached in ((2, 0), (0, 2)):
        done = run(store, places, encoder)
        assert (done.embedded, done.cached, done.deferred) == (embedded, cached, 0)
        bad = done.bad.to_pylist()
        assert {row["digest"]: row["reason"] for row in bad} == expected
        assert set(done.bad["decoder"].to_pylist()) == {DECODER}


def test_what_another_decoder_refused_is_tried_again(
    store: Store, encoder: str, shelve: Callable[..., pa.Table], draw: Callable[..., bytes]
) -> None:
    places = shelve([draw(1)])
    refused = pa.table(
        [places["digest"], pa.array([None], pa.list_(pa.float32(), 16)), ["truncated"], ["old"]],
        schema=descriptor_schema(pa.float32(), 16),
    )
    DescriptorCache(store, encoder).write("old", refused)
    assert run(store, places, encoder).embedded == 1
    assert len(vectors(store, encoder, places["digest"])) == 1


@given(n=st.integers(1, 40), bad=st.sets(st.integers(0, 39)))
def test_bisection_finds_exactly_the_pictures_that_break_the_network(n: int, bad: set[int]) -> None:
    def features(batch: torch.Tensor) -> torch.Tensor:
        if bad & {*batch.tolist()}:
            raise ArithmeticError("no")
        return batch

    found = list(bisected(features, [torch.tensor(i) for i in range(n)]))
    assert sum(isinstance(piece, Exception) for piece in found) == len(bad & {*range(n)})
    good = [i for piece in found if isinstance(piece, torch.Tensor) for i in piece.tolist()]
    assert good == [i for i in range(n) if i not in bad]


@pytest.mark.parametrize("how", ["raises", "not finite"])
def test_a_picture_that_breaks_the_network_is_bad_and_its_batch_goes_on(
    how: str,
    store: Store,
    encoder: str,
    shelve: Callable[..., pa.Table],
    draw: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contents = [draw(i) for i in range(11)]
    places = shelve(contents)
    embedder = train.load_encoder(store, encoder)
    culprit = embedder.pixels(contents[6])
    features = Embedder.features

    def broken(self: Embedder, pixels: torch.Tensor) -> torch.Tensor:
        hit = (pixels == culprit).flatten(1).all(dim=1) if pixels.shape[2:] == (32, 32) else None
        if hit is None or not hit.any():
            return features(self, pixels)
        if how == "raises":
            raise RuntimeError("a kernel of this shape is not implemented")
        return torch.where(hit[:, None], torch.nan, features(self, pixels))

    monkeypatch.setattr(Embedder, "features", broken)
    done = run(store, places, encoder)
    assert done.embedded == 10
    assert done.bad["digest"].to_pylist() == [places["digest"][6].as_py()]
    assert done.bad["reason"].to_pylist() == ["network failed" if how == "raises" else how]
    assert len(vectors(store, encoder, places["digest"])) == 10


def test_a_network_that_fails_on_all_is_an_error_and_no_picture_is_blamed(
    store: Store,
    encoder: str,
    shelve: Callable[..., pa.Table],
    draw: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proved: list[int] = []

    def fails_once_proved(self: Embedder, pixels: torch.Tensor) -> torch.Tensor:
        if proved:
            raise RuntimeError("device lost")
        return features(self, pixels)

    def prove(self: Embedder) -> None:
        proving(self)
        proved.append(1)

    features, proving = Embedder.features, Embedder.prove
    monkeypatch.setattr(Embedder, "features", fails_once_proved)
    monkeypatch.setattr(Embedder, "prove", prove)
    with pytest.raises(WorkFailed, match="device lost"):
        run(store, shelve([draw(i) for i in range(3)]), encoder)
    assert DescriptorCache(store, encoder).parts() == []


def test_damaged_bytes_are_an_error_that_names_the_shard_and_no_bad_picture(
    store: Store, encoder: str, shelve: Callable[..., pa.Table], draw: Callable[..., bytes]
) -> None:
    places = shelve([draw(i) for i in range(3)])
    path = Path(store.uri(shard_name("d", "s1")))
    tar = bytearray(path.read_bytes())
    tar[places["offset"][1].as_py() + 50] ^= 1
    path.write_bytes(tar)
    with pytest.raises(WorkFailed, match=r"s1\.tar does not hold .* at offset") as caught:
        run(store, places, encoder)
    assert isinstance(caught.value.__cause__, CorruptShard)
    assert DescriptorCache(store, encoder).parts() == []


@pytest.mark.parametrize(
    "here", [True, pytest.param(False, marks=pytest.mark.ray)], ids=["here", "ray"]
)
def test_a_worker_whose_weights_are_poisoned_is_refused_before_it_writes(
    here: bool,
    store: Store,
    encoder_file: bytes,
    shelve: Callable[..., pa.Table],
    draw: Callable[..., bytes],
) -> None:
    true = canary.reference(weights.load(encoder_file))
    other = weights.save(weights.build(SPEC, seed=1), SPEC)
    poisoned = train.keep_encoder(store, other, {"canary": true})
    places = shelve([draw(i) for i in range(3)])
    where = ClusterPlan(workers=1, small=1000 if here else 0)
    with pytest.raises(CanaryMismatch):
        run(store, places, poisoned, where=where)
    assert DescriptorCache(store, poisoned).parts() == []


def test_the_failure_budget_stops_the_run_and_keeps_what_is_done(
    store: Store, encoder: str, shelve: Callable[..., pa.Table], draw: Callable[..., bytes]
) -> None:
    places = shelve([*(b"text%d" % i for i in range(8)), *(draw(i) for i in range(24))])
    plan = ExtractPlan(batch=4, part=8, min_failures=0, failure_budget=0.2)
    with pytest.raises(FailureBudgetExceeded, match="8 of 32 pictures are bad, 6 are allowed") as e:
        run(store, places, encoder, plan)
    assert places["digest"][0].as_py() in str(e.value)
    assert "8 not an image" in str(e.value)
    assert len(DescriptorCache(store, encoder).parts()) == 1  # certain after the first part
    with pytest.raises(FailureBudgetExceeded, match="8 of 32"):
        run(store, places, encoder, plan)  # what is known to be bad counts again
    allowed = plan.model_copy(update={"failure_budget": 0.25})
    done = run(store, places, encoder, allowed)
    assert (done.embedded, len(done.bad)) == (24, 8)


def test_ten_bad_pictures_of_two_hundred_can_be_allowed_by_either_field() -> None:
    assert ExtractPlan().allowed(200) == 10
    assert ExtractPlan(min_failures=0).allowed(200) == 4
    assert ExtractPlan(min_failures=0, failure_budget=0.05).allowed(200) == 10
    assert ExtractPlan(min_failures=0, failure_budget=0.29).allowed(100) == 29  # 28.999… in binary


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
    assert (done.embedded, done.deferred, done.seconds) == (16, 8, 80)


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


DRIVER = """
import sys
import pyarrow.parquet as pq
from data.store import Store
from tasks.cluster import ClusterPlan
from tasks.extract import ExtractPlan, Limits, extract
store, places, encoder, small = sys.argv[1:]

def main():
    def say(stage, done, total, note):
        sys.stdout.write(f"{done}\\n"); sys.stdout.flush()
    extract(Store(store), "d", pq.read_table(places), encoder, ExtractPlan(batch=4, part=8),
            ClusterPlan(workers=2, small=int(small)), Limits(), say)
main()
"""


@pytest.mark.parametrize(
    "small", [1000, pytest.param(0, marks=pytest.mark.ray)], ids=["here", "ray"]
)
def test_a_driver_killed_at_work_loses_only_the_parts_in_flight(
    small: int,
    store: Store,
    encoder: str,
    shelve: Callable[..., pa.Table],
    draw: Callable[..., bytes],
    tmp_path: Path,
) -> None:
    places = shelve([draw(i) for i in range(400)])
    pq.write_table(places, tmp_path / "places.parquet")
    arguments = [store.root, str(tmp_path / "places.parquet"), encoder, str(small)]
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "RAY_ADDRESS": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert driver.stdout is not None
    done = int(driver.stdout.readline())
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    kept = len(vectors(store, encoder, places["digest"]))
    assert done <= kept < 400
    again = run(store, places, encoder)
    assert (again.cached, again.embedded) == (kept, 400 - kept)
    assert len(vectors(store, encoder, places["digest"])) == 400


@pytest.mark.ray
def test_a_ray_worker_killed_at_work_costs_its_parts_and_nothing_else(
    store: Store, encoder: str, shelve: Callable[..., pa.Table], draw: Callable[..., bytes]
) -> None:
    places = shelve([draw(i) for i in range(160)])
    killed: list[int] = []

    def kill_one(stage: str, done: int, total: int, note: str) -> None:
        if not killed:
            killed.extend(actors()[:1])
            os.kill(killed[0], signal.SIGKILL)

    done = run(store, places, encoder, where=ClusterPlan(workers=2, small=0), progress=kill_one)
    assert killed
    assert (done.embedded, done.deferred, len(done.bad)) == (160, 0, 0)
    assert len(vectors(store, encoder, places["digest"])) == 160


def actors() -> list[int]:
    """The processes of this test's Ray workers that are actors of ours."""
    import psutil

    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if child.name().startswith("ray::Worker")]
