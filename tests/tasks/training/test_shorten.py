"""Of the bits that were learned the best are kept: one training serves codes of every length."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from data.adapters.idx import load_idx
from data.adapters.png import png
from data.store import Store
from models.bit_selection import worth
from tasks.training import train
from tasks.training.shorten import _alike, shorten
from tasks.training.train import TrainPlan, load_encoder
from tests.tasks.training.courses import Draw, fill, plan

LEARNED = {"descriptor": "binary", "learned_bits": 24, "epochs": 1}


def card(store: Store, digest: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(store.read(f"encoders/{digest}/card.json"))
    return found


def codes(store: Store, digest: str, draw: Draw) -> np.ndarray:
    """The bits (N, K) of some pictures."""
    embedder = load_encoder(store, digest)
    pixels = torch.stack([embedder.pixels(draw(number)) for number in range(100, 112)])
    return np.unpackbits(embedder.describe(embedder.features(pixels)), axis=1)


@pytest.mark.parametrize("supervision", ["supervised", "unsupervised"])
def test_a_shorter_code_begins_a_longer_one_and_both_have_one_training(
    store: Store, version: int, draw: Draw, supervision: str
) -> None:
    told: list[str] = []
    wanted = [plan(dimensions=n, supervision=supervision, **LEARNED) for n in (8, 16)]
    short, longer = (
        train.train(store, "toy", version, one, progress=lambda stage, *_: told.append(stage))
        for one in wanted
    )
    assert told.count("decode") == told[: told.index("train")].count("decode"), "trained once"
    assert len(train.kept_encoders(store)) == 3
    whole = train.trained(store, "toy", wanted[0].whole)
    assert whole is not None
    told_short, told_longer = (card(store, digest)["shortened"] for digest in (short, longer))
    assert told_short == told_longer, "the order does not depend on how many are kept"
    assert isinstance(told_short, dict)
    assert told_short["from"] == whole
    assert told_short["pictures"] == 39, "one of the 40 cannot be decoded"
    assert sorted(told_short["order"]) == list(range(24))
    assert list(told_short["worth"]) == ["8", "16", "24"]
    assert card(store, short)["plan"] == wanted[0].model_dump(mode="json")
    load_encoder(store, short).prove()
    made = [codes(store, digest, draw) for digest in (short, longer, whole)]
    assert np.array_equal(made[0], made[1][:, :8])
    assert np.array_equal(made[1], made[2][:, told_short["order"][:16]])
    assert train.train(store, "toy", version, wanted[0]) == short
    assert train.train(store, "toy", version, wanted[0], again=True) == short


@pytest.mark.parametrize(("count", "near"), [(3, 2), (30, 2), (50, 2), (70, 4)])
def test_without_labels_those_are_alike_of_whom_one_is_near_the_other(
    count: int, near: int
) -> None:
    """A twentieth of all, the picture itself among them, and one other at least."""
    features = torch.randn(count, 6, generator=torch.Generator().manual_seed(count))
    features = torch.nn.functional.normalize(features)
    found = _alike(features, None, np.arange(count))
    nearest = []
    for one in features.tolist():
        apart = [float(np.dot(one, other)) for other in features.tolist()]
        nearest.append(sorted(range(count), key=lambda n: -apart[n])[:near])
    for i in range(count):
        for j in range(count):
            assert bool(found[i, j]) == (i == j or j in nearest[i] or i in nearest[j])


def test_bits_drawn_by_lot_have_the_same_training_and_are_worth_less(
    store: Store, draw: Draw
) -> None:
    version = fill(store, [draw(n) for n in range(60)], [[f"c{n % 4}"] for n in range(60)])
    best, *lots = (
        plan(dimensions=8, supervision="supervised", seed=seed, bits_by=how, **LEARNED)
        for seed, how in ((0, "worth"), (0, "lot"), (1, "lot"))
    )
    told: list[dict[str, Any]] = []
    for one in (best, *lots):
        said = card(store, train.train(store, "toy", version, one))["shortened"]
        assert isinstance(said, dict)
        told.append(said)
    assert told[0]["from"] == told[1]["from"] != told[2]["from"]
    orders = [one["order"] for one in told]
    assert orders[0] != orders[1] != orders[2]
    assert all(sorted(order) == list(range(24)) for order in orders)
    assert told[0]["worth"]["8"] > told[1]["worth"]["8"]


def test_pictures_that_are_held_out_choose_the_bits(store: Store, draw: Draw) -> None:
    version = fill(store, [draw(n) for n in range(60)], [[f"c{n % 4}"] for n in range(60)])
    wanted = plan(dimensions=8, supervision="supervised", validation=0.3, **LEARNED)
    said = card(store, train.train(store, "toy", version, wanted))
    shortened = said["shortened"]
    assert isinstance(shortened, dict)
    assert shortened["pictures"] == said["held_out"]


def test_what_cannot_be_is_refused_when_the_recipe_is_read() -> None:
    with pytest.raises(ValidationError, match="more than dimensions, 24"):
        plan(dimensions=24, **LEARNED)
    with pytest.raises(ValidationError, match="leave learned_bits out"):
        plan(dimensions=8, network="reinforcement_learning", supervision="supervised", **LEARNED)
    with pytest.raises(ValidationError, match=r"bits_by: lot says .* set learned_bits"):
        plan(descriptor="binary", dimensions=8, bits_by="lot")
    assert plan().digest == plan(learned_bits=0, bits_by="worth").digest


def test_pictures_of_which_none_can_be_decoded_choose_nothing(store: Store, draw: Draw) -> None:
    version = fill(store, [draw(n) for n in range(20)], [["a"]] * 20)
    wanted = plan(dimensions=8, **LEARNED)
    whole = train.train(store, "toy", version, wanted.whole)
    spoiled = fill(store, [b"bad %d" % n for n in range(20)], [["a"]] * 20, dataset="spoiled")
    encoder = load_encoder(store, whole)
    with pytest.raises(ValueError, match="none can be decoded"):
        shorten(
            store, "spoiled", spoiled, wanted, encoder.encoder, encoder.spec, torch.device("cpu")
        )


@pytest.mark.slow
@pytest.mark.real
def test_on_real_digits_the_kept_bits_find_more_than_bits_by_lot(
    store: Store, shared_datasets: Path
) -> None:
    folder = shared_datasets / "mnist"
    images, kinds = (
        load_idx(str(folder / f"train-{name}-ubyte.gz"))[:3000]
        for name in ("images-idx3", "labels-idx1")
    )
    contents = [png(image) for image in images[:2000]]
    version = fill(store, contents, [[str(kind)] for kind in kinds[:2000]])
    wanted = TrainPlan.model_validate(
        {
            "supervision": "unsupervised",
            "descriptor": "binary",
            "dimensions": 8,
            "learned_bits": 64,
            "size": 28,
            "width": 8,
            "epochs": 3,
            "flip": False,
            "device": "cpu",
        }
    )
    short = train.train(store, "toy", version, wanted)
    shortened = card(store, short)["shortened"]
    assert isinstance(shortened, dict)
    embedder = load_encoder(store, str(shortened["from"]))
    asked = torch.from_numpy(images[2000:].copy())[:, None].expand(-1, 3, -1, -1)
    found = embedder.features(asked) >= 0  # pictures that nobody learned from
    shown = torch.from_numpy(kinds[2000:].astype(np.int64))
    alike = shown[:, None] == shown
    lots = torch.Generator().manual_seed(0)
    by_lot = [worth(found, alike, torch.randperm(64, generator=lots)[:8]) for _ in range(20)]
    kept = worth(found, alike, torch.tensor(shortened["order"][:8]))
    assert kept > float(np.mean(by_lot)) + 0.02
    assert kept > sorted(by_lot)[-4], "better than four fifths of what lots would give"
