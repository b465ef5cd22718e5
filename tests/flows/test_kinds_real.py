"""On real pictures, after a short training, each kind beats what knows nothing of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.adapters import open_dataset
from flows.recipe import Recipe, shipped
from tests.data.slices import mnist
from tests.flows.album import Album

pytestmark = [pytest.mark.real, pytest.mark.slow]

FINE: dict[str, Any] = {
    "dataset": "mnist",
    "queries": {"splits": ["test"], "labels": "unseen"},
    "database": {"splits": ["train"], "labels": "unseen", "each": 10},
    "train": {"splits": ["train"], "labels": "seen"},
    "relevance": "same_label",
    "metric": "cmc@1",
    "also": ["map[all]"],
    "defined": "the protocol mnist-unseen, with ten pictures of a digit to be found",
    "seen": 0.5,
}
MULTI: dict[str, Any] = {
    "dataset": "coco",
    "queries": {"splits": ["val"], "labels": "some"},
    "database": {"splits": ["train"]},
    "train": {"splits": ["train"]},
    "relevance": "shared_label",
    "metric": "ndcg@20[exp]",
    "also": ["acg@20", "wap@20", "map[all]"],
    "defined": "80 photographs of train2017, asked for by 79 of val2017",
}
PIXELS = {"pretrained": "pixels", "supervision": "unsupervised", "epochs": 0, "device": "cpu"}


def measured(album: Album, protocol: dict[str, Any], train: dict[str, Any]) -> dict[str, float]:
    """What a night with TRAIN finds by PROTOCOL."""
    album.fields |= {
        "train": {"device": "cpu", "protocol": protocol, **train},
        "evaluate": {"protocol": protocol},
        "cluster": {"small": 100_000},
    }
    return album.night("fall").metrics


def as_shipped(name: str, *fields: str) -> dict[str, Any]:
    """FIELDS of the training of the shipped recipe NAME."""
    assert name in shipped()
    said = Recipe.named(name).train.model_dump(mode="json")
    return {field: said[field] for field in fields}


def test_digits_that_nobody_taught_are_found_sooner_than_by_their_pixels(
    shared_datasets: Path, bare: Album
) -> None:
    """Measured: map[all] 0.715 to 0.770 against 0.612, over three seeds and two processors.

    The first answer alone, cmc@1, tells too little among fifty pictures: 0.829 to 0.888 against
    0.825, and 0.850 after eight epochs.
    """
    mnist(shared_datasets, bare.folder / "official", 3_000, 600)
    bare.fields |= {"source": {"dataset": "mnist", "root": "official"}, "retrieval": "fine_grained"}
    way = as_shipped(
        "mnist-unseen", "supervision", "method", "descriptor", "dimensions", "size", "width", "flip"
    )
    ours = measured(bare, FINE, way | {"epochs": 4, "batch": 64})
    pixels = measured(bare, FINE, PIXELS | {"size": 28, "method": "pca", "dimensions": 64})
    assert ours["map[all]"] > pixels["map[all]"] + 0.05, (ours, pixels)


def chance(root: Path) -> float:
    """The mean grade of photographs of train that one of val finds, whatever the order."""
    said: dict[str, list[set[str]]] = {"train": [], "val": []}
    for sample in open_dataset("coco", str(root), {}).samples():
        said[sample.split].append(set(sample.labels))
    grades = [[len(one & other) for other in said["train"]] for one in said["val"] if one]
    return float(np.mean([np.mean(row) for row in grades if any(row)]))


def test_photographs_of_several_things_find_those_that_show_more_of_them(
    shared_datasets: Path, bare: Album
) -> None:
    """Measured: ndcg@20[exp] 0.332 against 0.281, acg@20 0.573 against 0.482.

    Eighty photographs teach: enough to tell that something is learned, and not much of it.
    """
    root = shared_datasets / "coco-mini"
    bare.fields |= {"source": {"dataset": "coco", "root": str(root)}, "retrieval": "multi_label"}
    way = as_shipped("coco", "supervision", "method", "descriptor", "size")
    short = {"dimensions": 32, "width": 16, "epochs": 30, "batch": 16, "warm_up": 3}
    ours = measured(bare, MULTI, way | short)
    bits = {"size": 64, "method": "itq", "descriptor": "binary", "dimensions": 32}
    pixels = measured(bare, MULTI, PIXELS | bits)
    assert ours["ndcg@20[exp]"] > pixels["ndcg@20[exp]"] + 0.02, (ours, pixels)
    assert ours["acg@20"] > pixels["acg@20"] + 0.04, (ours, pixels)
    assert ours["acg@20"] > chance(root) + 0.08, (ours, chance(root))
