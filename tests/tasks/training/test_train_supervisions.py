"""Every method of three supervisions trains from a store, and breaks off unharmed."""

import pytest

from data.store import Store
from data.taxonomy import Supervision
from models.supervision import SUPERVISIONS
from tasks.training import train
from tasks.training.course import checkpoint_name
from tasks.training.plan import TrainPlan
from tasks.training.train import load_encoder
from tests.tasks.training.courses import plan


class Killed(BaseException):
    """Stands for a kill between two steps."""


TAUGHT = (
    Supervision.UNSUPERVISED,
    Supervision.SEMI_SUPERVISED,
    Supervision.PSEUDO_SUPERVISED,
)

PLANS = [
    pytest.param(
        plan(supervision=word, method=name, descriptor=descriptor, labelled=0.4, clusters=5),
        id=f"{name}-{descriptor}",
    )
    for word in TAUGHT
    for name, way in SUPERVISIONS[word].methods.items()
    for descriptor in ("binary", "real_valued")
    if descriptor in way.descriptors and not way.needs_term
]


@pytest.mark.parametrize("wanted", PLANS)
def test_a_training_that_broke_off_ends_with_the_same_bits(
    store: Store, version: int, wanted: TrainPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.training.course.EVERY", 1)
    undisturbed = train.train(store, "toy", version, wanted)
    embedder = load_encoder(store, undisturbed)
    embedder.prove()
    assert embedder.card["supervision"] == wanted.supervision
    assert (embedder.card["images"], len(embedder.card["loss"])) == (39, 2)
    store.delete("encoders")

    def kill(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("train", 3):
            raise Killed

    with pytest.raises(Killed):
        train.train(store, "toy", version, wanted, progress=kill)
    assert store.exists(checkpoint_name("toy", version, wanted))
    assert train.train(store, "toy", version, wanted) == undisturbed


def test_what_a_plan_says_of_clusters_counts(store: Store, version: int) -> None:
    asked = [plan(supervision="pseudo_supervised", clusters=count) for count in (0, 3, 6)]
    none, few, more = (train.train(store, "toy", version, one) for one in asked)
    assert none == more  # the root of 40 pictures
    assert few != more


def test_a_plan_that_says_nothing_of_clusters_is_wanted_as_before() -> None:
    assert plan().purpose == plan(clusters=0).purpose != plan(clusters=3).purpose
