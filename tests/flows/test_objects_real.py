"""Boxes of real photographs: what is learned of them in two minutes, and what it must beat."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from data.indexes import VECTOR, encoder_of, index_table, vectors_of
from data.protocols import named
from data.regions import parted
from data.relevance import Question, truth_of
from data.store import Store
from flows.recipe import Recipe
from flows.reindex import reindex
from models.measures import measure
from models.pixels import Transform
from tasks.measuring.depth import Rows, depth
from tasks.searching.versions import resolve
from tasks.training.train import load_encoder

Array = np.ndarray[Any, np.dtype[Any]]

HEADLINE = "map@100[min]"


def worth(keys: Sequence[str], labels: Sequence[list[str]], train: Array, vectors: Array) -> float:
    """The headline of coco-objects where the boxes of KEYS have VECTORS and TRAIN ones answer."""
    asking, held = np.flatnonzero(~train).tolist(), np.flatnonzero(train).tolist()
    questions = [Question(keys[n], tuple(labels[n])) for n in asking]
    judged = truth_of(named("coco-objects"), questions, None).among(
        pa.array([keys[n] for n in held]),
        pa.array([labels[n] for n in held], pa.list_(pa.string())),
    )
    rows = Rows(len(held), vectors.shape[1], 0)
    rows.add(vectors[held].astype(np.float32))
    asked = vectors[asking].astype(np.float32)
    images = np.arange(len(held)).astype(np.uint64)
    found = depth(rows, images, asked, judged, [measure(HEADLINE)])
    return float(np.nanmean(found.values[HEADLINE]))


@pytest.mark.real
@pytest.mark.slow
def test_boxes_find_their_kind_better_than_lots_pixels_and_whole_pictures_do(
    tmp_path: Path, shared_datasets: Path
) -> None:
    torch.set_num_threads(1)
    home = shared_datasets / "coco-mini"
    said = Recipe.named("coco-objects").model_dump()
    said["source"]["root"] = str(home)
    said["train"]["device"] = "cpu"
    recipe = Recipe.model_validate(said | {"pin": False})
    store = Store(str(tmp_path / "store"))
    ledger = reindex(recipe, store=store)
    learned = ledger.metrics[HEADLINE]

    table, version = resolve(store, recipe.name)
    index = index_table(store, table).open(version).to_table()
    keys, labels = index["key"].to_pylist(), index["labels"].to_pylist()
    assert len(keys) == ledger.listed == 769, "1,363 boxes but 13 crowds and 581 small ones"
    train = np.array([split == "train" for split in index["split"].to_pylist()])
    assert worth(keys, labels, train, vectors_of(index[VECTOR])) == pytest.approx(learned, abs=1e-3)

    lots = np.mean([
        worth(keys, labels, train, np.random.default_rng(seed).standard_normal((len(keys), 16)))
        for seed in range(5)
    ])  # fmt: skip
    boxes = list(recipe.source.opened().read(index["uri"].to_pylist()))
    look = Transform(size=32)
    pixels = np.stack([look(one).numpy().ravel() for one in boxes if isinstance(one, bytes)])
    centred = pixels.astype(np.float32) - pixels.mean(axis=1, keepdims=True)
    raw = worth(keys, labels, train, centred)

    embedder = load_encoder(store, encoder_of(index.schema))
    owners = [parted(uri)[0] for uri in index["uri"].to_pylist()]
    once = sorted(set(owners))
    whole = torch.stack([embedder.pixels(Path(one).read_bytes()) for one in once])
    features = dict(zip(once, embedder.features(whole).numpy(), strict=True))
    pictures = worth(keys, labels, train, np.stack([features[one] for one in owners]))

    assert learned > 2.4 * lots
    assert learned > raw + 0.015
    assert learned > pictures + 0.015
