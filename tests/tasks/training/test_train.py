"""A plan is trained once, is found again, keeps to its split and says why it cannot be done."""

from typing import Any

import pytest
import torch

from data.store import Store
from data.taxonomy import DescriptorType
from tasks.training import train
from tasks.training.train import load_encoder, trained
from tests.tasks.training.courses import BAD, Draw, fill, plan


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

    monkeypatch.setattr("tasks.training.course.run", refuse)
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
        ({"network": "gann"}, "'autoencoder'"),
        ({"network": "gan", "options": {"kind": "x"}}, "gan cannot take kind: 'x'"),
        ({"network": "gan", "options": {"sid": 16}}, "Did you mean 'side'"),
        ({"descriptor": "binary", "dimensions": 12}, "not a multiple of 8"),
        ({"epoch": 3}, "Extra inputs"),
    ],
)
def test_a_plan_with_a_wrong_word_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        plan(**wrong)


def test_a_dataset_of_bad_pictures_alone_is_refused(store: Store) -> None:
    version = fill(store, [BAD + bytes([n]) for n in range(4)], [["a"], ["b"]] * 2)
    for memory_mb in (2048, 1):
        with pytest.raises(ValueError, match="can be decoded"):
            train.train(store, "toy", version, plan(memory_mb=memory_mb, size=512))
