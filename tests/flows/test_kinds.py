"""What an index is for, as a recipe's word: how it is measured then, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import Result

from data.adapters import DATASETS
from data.plan import digest_of
from data.protocols import PROTOCOLS
from data.taxonomy import Retrieval
from flows import kinds
from flows.recipe import Recipe
from tasks.retrieval import RETRIEVALS
from tests.flows.album import TRAIN, Album, photo
from tests.flows.brute import ranking
from tests.flows.test_reindex_protocols import listed, stands

Say = Callable[..., Result]


def read(dataset: str, retrieval: str | None, **more: Any) -> Recipe:
    said = {"name": "toy", "source": {"dataset": dataset, "root": "somewhere"}, **more}
    if retrieval is not None:
        said["retrieval"] = retrieval
    return Recipe.parsed(yaml.safe_dump(said), "toy.yaml", Path("/"))


def test_a_kind_says_relevance_and_measure_and_those_ask_who_do_not_teach() -> None:
    told = read("cifar10", "semantic").evaluate.named
    assert told is not None
    assert (told.relevance, told.metric) == ("same_label", "map[all]")
    assert (told.queries.splits, told.queries.labels, told.own) == (("test",), "some", "left_out")
    assert told.dataset == "cifar10"
    shared = read("coco", "multi_label", train={"split": "val"}).evaluate.named
    assert shared is not None
    assert (shared.relevance, shared.metric) == ("shared_label", "ndcg@100[exp]")
    assert shared.queries.splits == ("train",)


def test_a_split_that_is_named_asks_and_the_others_answer() -> None:
    plan = read("mnist", "semantic", evaluate={"split": "train"}, train={"split": "test"}).evaluate
    told = plan.named
    assert told is not None
    assert (told.queries.splits, told.database.without) == (("train",), ("queries",))
    assert (told.own, plan.split, plan.queries) == ("absent", None, None)


def test_a_source_without_splits_asks_with_a_sample() -> None:
    plan = read("folder", "instance").evaluate
    assert plan.named is not None
    assert (plan.named.queries.splits, plan.queries) == ((), 200)
    assert read("folder", "instance", evaluate={"queries": 7}).evaluate.queries == 7


def test_the_kind_s_word_stands_in_the_name_and_a_protocol_that_is_named_stays() -> None:
    one = read("mnist", "semantic").evaluate
    other = read("mnist", "semantic", evaluate={"split": "test"}).evaluate
    assert one.name.startswith("semantic-")
    assert one.name != other.name
    named = read("mnist", "semantic", evaluate={"protocol": "mnist"})
    assert named.evaluate.protocol == "mnist"
    own = PROTOCOLS["mnist"].model_dump(mode="json") | {"defined": "us"}
    written = read("mnist", "fine_grained", evaluate={"protocol": own}).evaluate
    assert written.name.startswith("own-")
    assert read("mnist", "instance", evaluate={"protocol": "known_item"})


@pytest.mark.parametrize(
    ("dataset", "retrieval", "more", "said"),
    [
        ("mnist", "semantik", {}, "retrieval: Input should be .*'semantic'"),
        ("mnist", "multi_label", {}, "needs several labels a picture, and mnist has one label a "),
        ("mnist", "multi_label", {}, "choose from .*semantic"),
        ("mnist", "semantic", {"evaluate": {"protocol": "mnist-unseen"}},
         "mnist-unseen measures fine_grained, and not .*choose from auto, labels, mnist, or"),
        ("mnist", "semantic", {"evaluate": {"protocol": "known_item"}}, "measures instance"),
        ("folder", "semantic", {"evaluate": {"split": "test"}},
         r"set train: \{split: SPLIT\}, of pictures not in test"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_with_what_would_do(
    dataset: str, retrieval: str, more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        read(dataset, retrieval, **more)


@pytest.mark.parametrize("word", RETRIEVALS)
def test_a_kind_is_read_or_refused_for_what_it_cannot(word: Retrieval) -> None:
    refusal = kinds.facts()[word]["refusal"]
    dataset = next(name for name in kinds.datasets_of(word) if name not in ("folder", "list"))
    if refusal:
        with pytest.raises(ValueError, match=f"retrieval: {word} .*Choose from"):
            read(dataset, str(word), train={"supervision": "self_supervised"})
        return
    more: dict[str, Any] = {"supervision": "self_supervised", "epochs": 0, "descriptor": "binary"}
    if word is Retrieval.CROSS_MODAL:
        more = {"supervision": "weakly_supervised", "method": "clip"}
    how = {"real": True} if word is Retrieval.ASYMMETRIC else {}
    assert read(dataset, str(word), train=more, evaluate=how).evaluate.named is not None


def test_recipes_that_say_no_kind_are_what_they_were() -> None:
    """Numbers and encoders of earlier releases go by these."""
    recipe = read("folder", None)
    assert recipe.evaluate.named is None
    said = recipe.model_dump(mode="json")
    assert said.pop("retrieval") is None
    assert recipe.digest == digest_of(said)
    assert recipe.digest != read("folder", "semantic").digest
    mnist = PROTOCOLS["mnist"]
    assert mnist.digest == "471d38fb14c105a8f3e946b3b17ec0b1da62f0a9156fcccfd250d2963c6cc860"
    own = mnist.model_dump(mode="json") | {"defined": "us"}
    taught = read("mnist", None, train={"protocol": own}, evaluate={"protocol": own})
    purpose = "95a2aa652a9872c5ad6084980745bf78c0c14900ceacc0872408230eedb209b2"
    assert (taught.train.purpose, taught.evaluate.name) == (purpose, "own-712fac9f3ff0")


def test_a_night_is_measured_as_its_kind_says(bare: Album) -> None:
    labels = listed(bare)
    bare.fields |= {"retrieval": "multi_label", "evaluate": {"split": "test"}}
    bare.fields["train"] = TRAIN | {"split": "train"}
    ledger = bare.night()
    name = bare.recipe.evaluate.name
    assert name.startswith("multi_label-")
    stands(bare, ledger, name, "ndcg@100[exp]")
    rows = bare.rows()
    database = [key for key in rows if key.startswith("train/")]
    found = []
    for key in rows.keys() - set(database):
        order = [one for _, one in ranking(bare, rows[key][2], database)]
        found.append(sum(len(labels[key] & labels[one]) for one in order) / 100)
    assert ledger.metrics["acg@100"] == pytest.approx(np.mean(found), abs=1e-6)


def test_a_night_without_splits_leaves_each_query_out_of_its_own_answers(bare: Album) -> None:
    for number in range(12):
        bare.put(f"class{number % 3}/{number:02d}.jpg", photo(number))
    bare.fields |= {"retrieval": "fine_grained"}
    ledger = bare.night()
    assert ledger.headline == "cmc@1"
    rows = bare.rows()
    hits = []
    for key in rows:
        (_, first), *_ = ranking(bare, rows[key][2], [one for one in rows if one != key])
        hits.append(first.split("/")[0] == key.split("/")[0])
    assert ledger.metrics["cmc@1"] == pytest.approx(np.mean(hits))


def test_the_table_of_kinds_is_told_to_people_and_machines(say: Say) -> None:
    told = say("methods").stdout
    assert all(f"\n{word} " in told for word in RETRIEVALS)
    found = json.loads(say("methods", "--json").stdout)["retrievals"]
    assert set(found) == set(RETRIEVALS)
    for word, kind in RETRIEVALS.items():
        line = found[word]
        assert (line["relevance"], line["headline"]) == (kind.relevance, kind.headline)
        assert set(line["datasets"]) <= set(DATASETS)
        assert line["datasets"]
        assert bool(line["command"]) != bool(line["refusal"])
