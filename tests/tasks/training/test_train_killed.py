"""Training with real kills and by two workers: the same bits in the end, one encoder."""

import io
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch

from data.store import Store
from data.taxonomy import Supervision
from tasks.cluster import ClusterPlan
from tasks.training import train
from tasks.training.course import checkpoint_folder, checkpoint_name
from tasks.training.train import load_encoder, trained
from tests.tasks.training.courses import Draw, fill, plan

ROOT = Path(__file__).parents[3]


class Killed(BaseException):
    """Stands for a kill between two steps."""


@pytest.mark.parametrize("at", [1, 3, 5, 6])
def test_a_training_that_broke_off_ends_with_the_same_bits(
    store: Store, version: int, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.training.course.EVERY", 1)
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
from tasks.training import course
from tasks.training.train import TrainPlan, train

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


RAY_WARNS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*:FutureWarning")

HALF = ClusterPlan(cpus=0.5)


@pytest.mark.ray
@RAY_WARNS
def test_two_workers_train_one_encoder_together(store: Store, version: int) -> None:
    wanted = plan(workers=2, supervision=Supervision.SUPERVISED)
    digest = train.train(store, "toy", version, wanted, HALF)
    embedder = load_encoder(store, digest)
    embedder.prove()
    assert (embedder.card["images"], len(embedder.card["loss"])) == (39, 2)
    assert trained(store, "toy", wanted) == digest
    assert store.names("encoders/training") == []
    alone = train.train(store, "toy", version, wanted.model_copy(update={"workers": 0}), again=True)
    assert alone != digest  # each worker whitens its own half of a batch


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(600)
@RAY_WARNS
def test_two_workers_of_which_one_is_killed_within_an_epoch_end_with_the_same_bits(
    store: Store, draw: Draw
) -> None:
    version = fill(store, [draw(n) for n in range(100)], [[f"c{n % 4}"] for n in range(100)])
    wanted = plan(
        workers=2, epochs=12, batch=4, ema=0.9, validation=0.3, supervision="supervised", keep=0
    )
    folder = checkpoint_folder("toy", version, wanted)
    killed: list[int] = []

    def within() -> int:
        """The steps of an epoch in hand after which a state is kept; 0 while there is none."""
        try:
            number = json.loads(store.read(f"{folder}/state.json"))["state"]
            state = io.BytesIO(store.read(f"{folder}/{number}/whole.pt"))
        except FileNotFoundError:
            return 0
        return int(torch.load(state, weights_only=True)["more"]["done"])

    def kill_one() -> None:
        until = time.monotonic() + 240
        while not killed and time.monotonic() < until:
            time.sleep(0.02)
            if steps := within():
                family = psutil.Process().children(recursive=True)
                workers = [one for one in family if "TrainWorker" in one.name()]
                workers = workers or [one for one in family if "TrainWorker" in str(one.cmdline())]
                for worker in workers[:1]:
                    worker.kill()
                    killed.append(steps)

    undisturbed = train.train(store, "toy", version, wanted, HALF)
    killer = threading.Thread(target=kill_one)
    killer.start()
    after = train.train(store, "toy", version, wanted, HALF, again=True)
    killer.join()
    assert killed
    assert after == undisturbed
