"""Every method of every supervision goes through a whole training, from shards to an encoder."""

import pytest

from data.store import Store
from data.taxonomy import DescriptorType, Supervision
from models.supervision import SUPERVISIONS
from tasks.training import train
from tasks.training.train import load_encoder
from tests.tasks.training.courses import Draw, fill, plan

METHODS = [
    (str(word), name, str(descriptor))
    for word, teaching in SUPERVISIONS.items()
    for descriptor in (DescriptorType.BINARY, DescriptorType.REAL_VALUED)
    for name in teaching.methods_for(descriptor)
]


@pytest.fixture
def said(store: Store, draw: Draw) -> int:
    """24 pictures of four classes in two shards, with tags that tell their class."""
    tags = [[f"t{number % 4}", f"t{number % 4}", "photo"] for number in range(24)]
    contents = [draw(number) for number in range(24)]
    labels = [[f"c{number % 4}"] for number in range(24)]
    return fill(store, contents, labels, said={"tags": tags})


@pytest.mark.parametrize(("supervision", "method", "descriptor"), METHODS, ids=str)
def test_a_method_trains_an_encoder_that_proves_itself(
    store: Store, said: int, supervision: str, method: str, descriptor: str
) -> None:
    way = SUPERVISIONS[Supervision(supervision)].methods[method]
    wanted = plan(
        network="autoencoder" if way.needs_term else "convolutional",
        supervision=supervision,
        method=method,
        descriptor=descriptor,
        epochs=1,
        batch=8,
        each=2,
        width=4,
        size=16,
    )
    embedder = load_encoder(store, train.train(store, "toy", said, wanted))
    embedder.prove()
    assert embedder.card["images"] == 24
    assert embedder.card["plan"]["method"] == method
    assert wanted.way_name == method


def test_captions_teach_where_there_are_no_tags(store: Store, draw: Draw) -> None:
    captions = [[f"A thing of kind{number % 4}."] * 2 for number in range(24)]
    contents = [draw(number) for number in range(24)]
    version = fill(store, contents, [[]] * 24, said={"captions": captions})
    wanted = plan(supervision=Supervision.WEAKLY_SUPERVISED, epochs=1, batch=8, width=4, size=16)
    assert load_encoder(store, train.train(store, "toy", version, wanted)).card["images"] == 24


def test_pictures_of_which_nothing_was_said_are_refused(store: Store, version: int) -> None:
    with pytest.raises(ValueError, match=r"2 words at least .* there are 0"):
        train.train(store, "toy", version, plan(supervision=Supervision.WEAKLY_SUPERVISED))
