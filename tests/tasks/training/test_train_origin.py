"""A training that begins with weights of this machine is known by their bytes, not their place."""

import json
from pathlib import Path

import pytest

from data.store import Store
from models import weights
from models.origin import origin_digest
from tasks.training import train
from tasks.training.course import checkpoint_folder
from tasks.training.train import TrainPlan, load_encoder, trained
from tests.tasks.training.courses import plan

SMALL = {"width": 4, "size": 28}


def drawn(file: Path, seed: int) -> None:
    """Put an encoder whose weights are drawn from SEED into FILE."""
    spec = plan(**SMALL).spec()
    file.write_bytes(weights.save(weights.build(spec, seed), spec))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "begin.safetensors"
    drawn(file, 1)
    return file


@pytest.fixture
def wanted(file: Path) -> TrainPlan:
    return plan(**SMALL, pretrained=str(file), epochs=1)


def test_other_weights_in_the_same_place_are_trained_anew(
    store: Store, version: int, file: Path, wanted: TrainPlan
) -> None:
    first = train.train(store, "toy", version, wanted)
    assert load_encoder(store, first).card["origin"] == origin_digest(str(file))
    assert trained(store, "toy", wanted) == first
    drawn(file, 2)
    assert trained(store, "toy", wanted) is None
    second = train.train(store, "toy", version, wanted)
    assert second != first
    load_encoder(store, first).prove()  # an index that was made with it can still be asked
    assert trained(store, "toy", wanted) == second
    drawn(file, 1)
    assert train.train(store, "toy", version, wanted) == first


def test_weights_that_were_moved_are_known_by_their_bytes(
    store: Store, version: int, file: Path, wanted: TrainPlan
) -> None:
    digest = train.train(store, "toy", version, wanted)
    there = file.with_name("moved.safetensors")
    file.rename(there)
    moved = wanted.model_copy(update={"pretrained": str(there)})
    assert trained(store, "toy", moved) == digest
    drawn(there, 2)
    assert trained(store, "toy", moved) is None
    assert trained(store, "another", moved) is None


def test_what_was_trained_before_weights_had_a_digest_is_still_known(
    store: Store, version: int, wanted: TrainPlan
) -> None:
    digest = train.train(store, "toy", version, wanted)
    by_bytes, by_place = train._plan_names("toy", wanted, origin_digest(wanted.pretrained))
    store.delete(by_bytes)
    store.write(by_place, json.dumps({"encoder": digest, "dataset": "toy"}).encode())
    assert trained(store, "toy", wanted) == digest


def test_weights_that_are_gone_need_not_be_there_for_an_encoder_that_is(
    store: Store, version: int, file: Path, wanted: TrainPlan
) -> None:
    digest = train.train(store, "toy", version, wanted)
    file.unlink()
    assert train.train(store, "toy", version, wanted) == digest


def test_bits_that_are_kept_of_other_weights_are_others(
    store: Store, version: int, file: Path
) -> None:
    said = {"descriptor": "binary", "dimensions": 8, "learned_bits": 16, "epochs": 1}
    short = plan(**SMALL | said, pretrained=str(file))
    first = train.train(store, "toy", version, short)
    assert load_encoder(store, first).card["origin"] == origin_digest(str(file))
    drawn(file, 2)
    assert trained(store, "toy", short) is None
    assert train.train(store, "toy", version, short) != first


def test_a_training_that_was_killed_is_not_gone_on_with_from_other_weights(
    store: Store, version: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.training.course.EVERY", 1)
    wanted = plan(**SMALL, pretrained=str(file), epochs=2, keep=0)
    drawn(file, 2)
    undisturbed = train.train(store, "toy", version, wanted)
    store.delete("encoders")
    drawn(file, 1)

    def kill(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("train", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.train(store, "toy", version, wanted, progress=kill)
    left = checkpoint_folder("toy", version, wanted, origin_digest(str(file)))
    assert store.exists(f"{left}/state.json")
    drawn(file, 2)
    steps: list[int] = []

    def note(stage: str, done: int, total: int, note: str) -> None:
        steps.append(done)

    assert train.train(store, "toy", version, wanted, progress=note) == undisturbed
    assert 1 in steps  # from the beginning
    assert store.exists(f"{left}/state.json")  # for the day on which those weights are back
