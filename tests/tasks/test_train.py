"""A plan is trained once, ends with the same bits after any kill, and is found again."""

import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pytest
import torch

from data.manifest import LIVE, MANIFEST, manifest, shard_name
from data.shards import ShardWriter
from data.store import Store
from data.tables import RUN
from data.taxonomy import DescriptorType, Supervision
from models.pixels import Transform
from tasks import cluster, train
from tasks.cluster import ClusterPlan
from tasks.course import checkpoint_name
from tasks.train import TrainPlan, load_encoder, trained
from tasks.training_set import Share, TrainingSet

Draw = Callable[..., bytes]

BAD = b"\xff\xd8\xff no picture"
ROOT = Path(__file__).parents[2]


def plan(**changes: Any) -> TrainPlan:
    """A plan that takes a second."""
    small = {"size": 28, "width": 8, "dimensions": 16, "epochs": 2, "batch": 16, "device": "cpu"}
    return TrainPlan.model_validate(small | changes)


def fill(
    store: Store,
    contents: Sequence[bytes],
    labels: Sequence[Sequence[str]],
    splits: Sequence[str] | None = None,
    dataset: str = "toy",
) -> int:
    """Put CONTENTS, 20 a shard, into DATASET; its version."""
    rows = []
    for first in range(0, len(contents), 20):
        with store.replacing(shard_name(dataset, f"s{first:03d}")) as out:
            writer, spans = ShardWriter(out), {}
            for number in range(first, min(first + 20, len(contents))):
                digest = hashlib.sha256(contents[number]).hexdigest()
                if digest not in spans:
                    spans[digest] = writer.add(f"{digest}.jpg", contents[number])
                span = spans[digest]
                row = {"key": f"{number:03d}", "uri": f"/{number}.jpg", "labels": labels[number]}
                place = {"shard": f"s{first:03d}", "offset": span.offset, "length": span.length}
                said = {"split": splits[number] if splits else "", "state": LIVE, "digest": digest}
                rows.append(row | place | said | {"size": span.length, "mtime": 0, "etag": ""})
            writer.close()
    table = manifest(store, dataset)
    base = table.latest()
    staged = table.stage(pa.Table.from_pylist(rows, schema=MANIFEST))
    return int(table.commit(base, staged, np.empty(0, np.uint64), {RUN: "test"}).version)


@pytest.fixture
def version(store: Store, draw: Draw) -> int:
    """40 pictures of four classes in two shards, one of which cannot be decoded."""
    contents = [draw(number) for number in range(39)] + [BAD]
    return fill(store, contents, [[f"c{number % 4}"] for number in range(40)])


@pytest.mark.parametrize("supervision", ["supervised", "self_supervised"])
@pytest.mark.parametrize("descriptor", ["binary", "real_valued"])
def test_a_trained_encoder_is_found_proves_itself_and_has_a_card(
    store: Store, version: int, supervision: str, descriptor: str
) -> None:
    wanted = plan(supervision=supervision, descriptor=descriptor)
    assert trained(store, "toy", wanted) is None
    told: list[tuple[str, int, int, str]] = []
    digest = train.train(store, "toy", version, wanted, progress=lambda *said: told.append(said))
    assert trained(store, "toy", wanted) == digest
    embedder = load_encoder(store, digest)
    embedder.prove()
    assert embedder.digest == digest
    assert embedder.spec.descriptor is DescriptorType(descriptor)
    card = embedder.card
    assert (card["supervision"], card["dataset_version"]) == (supervision, version)
    assert (card["images"], card["bad"], card["licence"]) == (39, 1, "own")
    assert len(card["loss"]) == 2
    assert card["plan"] == wanted.model_dump(mode="json")
    assert card["libraries"]["torch"]
    assert told[0][:3] == ("decode", 40, 40)
    assert told[-1][:3] == ("train", 4, 4)
    assert store.names("encoders/training") == []


def test_a_plan_is_trained_once_for_a_dataset(
    store: Store, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = train.train(store, "toy", version, plan())

    def refuse(*_: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(train, "run", refuse)
    assert train.train(store, "toy", version + 5, plan()) == digest
    assert train.train(store, "toy", version, plan(threads=2, memory_mb=100)) == digest
    with pytest.raises(AssertionError, match="trained again"):
        train.train(store, "toy", version, plan(), again=True)
    for other in (plan(seed=1), plan(dimensions=24)):
        with pytest.raises(AssertionError, match="trained again"):
            train.train(store, "toy", version, other)
    assert trained(store, "another", plan()) is None


@pytest.mark.parametrize("memory_mb", [2048, 1])
def test_training_again_ends_with_the_same_bits(store: Store, version: int, memory_mb: int) -> None:
    # at 160 pixels one MiB holds 13 pictures: the 40 are streamed
    wanted = plan(size=160 if memory_mb == 1 else 28, memory_mb=memory_mb, width=4)
    digest = train.train(store, "toy", version, wanted)
    assert train.train(store, "toy", version, wanted, again=True) == digest
    assert train.train(store, "toy", version, wanted.model_copy(update={"seed": 1})) != digest


class Killed(BaseException):
    """Stands for a kill between two steps."""


@pytest.mark.parametrize("at", [1, 3, 5, 6])
def test_a_training_that_broke_off_ends_with_the_same_bits(
    store: Store, version: int, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.course.EVERY", 1)
    wanted = plan(epochs=3, supervision="supervised")
    undisturbed = train.train(store, "toy", version, wanted)
    store.delete("encoders")

    def kill(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("train", at):
            raise Killed

    with pytest.raises(Killed):
        train.train(store, "toy", version, wanted, progress=kill)
    assert store.exists(checkpoint_name("toy", version, wanted)) == (at > 2)
    steps: list[int] = []
    after = train.train(
        store,
        "toy",
        version,
        wanted,
        progress=lambda s, done, *_: steps.append(done * (s == "train")),
    )
    assert after == undisturbed
    assert max(1, (at - 1) // 2 * 2 + 1) in steps
    assert not any(0 < step <= (at - 1) // 2 * 2 for step in steps)


SCRIPT = """
import sys
from data.store import Store
from tasks import course
from tasks.train import TrainPlan, train

course.EVERY = 1
root, version, plan = sys.argv[1:]

def say(*said):
    sys.stdout.write(f"{said[0]} {said[1]}\\n")
    sys.stdout.flush()
    if said[:2] == ("train", 4):
        sys.stdin.readline()  # hold still, to be killed here

train(Store(root), "toy", int(version), TrainPlan.model_validate_json(plan), progress=say)
"""


def test_a_killed_process_leaves_what_another_ends_with_the_same_bits(
    store: Store, version: int
) -> None:
    wanted = plan(epochs=3)
    undisturbed = train.train(store, "toy", version, wanted)
    store.delete("encoders")
    command = [sys.executable, "-c", SCRIPT, store.root, str(version), wanted.model_dump_json()]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line == "train 4\n":
                child.send_signal(signal.SIGKILL)
                break
    assert child.returncode == -signal.SIGKILL
    assert trained(store, "toy", wanted) is None
    assert store.exists(checkpoint_name("toy", version, wanted))
    assert train.train(store, "toy", version, wanted) == undisturbed


def test_without_epochs_the_encoder_is_as_it_was_drawn(store: Store) -> None:
    digest = train.train(store, "nothing", 1, plan(epochs=0))
    load_encoder(store, digest).prove()
    assert train.train(store, "nothing", 1, plan(epochs=0, seed=2)) != digest


def test_training_goes_on_from_an_encoder_of_our_own(store: Store, version: int) -> None:
    first = train.train(store, "toy", version, plan())
    path = store.uri(f"encoders/{first}/encoder.safetensors")
    frozen = plan(pretrained=path, frozen=True, supervision="supervised", dimensions=24)
    second = load_encoder(store, train.train(store, "toy", version, frozen))
    old = load_encoder(store, first).encoder.state_dict()
    assert second.spec.dimensions == 24
    for name, value in second.encoder.state_dict().items():
        assert name.startswith("head.") or torch.equal(value, old[name]), name


def test_minutes_end_a_training_early_and_the_card_says_so(store: Store, version: int) -> None:
    digest = train.train(store, "toy", version, plan(epochs=500, minutes=1e-6))
    card = load_encoder(store, digest).card
    assert card["stopped_early"] is True
    assert len(card["loss"]) == 1


def test_a_split_is_kept_to(store: Store, draw: Draw) -> None:
    splits = ["train"] * 25 + ["test"] * 15
    version = fill(store, [draw(n) for n in range(40)], [["a"], ["b"]] * 20, splits)
    digest = train.train(store, "toy", version, plan())
    assert load_encoder(store, digest).card["images"] == 25
    digest = train.train(store, "toy", version, plan(split="test"))
    assert load_encoder(store, digest).card["images"] == 15
    with pytest.raises(ValueError, match=r"in the splits 'test', 'train'; asked for: 'val'"):
        train.train(store, "toy", version, plan(split="val"))


def test_too_few_classes_point_to_self_supervision(store: Store, draw: Draw) -> None:
    version = fill(store, [draw(n) for n in range(8)], [["only"]] * 8)
    with pytest.raises(ValueError, match="Choose self_supervised"):
        train.train(store, "toy", version, plan(supervision="supervised"))


def test_a_training_that_diverges_says_so(store: Store, version: int) -> None:
    with pytest.raises(FloatingPointError, match=r"Choose a smaller lr than 1e\+20"):
        train.train(store, "toy", version, plan(optimiser="sgd", lr=1e20, warm_up=0, epochs=9))


def test_a_corrupt_or_missing_encoder_is_not_loaded(store: Store, version: int) -> None:
    digest = train.train(store, "toy", version, plan())
    name = f"encoders/{digest}/encoder.safetensors"
    content = store.read(name)
    store.write(name, content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ValueError, match="it is corrupt"):
        load_encoder(store, digest)
    with pytest.raises(FileNotFoundError, match="train it again"):
        load_encoder(store, "f" * 64)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"supervision": "supervized"}, "supervised"),
        ({"network": "gan"}, "Unknown network 'gan': choose from convolutional"),
        ({"descriptor": "binary", "dimensions": 12}, "not a multiple of 8"),
        ({"epoch": 3}, "Extra inputs"),
    ],
)
def test_a_plan_with_a_wrong_word_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        plan(**wrong)


def pictures(store: Store, version: int, memory: int, **more: Any) -> TrainingSet:
    settings: dict[str, Any] = {"split": None, "labelled": True, "transform": Transform(size=16)}
    settings |= {"memory": memory} | more
    return TrainingSet(store, "toy", version, **settings)


ROOM = 3 * 16 * 16


@pytest.mark.parametrize("memory", [1000 * ROOM, 7 * ROOM])
def test_an_epoch_shows_each_good_picture_at_most_once_with_its_label(
    store: Store, version: int, draw: Draw, memory: int
) -> None:
    known = {Transform(size=16)(draw(number)).numpy().tobytes(): number % 4 for number in range(39)}
    rows = pictures(store, version, memory)
    rows.prepare(lambda done, total: None)
    assert rows.fits == (memory > 40 * ROOM)
    assert rows.classes == ["c0", "c1", "c2", "c3"]
    seen = []
    for images, targets in rows.batches(0, 0, 8, Share()):
        assert targets is not None
        assert targets.sum(dim=1).tolist() == [1] * 8
        for image, target in zip(images, targets, strict=True):
            assert known[image.numpy().tobytes()] == int(target.argmax())
            seen.append(image.numpy().tobytes())
    assert len(seen) == rows.steps(8) * 8 >= 32
    # while streaming, the place of the one that cannot be decoded goes to another
    assert len(set(seen)) >= len(seen) - (0 if rows.fits else 1)


@pytest.mark.parametrize("memory", [1000 * ROOM, 7 * ROOM])
def test_the_order_depends_on_seed_and_epoch_alone(store: Store, version: int, memory: int) -> None:
    def order(epoch: int, seed: int) -> list[bytes]:
        rows = pictures(store, version, memory, threads=2)
        rows.prepare(lambda done, total: None)
        return [images.numpy().tobytes() for images, _ in rows.batches(epoch, seed, 8, Share())]

    assert order(1, 0) == order(1, 0)
    assert len({tuple(order(epoch, seed)) for epoch in (0, 1) for seed in (0, 1)}) == 4


@pytest.mark.parametrize("memory", [1000 * ROOM, 7 * ROOM])
def test_workers_share_each_batch_without_overlap(store: Store, version: int, memory: int) -> None:
    shares = []
    for rank in range(2):
        rows = pictures(store, version, memory)
        rows.prepare(lambda done, total: None)
        batches = list(rows.batches(0, 0, 8, Share(rank, 2)))
        assert [len(images) for images, _ in batches] == [4] * rows.steps(8)
        shares.append({image.numpy().tobytes() for images, _ in batches for image in images})
    assert not shares[0] & shares[1]


def test_copies_count_once_and_pictures_without_labels_not_at_all(store: Store, draw: Draw) -> None:
    contents = [draw(n % 6) for n in range(12)]
    version = fill(store, contents, [[] if n % 6 == 5 else [f"c{n % 2}", "all"] for n in range(12)])
    assert len(pictures(store, version, 1 << 20)) == 5
    assert len(pictures(store, version, 1 << 20, labelled=False)) == 6


def test_a_dataset_of_bad_pictures_alone_is_refused(store: Store) -> None:
    version = fill(store, [BAD + bytes([n]) for n in range(4)], [["a"], ["b"]] * 2)
    for memory_mb in (2048, 1):
        with pytest.raises(ValueError, match="can be decoded"):
            train.train(store, "toy", version, plan(memory_mb=memory_mb, size=512))


RAY_WARNS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*:FutureWarning")
HALF = ClusterPlan(cpus=0.5)


@pytest.mark.ray
@RAY_WARNS
def test_two_workers_train_one_encoder_together(store: Store, version: int) -> None:
    wanted = plan(workers=2, supervision=Supervision.SUPERVISED)
    try:
        digest = train.train(store, "toy", version, wanted, HALF)
    finally:
        cluster.shutdown()
    embedder = load_encoder(store, digest)
    embedder.prove()
    assert (embedder.card["images"], len(embedder.card["loss"])) == (39, 2)
    assert trained(store, "toy", wanted) == digest
    assert store.names("encoders/training") == []
    alone = train.train(store, "toy", version, wanted.model_copy(update={"workers": 0}), again=True)
    assert alone != digest  # each worker whitens its own half of a batch


@pytest.mark.slow
@pytest.mark.ray
@RAY_WARNS
def test_two_workers_of_which_one_is_killed_end_with_the_same_bits(
    store: Store, version: int
) -> None:
    wanted = plan(workers=2, epochs=60)
    killed: list[int] = []

    def kill_one() -> None:
        until = time.monotonic() + 240
        while not killed and time.monotonic() < until:
            time.sleep(0.05)
            if store.exists(checkpoint_name("toy", version, wanted)):
                family = psutil.Process().children(recursive=True)
                workers = [one for one in family if "TrainWorker" in one.name()]
                workers = workers or [one for one in family if "TrainWorker" in str(one.cmdline())]
                for worker in workers[:1]:
                    worker.kill()
                    killed.append(worker.pid)

    try:
        undisturbed = train.train(store, "toy", version, wanted, HALF)
        killer = threading.Thread(target=kill_one)
        killer.start()
        after = train.train(store, "toy", version, wanted, HALF, again=True)
        killer.join()
    finally:
        cluster.shutdown()
    assert killed
    assert after == undisturbed
