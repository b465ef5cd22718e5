"""Codebooks and whitenings are found from the training pictures, and are part of the encoder."""

from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from data.store import Store
from models.weights import load
from tasks.training.train import load_encoder, train
from tasks.training.whiten import matching
from tests.tasks.training.courses import Draw, fill, plan


def tensors(store: Store, digest: str) -> dict[str, torch.Tensor]:
    return safetensors.torch.load(store.read(f"encoders/{digest}/encoder.safetensors"))


POOLINGS: list[dict[str, Any]] = [
    {"pooling": "gem"},
    {"pooling": "rmac", "pooling_options": {"rmac": {"whiten": True}}},
    {"pooling": "vlad+mac", "pooling_options": {"vlad": {"words": 3}}},
    {"pooling": "netvlad", "pooling_options": {"netvlad": {"words": 3}}},
    {"pooling": "asmk", "pooling_options": {"asmk": {"words": 8}}},
]


@pytest.mark.parametrize("epochs", [0, 1])
@pytest.mark.parametrize("pooling", POOLINGS, ids=lambda one: one["pooling"])
def test_an_aggregated_descriptor_trains_and_is_the_same_every_time(
    store: Store, version: int, pooling: dict[str, Any], epochs: int
) -> None:
    wanted = plan(descriptor="aggregated", supervision="supervised", epochs=epochs, **pooling)
    digest = train(store, "toy", version, wanted)
    embedder = load_encoder(store, digest)
    embedder.prove()
    made = tensors(store, digest)
    assert not [name for name in made if name.startswith("head.project")]
    if pooling["pooling"] != "asmk":
        assert bool(made["head.ready"])
        assert embedder.encoder.dimensions == 16
    assert train(store, "toy", version, wanted, again=True) == digest


def test_what_is_whitened_has_variance_one_in_each_dimension(store: Store, version: int) -> None:
    wanted = plan(descriptor="aggregated", epochs=0)  # without labels: by PCA
    embedder = load_encoder(store, train(store, "toy", version, wanted))
    contents = [draw_of(store, version, n) for n in range(39)]
    pixels = torch.stack([embedder.pixels(content) for content in contents])
    white = embedder.encoder.head(embedder.encoder.pooled(pixels / 255)).detach()
    assert torch.allclose(white.mean(dim=0), torch.zeros(16), atol=2e-2)
    spread = white.T @ white / len(white)
    assert torch.allclose(spread, torch.eye(16), atol=5e-2)


def test_where_labels_tell_enough_what_matches_differs_by_one_in_each_dimension(
    store: Store, version: int
) -> None:
    wanted = plan(
        supervision="supervised", descriptor="aggregated", epochs=0, width=2, dimensions=8
    )
    embedder = load_encoder(store, train(store, "toy", version, wanted))
    pixels = torch.stack([embedder.pixels(draw_of(store, version, n)) for n in range(39)])
    white = embedder.encoder.head(embedder.encoder.pooled(pixels / 255)).detach().double()
    pairs = torch.from_numpy(matching(np.arange(39) % 4, 0))
    apart = white[pairs[:, 0]] - white[pairs[:, 1]]
    assert torch.allclose(apart.T @ apart / len(apart), torch.eye(8).double(), atol=2e-2)


def draw_of(store: Store, version: int, number: int) -> bytes:
    """The bytes of picture NUMBER of the dataset toy."""
    from data.manifest import manifest, shard_name

    rows = manifest(store, "toy").open(version).to_table(filter=f"key = '{number:03d}'")
    (row,) = rows.to_pylist()
    return store.read_range(shard_name("toy", row["shard"]), row["offset"], row["length"])


def test_a_codebook_before_learning_is_found_for_a_learned_head_too(
    store: Store, version: int
) -> None:
    options = {"vlad": {"words": 3}}
    common: dict[str, Any] = {"pooling": "vlad", "pooling_options": options, "width": 8}
    found = tensors(store, train(store, "toy", version, plan(epochs=0, **common)))
    learned = tensors(store, train(store, "toy", version, plan(epochs=1, **common)))
    assert torch.equal(found["pool.words"], learned["pool.words"])  # the head was learned over them
    assert not torch.equal(found["head.project.weight"], learned["head.project.weight"])
    again = plan(epochs=1, descriptor="aggregated", **common)
    assert not torch.equal(
        found["pool.words"], tensors(store, train(store, "toy", version, again))["pool.words"]
    )


class Killed(BaseException):
    """Stands for a kill between two steps."""


@pytest.mark.parametrize("pooling", POOLINGS[2:4], ids=lambda one: one["pooling"])
def test_a_training_that_broke_off_ends_with_the_same_bits(
    store: Store, version: int, pooling: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.training.course.EVERY", 1)
    wanted = plan(descriptor="aggregated", supervision="supervised", ema=0.5, **pooling)
    undisturbed = train(store, "toy", version, wanted)
    store.delete("encoders")

    def kill(stage: str, done: int, total: int, note: str) -> None:
        if (stage, done) == ("train", 3):
            raise Killed

    with pytest.raises(Killed):
        train(store, "toy", version, wanted, progress=kill)
    assert train(store, "toy", version, wanted) == undisturbed


@pytest.mark.parametrize("pooling", ["gem", "asmk"])
def test_a_validation_measures_what_is_aggregated(store: Store, version: int, pooling: str) -> None:
    wanted = plan(
        descriptor="aggregated", supervision="supervised", pooling=pooling, validation=0.3
    )
    if pooling == "asmk":
        wanted = wanted.model_copy(update={"pooling_options": {"asmk": {"words": 8}}})
    card = load_encoder(store, train(store, "toy", version, wanted)).card
    measured = card["curves"]["map@100[min]"]
    assert len(measured) == 2
    assert all(0 < one <= 1 for one in measured)


def test_more_dimensions_than_pictures_are_refused(store: Store, draw: Draw) -> None:
    version = fill(store, [draw(n) for n in range(16)], [["a"]] * 16)
    wanted = plan(descriptor="aggregated", epochs=0)
    with pytest.raises(ValueError, match="16 pictures tell no whitening of 16 dimensions"):
        train(store, "toy", version, wanted)
    with pytest.raises(ValueError, match="points cannot make 5000 clusters"):
        train(
            store, "toy", version,
            plan(epochs=0, pooling="vlad", pooling_options={"vlad": {"words": 5000}}),
        )  # fmt: skip


def test_a_trained_network_is_given_another_pooling(
    store: Store, version: int, tmp_path: Any
) -> None:
    digest = train(store, "toy", version, plan(epochs=1))
    path = tmp_path / "encoder.safetensors"
    path.write_bytes(store.read(f"encoders/{digest}/encoder.safetensors"))
    wanted = plan(
        descriptor="aggregated", pooling="asmk", pooling_options={"asmk": {"words": 8}},
        pretrained=str(path), epochs=0,
    )  # fmt: skip
    other = load(store.read(f"encoders/{train(store, 'toy', version, wanted)}/encoder.safetensors"))
    mine, theirs = tensors(store, digest), other.encoder.state_dict()
    assert other.metric == "asmk"
    assert "pool.p" in mine
    assert "pool.p" not in theirs
    # folded since, so the file is asked
    kept = tensors(store, other.digest)
    stages = [name for name in mine if name.startswith("stages.")]
    assert stages
    assert all(torch.equal(mine[name], kept[name]) for name in stages)
