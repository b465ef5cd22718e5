"""Networks that add a term of their own are trained whole, whatever teaches them, and resumed."""

from typing import Any

import pytest

from data.store import Store
from models.weights import build
from tasks.training import train
from tasks.training.course import checkpoint_name
from tasks.training.train import load_encoder
from tests.tasks.training.courses import plan

NETWORKS: list[dict[str, Any]] = [
    {"network": "autoencoder", "options": {"side": 16}},
    {"network": "gan", "options": {"side": 16}},
    {"network": "gan", "options": {"side": 16, "kind": "bingan"}},
]
EACH = pytest.mark.parametrize("said", NETWORKS, ids=["autoencoder", "adversarial_code", "bingan"])


class Killed(BaseException):
    """Stands for a kill between two steps."""


@EACH
@pytest.mark.parametrize("supervision", ["supervised", "self_supervised"])
@pytest.mark.parametrize("descriptor", ["binary", "real_valued"])
def test_a_term_is_learned_beside_every_teacher_and_not_kept(
    store: Store, version: int, said: dict[str, Any], supervision: str, descriptor: str
) -> None:
    wanted = plan(**said, supervision=supervision, descriptor=descriptor, epochs=1, width=4)
    digest = train.train(store, "toy", version, wanted)
    embedder = load_encoder(store, digest)
    embedder.prove()
    assert embedder.spec.arguments.items() >= said["options"].items()
    plain = build(plan(width=4, descriptor=descriptor).spec())
    own = build(embedder.spec).state_dict()
    assert {name: value.shape for name, value in own.items()} == {
        name: value.shape for name, value in plain.state_dict().items()
    }
    without = train.train(store, "toy", version, wanted.model_copy(update={"term": 0.0}))
    assert without != digest


@EACH
def test_a_training_with_a_term_that_broke_off_ends_with_the_same_bits(
    store: Store, version: int, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.training.course.EVERY", 1)
    wanted = plan(**said, descriptor="binary", supervision="self_supervised", width=4)
    undisturbed = train.train(store, "toy", version, wanted)
    store.delete("encoders")

    def kill(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("train", 3):
            raise Killed

    with pytest.raises(Killed):
        train.train(store, "toy", version, wanted, progress=kill)
    assert store.exists(checkpoint_name("toy", version, wanted))
    assert train.train(store, "toy", version, wanted) == undisturbed
