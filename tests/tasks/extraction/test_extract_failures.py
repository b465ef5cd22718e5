"""Extraction before bad pictures, bytes, networks and weights: what is blamed, what is borne."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.descriptors import DescriptorCache, descriptor_schema
from data.manifest import shard_name
from data.shards import CorruptShard
from data.store import Store
from models import canary, weights
from models.canary import CanaryMismatch
from models.pixels import DECODER
from models.weights import Embedder
from tasks.cluster import ClusterPlan, WorkFailed
from tasks.describe import bisected
from tasks.extract import ExtractPlan, FailureBudgetExceeded
from tasks.training import train
from tests.tasks.extraction.runs import SPEC, run, vectors


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
    # certain after the second part, while the third was at work
    assert len(DescriptorCache(store, encoder).parts()) == 3
    with pytest.raises(FailureBudgetExceeded, match="8 of 32"):
        run(store, places, encoder, plan)  # what is known to be bad counts again
    allowed = plan.model_copy(update={"failure_budget": 0.25})
    done = run(store, places, encoder, allowed)
    assert (done.cached, done.embedded, len(done.bad)) == (4, 20, 8)


def test_ten_bad_pictures_of_two_hundred_can_be_allowed_by_either_field() -> None:
    assert ExtractPlan().allowed(200) == 10
    assert ExtractPlan(min_failures=0).allowed(200) == 4
    assert ExtractPlan(min_failures=0, failure_budget=0.05).allowed(200) == 10
    assert ExtractPlan(min_failures=0, failure_budget=0.29).allowed(100) == 29  # 28.999… in binary
