"""A training killed within an epoch, at whatever step, ends with the bits of an undisturbed one."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from data.store import Store
from data.taxonomy import Network
from models.networks import NETWORKS, Build
from models.networks.convolutional import ConvolutionalEncoder
from tasks.training import train
from tasks.training.course import checkpoint_folder, checkpoint_name
from tasks.training.train import TrainPlan, load_encoder, trained
from tests.tasks.training.courses import Draw, fill, plan
from tests.tasks.training.taught import ENTRIES

ROOT = Path(__file__).parents[3]


class Killed(BaseException):
    """Stands for a kill between two steps."""


@pytest.fixture
def hooked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervision with hooks and a network with a term, in the place of two that have none."""
    for table, word, entry in ENTRIES:
        monkeypatch.setitem(table, word, entry)


@pytest.fixture
def version(store: Store, draw: Draw) -> int:
    """Forty pictures, in bytes of their own: a dozen of which may be held out."""
    return fill(store, [draw(n) for n in range(40)], [[f"c{n % 4}"] for n in range(40)])


def rich(**changes: Any) -> TrainPlan:
    """Nine steps in three epochs, the weights averaged, some pictures held out."""
    said = {"epochs": 3, "batch": 8, "ema": 0.9, "validation": 0.3, "width": 4, "keep": 0}
    return plan(**said | changes)


def stage_of(said: str, note: str) -> str:
    """The stage that is SAID with a NOTE, and "measure" where the note is of an epoch's figure."""
    return "measure" if ", loss held out " in note else said


def broken_off(store: Store, version: int, wanted: TrainPlan, stage: str, at: int) -> None:
    """Train until STAGE, of a step or of what is measured after an epoch, has come to step AT."""

    def kill(said: str, done: int, total: int, note: str) -> None:
        if (stage_of(said, note), done) == (stage, at):
            raise Killed

    with pytest.raises(Killed):
        train.train(store, "toy", version, wanted, progress=kill)


FAST = [("train", 1, 2048), ("train", 5, 1), ("train", 8, 2048), ("measure", 6, 2048)]
EACH = [
    *(("train", at, memory_mb) for at in range(1, 10) for memory_mb in (2048, 1)),
    *(("measure", at, 2048) for at in (3, 6, 9)),
]
SLOW = [pytest.param(*place, marks=pytest.mark.slow) for place in EACH if place not in FAST]


@pytest.mark.usefixtures("hooked")
@pytest.mark.parametrize(
    ("stage", "at", "memory_mb"),
    [*FAST, *SLOW],
)
def test_broken_off_at_any_step_it_ends_with_the_same_bits(
    store: Store,
    version: int,
    stage: str,
    at: int,
    memory_mb: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tasks.training.course.EVERY", 1)
    size = 28 if memory_mb > 1 else 160  # of which one MiB holds 13: they are streamed
    wanted = rich(memory_mb=memory_mb, size=size)
    undisturbed = train.train(store, "toy", version, wanted)
    told = load_encoder(store, undisturbed).card
    store.delete("encoders")
    broken_off(store, version, wanted, stage, at)
    state = json.loads(store.read(checkpoint_name("toy", version, wanted)))["state"]
    assert store.names(checkpoint_folder("toy", version, wanted)) == [str(state), "state.json"]
    steps: list[int] = []

    def note(said: str, done: int, total: int, note: str) -> None:
        if stage_of(said, note) == "train":
            steps.append(done)

    assert train.train(store, "toy", version, wanted, progress=note) == undisturbed
    # a kill while an epoch is measured costs no step but its last
    again = at + (at % 3 != 0)
    assert steps == list(range(again, 10))
    card = load_encoder(store, undisturbed).card
    for same in ("curves", "epoch", "loss", "images", "bad", "held_out"):
        assert card[same] == told[same], same
    assert store.names("encoders/training") == []


def test_neighbours_that_were_found_are_taken_up_within_an_epoch(
    store: Store, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.training.course.EVERY", 1)
    wanted = rich(supervision="unsupervised", method="mutual_neighbours", descriptor="binary")
    undisturbed = train.train(store, "toy", version, wanted)
    store.delete("encoders")
    broken_off(store, version, wanted, "train", 5)
    assert store.exists(checkpoint_name("toy", version, wanted))
    assert train.train(store, "toy", version, wanted) == undisturbed


class Dropping(ConvolutionalEncoder):
    """Stands for a backbone of others, which drops by torch's own lots what it pools."""

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        return functional.dropout(super().pooled(images), 0.5, self.training)


def test_what_a_backbone_drops_follows_from_the_plan(
    store: Store, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.training.course.EVERY", 1)
    build = Build(about="Drops.", cite="nobody", load=lambda: Dropping)
    monkeypatch.setitem(NETWORKS, Network.CONVOLUTIONAL, build)
    wanted = rich()
    undisturbed = train.train(store, "toy", version, wanted)
    assert train.train(store, "toy", version, rich(seed=1)) != undisturbed
    store.delete("encoders")
    before = torch.manual_seed(5).get_state()
    broken_off(store, version, wanted, "train", 5)
    assert train.train(store, "toy", version, wanted) == undisturbed
    assert torch.equal(torch.get_rng_state(), before), "lots of who trains are left as they were"


SCRIPT = """
import sys
from data.store import Store
from tasks.training import course
from tasks.training.train import TrainPlan, train
from tests.tasks.training.taught import ENTRIES

for table, word, entry in ENTRIES:
    table[word] = entry
course.EVERY = 1
root, version, plan, at = sys.argv[1:]

def say(*said):
    if said[0] == "train" and "held out" not in said[3]:
        sys.stdout.write(f"{said[1]}\\n")
        sys.stdout.flush()
        if said[1] == int(at):
            sys.stdin.readline()  # hold still, to be killed here

train(Store(root), "toy", int(version), TrainPlan.model_validate_json(plan), progress=say)
"""


@pytest.mark.usefixtures("hooked")
@pytest.mark.parametrize("kills", [(4,), pytest.param((2, 4, 7), marks=pytest.mark.slow)])
def test_killed_in_earnest_again_and_again_it_ends_with_the_same_bits(
    store: Store, version: int, kills: tuple[int, ...]
) -> None:
    wanted = rich(patience=3)
    undisturbed = train.train(store, "toy", version, wanted)
    store.delete("encoders")
    command = [sys.executable, "-c", SCRIPT, store.root, str(version), wanted.model_dump_json()]
    steps: list[int] = []
    for at in kills:
        with subprocess.Popen(
            [*command, str(at)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            for line in child.stdout:
                steps.append(int(line))
                if steps[-1] == at:
                    child.send_signal(signal.SIGKILL)
                    break
        assert child.returncode == -signal.SIGKILL
    assert steps == list(range(1, kills[-1] + 1))
    assert trained(store, "toy", wanted) is None
    assert train.train(store, "toy", version, wanted) == undisturbed


def test_between_two_checkpoints_of_an_epoch_lie_minutes(store: Store, version: int) -> None:
    wanted = rich(keep=3, validation=0, batch=4)
    broken_off(store, version, wanted, "train", 10)
    assert not store.exists(checkpoint_name("toy", version, wanted))
    wanted = wanted.model_copy(update={"keep": 0.0})
    broken_off(store, version, wanted, "train", 10)
    assert store.exists(checkpoint_name("toy", version, wanted))
    assert wanted.purpose == rich(keep=3, validation=0, batch=4).purpose
