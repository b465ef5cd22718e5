"""A recipe whose plans do not go together about a protocol is refused when it is read."""

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from data.protocols import PROTOCOLS
from data.store import Store
from flows.preview import preview
from flows.recipe import Recipe
from flows.reindex import reindex
from models.extras import MissingExtra

UNTRAINED = {"epochs": 0}
READS = {"supervision": "weakly_supervised", "method": "clip"}
WORDS = {
    "descriptor": "aggregated",
    "pooling": "asmk",
    "pooling_options": {"asmk": {"words": 8}},
    "dimensions": 16,
    "protocol": "mnist",
}


def read(
    dataset: str,
    evaluate: dict[str, Any],
    train: dict[str, Any],
    objects: str | None = None,
    **options: Any,
) -> Recipe:
    source = {"dataset": dataset, "root": "somewhere", "options": options, "objects": objects}
    said = {
        "name": "toy",
        "source": source,
        "train": {"supervision": "self_supervised", **train},
        "evaluate": evaluate,
    }
    return Recipe.parsed(yaml.safe_dump(said), "toy.yaml", Path.cwd())


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_every_protocol_is_read_or_refused_for_what_it_asks_with(name: str) -> None:
    told = PROTOCOLS[name]
    options = {"lists": told.lists} if told.lists else {}
    if told.relevance == "judged":
        with pytest.raises(ValueError, match=f"{name} is judged by people"):
            read(told.dataset, {"protocol": name}, UNTRAINED, **options)
        return
    if told.relevance == "caption":
        with pytest.raises(ValueError, match=f"{name} asks with sentences, .* method: clip"):
            read(told.dataset, {"protocol": name}, UNTRAINED, **options)
        recipe = read(told.dataset, {"protocol": name}, READS, **options)
        assert recipe.evaluate.named == told
        return
    objects = told.objects or None
    recipe = read(told.dataset, {"protocol": name}, UNTRAINED, objects, **options)
    assert recipe.evaluate.named == told
    assert recipe.evaluate.title == name
    if told.train is not None:
        taught = read(told.dataset, {"protocol": name}, {"protocol": name}, objects, **options)
        assert taught.train.taught_by == told


@pytest.mark.parametrize(
    ("dataset", "evaluate", "train", "said"),
    [
        ("cifar10", {"protocol": "cifar-10"}, {}, "choose from auto, cars196, .* Did you mean"),
        ("cifar10", {"protocol": "mnist"}, {}, "known_item, cifar10, cifar10-1, cifar10-2"),
        ("folder", {"protocol": "mnist"}, {}, "choose from auto, labels, known_item[.]"),
        ("mnist", {"protocol": "mnist", "split": "test"}, {}, "leave it out"),
        ("mnist", {"measures": ["p@10"]}, {}, "auto is none"),
        ("mnist", {"protocol": "mnist", "measures": ["map@ten[min]"]}, {}, r"mean 'map@K\[min\]'"),
        ("mnist", {"protocol": "mnist", "measures": ["cmc@1[same-pair]"]}, {}, "same_pair"),
        ("mnist", {"protocol": "mnist", "measures": ["cmc@1[text-to-image]"]}, {}, "only there"),
        ("flickr8k", {"protocol": "flickr8k", "measures": ["p@10"]}, READS, "whose relevance is c"),
        ("nuswide", {"protocol": "nuswide-hashnet"}, UNTRAINED, r"options \{lists: hashnet\}"),
        ("cifar10", {"protocol": "cifar10-1"}, {}, r"set train: \{protocol: cifar10-1\}"),
        ("cifar10", {"protocol": "cifar10-2"}, {"split": "test"}, "learn from the queries"),
        ("ukbench", {"protocol": "ukbench"}, {}, r"set train: \{epochs: 0\}"),
        ("ukbench", {"protocol": "ukbench"}, UNTRAINED | {"whitening": "pca"}, "without whiten"),
        ("roxford5k", {"protocol": "roxford5k-hard"}, {}, r"set train: \{epochs: 0\}"),
        ("cifar10", {"protocol": "cifar10-1"}, {"protocol": "cifar10"}, "learn from the queries"),
        ("cifar10", {}, {"protocol": "mnist"}, "train.protocol teaches by mnist"),
        ("cifar10", {}, {"protocol": "cifar10", "split": "train"}, "leave one of them out"),
        ("ukbench", {}, {"protocol": "ukbench"}, "no picture of ukbench may teach"),
        ("cifar10", {}, {"protocol": "nope"}, "Unknown protocol 'nope'"),
        ("ukbench", {"protocol": "ukbench", "scales": [1, 0.1]}, UNTRAINED, "evaluate.scales: At"),
        ("ukbench", {"protocol": "ukbench", "scales": [4]}, UNTRAINED | {"size": 512}, "2048 x 20"),
        ("mnist", {"protocol": "mnist", "scales": [1, 2]}, WORDS, "and visual words are none"),
        ("mnist", {"protocol": "mnist", "rerank": "alpha_qe"}, WORDS, "choose geometric or within"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_with_what_would_do(
    dataset: str, evaluate: dict[str, Any], train: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        read(dataset, evaluate, train)


def test_a_re_ranking_whose_package_is_not_there_is_refused_before_the_night_and_not_by_readers(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"protocol": "ukbench", "rerank": "alpha_qe+geometric"}
    read("ukbench", said, UNTRAINED).evaluate.check_installed()
    monkeypatch.setitem(sys.modules, "cv2", None)
    recipe = read("ukbench", said, UNTRAINED)  # to move production back, say
    for work in (reindex, preview):
        with pytest.raises(MissingExtra, match=r"geometric needs .*nightjar\[geometry\]"):
            work(recipe, store=store)
    assert not store.names(""), "nothing was begun"
    read("ukbench", said | {"rerank": "alpha_qe"}, UNTRAINED).evaluate.check_installed()


def test_a_training_on_other_splits_than_the_queries_is_fine() -> None:
    assert read("cifar10", {"protocol": "cifar10-2"}, {}).train.epochs > 0
    assert read("cifar10", {"protocol": "cifar10-2"}, {"protocol": "cifar10-unsupervised"})


def test_a_radius_is_no_headline_of_real_valued_descriptors() -> None:
    own = PROTOCOLS["mnist"].model_dump(mode="json") | {"metric": "p[h<=2]"}
    with pytest.raises(ValueError, match="descriptor: binary"):
        read("mnist", {"protocol": own}, {})
    recipe = read("mnist", {"protocol": own}, {"descriptor": "binary"})
    assert recipe.evaluate.name.startswith("own-")


@pytest.mark.parametrize(
    ("dataset", "protocol", "objects", "said"),
    [
        ("coco", "coco-objects", None, "asks for boxes, .* are whole pictures: set .* to boxes"),
        ("coco", "coco-objects", "grid", "the rows of the source are grid"),
        ("mnist", "mnist", "grid", "whole pictures, and .* are grid: set .* to nothing"),
        ("mnist", "auto", "boxes", "mnist knows no boxes of its pictures: say objects: grid"),
        ("coco", "auto", "box", "source.objects.of: Input should be 'boxes' or 'grid'"),
    ],
)
def test_a_protocol_of_boxes_is_put_to_boxes_and_no_other_is(
    dataset: str, protocol: str, objects: str | None, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        read(dataset, {"protocol": protocol}, UNTRAINED, objects)
