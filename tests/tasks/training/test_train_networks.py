"""A whole training of every network, by every supervision that goes with it, killed and not."""

from collections.abc import Iterator

import pytest

from data.store import Store
from data.taxonomy import DescriptorType, Network, Supervision
from models.composition import check
from models.networks import NETWORKS
from tasks.training import train
from tasks.training.course import checkpoint_name
from tasks.training.plan import TrainPlan
from tasks.training.train import load_encoder
from tests.tasks.training.courses import Draw, fill, plan


class Killed(BaseException):
    """Stands for a kill between two steps."""


def courses() -> Iterator[tuple[Network, Supervision, DescriptorType]]:
    """Each network other than the one that `test_train` tries, with two supervisions."""
    for network in NETWORKS:
        for word in (Supervision.SUPERVISED, Supervision.SELF_SUPERVISED):
            kind = DescriptorType.BINARY if NETWORKS[network].binary else DescriptorType.REAL_VALUED
            if network is not Network.CONVOLUTIONAL and check(word, network, kind):
                yield network, word, kind


@pytest.mark.parametrize(("network", "supervision", "descriptor"), list(courses()))
def test_a_training_that_broke_off_ends_with_the_same_bits(
    store: Store,
    version: int,
    network: Network,
    supervision: Supervision,
    descriptor: DescriptorType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tasks.training.course.EVERY", 1)
    wanted = plan(network=network, supervision=supervision, descriptor=descriptor, width=4)
    undisturbed = train.train(store, "toy", version, wanted)
    embedder = load_encoder(store, undisturbed)
    embedder.prove()
    assert embedder.spec.network is network
    assert embedder.card["images"] == 39
    store.delete("encoders")

    def kill(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("train", total // 2 + 1):
            raise Killed

    with pytest.raises(Killed):
        train.train(store, "toy", version, wanted, progress=kill)
    assert store.exists(checkpoint_name("toy", version, wanted))
    assert train.train(store, "toy", version, wanted) == undisturbed


def test_where_classes_are_known_metric_learning_is_shown_several_of_each() -> None:
    def batches(**changes: str) -> str:
        return plan(network="siamese_triplet", **changes).batches

    assert batches(supervision="supervised") == "balanced"
    assert batches(supervision="self_supervised") == "shuffled"
    assert plan(supervision="supervised").batches == "shuffled"
    with pytest.raises(ValueError, match="orthohash on siamese_triplet learns from balanced st"):
        plan(network="siamese_triplet", supervision="supervised", descriptor="binary", batch=18)


def test_pictures_that_stream_cannot_be_balanced(store: Store, draw: Draw) -> None:
    version = fill(store, [draw(n) for n in range(40)], [["a"], ["b"]] * 20)
    streams = plan(network="siamese_triplet", supervision="supervised", size=200, memory_mb=1)
    with pytest.raises(ValueError, match="a method, or a network, that learns from shuffled"):
        train.train(store, "toy", version, streams)


@pytest.mark.parametrize("network", sorted(set(NETWORKS) - {Network.CONVOLUTIONAL}))
def test_what_a_network_is_told_is_what_it_is_built_with(network: Network) -> None:
    spec = plan(network=network, descriptor="binary").spec()
    assert set(NETWORKS[network].options.model_fields) <= set(spec.arguments)
    encoder = NETWORKS[network].load()(16, **spec.arguments)
    assert encoder.dimensions == 16
    with pytest.raises(ValueError, match=f"Unknown option of the network {network} 'wings'"):
        TrainPlan(network=network, descriptor=DescriptorType.BINARY, options={"wings": 2})
