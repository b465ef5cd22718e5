"""A card says what made its encoder; one that is missing, damaged or another's is not believed."""

import json

import pytest

from data.store import Store
from models import canary
from models.canary import CanaryMismatch
from models.pixels import Transform
from models.spec import EncoderSpec
from models.weights import build, load, save
from tasks.describe import describer
from tasks.training.plan import TrainPlan
from tasks.training.train import keep_encoder, kept_encoders, load_encoder, train

SPEC = EncoderSpec(arguments={"width": 8}, dimensions=16, transform=Transform(size=16))


def kept(store: Store, seed: int = 0) -> tuple[str, str]:
    """The digest of an encoder in STORE, and the name of its card."""
    content = save(build(SPEC, seed), SPEC)
    digest = keep_encoder(store, content, {"canary": canary.reference(load(content))})
    return digest, f"encoders/{digest}/card.json"


def test_a_card_names_data_recipe_code_and_licence(store: Store) -> None:
    plan = TrainPlan(size=16, width=8, dimensions=16, epochs=0, device="cpu", licence="CC0-1.0")
    digest = train(store, "toy", 7, plan)
    card = json.loads(store.read(f"encoders/{digest}/card.json"))
    assert (card["encoder"], card["dataset"], card["dataset_version"]) == (digest, "toy", 7)
    assert TrainPlan.model_validate(card["plan"]) == plan
    assert (card["licence"], card["seed"]) == ("CC0-1.0", 0)
    assert card["code"]
    assert kept_encoders(store) == [digest]


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (b"", "card of encoder .* is damaged"),
        (b"\x80\x04", "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (b"[]", "is not its own"),
        (b'{"encoder": "0000"}', "is not its own"),
    ],
)
def test_a_damaged_card_or_another_s_is_refused(store: Store, said: bytes, says: str) -> None:
    digest, card = kept(store)
    store.write(card, said)
    with pytest.raises(ValueError, match=says):
        load_encoder(store, digest)


def test_a_card_that_was_moved_is_not_its_own(store: Store) -> None:
    digest, card = kept(store)
    _, other = kept(store, seed=1)
    store.write(card, store.read(other))
    with pytest.raises(ValueError, match="is not its own"):
        load_encoder(store, digest)


def test_without_a_card_there_is_no_encoder(store: Store) -> None:
    digest, card = kept(store)
    store.delete(card)
    with pytest.raises(FileNotFoundError, match="bring back its folder"):
        load_encoder(store, digest)


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"canary": None},
        {"canary": {}},
        {"canary": {"shape": [16, 16], "float32": "AAAA"}},
        {"canary": {"shape": [10**12], "float32": ""}},
        {"canary": {"shape": "x", "float32": 3}},
        {"canary": {"shape": [16, 16], "float32": "A" * 1368}},
    ],
)
def test_no_descriptor_is_written_by_an_encoder_whose_reference_was_edited(
    store: Store, edit: dict[str, object]
) -> None:
    digest, card = kept(store)
    store.write(card, json.dumps({"encoder": digest} | edit).encode())
    with pytest.raises(CanaryMismatch):
        describer(store, digest, 4, "cpu", "float32", 0)
