"""An index is measured as if its recipe asked otherwise: the numbers are those of such a recipe."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

from flows.cli import exits
from flows.otherwise import otherwise
from flows.recipe import Recipe
from tests.flows.album import TRAIN, Album
from tests.flows.test_reindex_official import mnist

SCALES = "0.75,1,1.5"
TWO = {"alpha": 0, "n": 2}


@pytest.fixture
def digits(bare: Album) -> Album:
    """Some pictures of MNIST, re-ranked as their recipe says."""
    mnist(bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "train": TRAIN,
        "evaluate": {"protocol": "mnist", "rerank": "k_reciprocal"},
    }
    return bare


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--rerank", "alpha_qe:alpha=0,n=2", "--depth", "7"],
            {"rerank": {"steps": "alpha_qe", "depth": 7, "options": {"alpha_qe": TWO}}},
        ),
        (["--rerank", "none", "--scales", SCALES], {"scales": [0.75, 1, 1.5]}),
        (["--queries", "3"], {"rerank": "k_reciprocal", "queries": 3}),
    ],
)  # fmt: skip
def test_the_numbers_are_those_of_a_recipe_that_says_so(
    say: Callable[..., Result], digits: Album, words: list[str], said: dict[str, Any]
) -> None:
    digits.night()
    result = say("evaluate", digits.path, *words, "--json")
    assert result.exit_code == exits.FINE, result.output
    found = json.loads(result.stdout)
    digits.fields["evaluate"] = {"protocol": "mnist", **said}
    ledger = digits.night()
    assert found["protocol"] == ledger.protocol
    assert found["candidate"] == pytest.approx(ledger.metrics, abs=1e-6)


def test_what_is_not_said_stays_as_it_is() -> None:
    recipe = Recipe.named("ukbench")
    assert otherwise(recipe).digest == recipe.digest
    asked = otherwise(recipe, depth=9, queries=5).evaluate
    assert asked.rerank is not None
    assert (asked.rerank.steps, asked.rerank.depth) == ("database_augmentation", 9)
    assert otherwise(recipe, "none").evaluate.title == "ukbench"
    assert otherwise(recipe, "alpha_qe:n=3").train == recipe.train
    shared = ("source", "evaluate")
    for name in ("ukbench", "grocery"):
        pixels = Recipe.named(f"{name}-pixels")
        ours = otherwise(Recipe.named(name), "none")
        assert pixels.dataset == ours.dataset
        assert otherwise(pixels, "none").model_dump(include=set(shared)) == ours.model_dump(
            include=set(shared)
        )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--rerank", "alpha"], "Unknown re-ranking 'alpha': choose from"),
        (["--rerank", "alpha_qe:n=0"], "alpha_qe cannot take n: '0'"),
        (["--rerank", "none", "--depth", "5"], "depth says how many answers are re-ranked, and no"),
        (["--scales", "1,9"], "A scale is a share of the side that the encoder sees"),
        (["--scales", "0.01"], "would see 0 x 0, and pictures have 8 to 1024 a side"),
    ],
)
def test_what_cannot_be_measured_so_ends_in_a_sentence(
    say: Callable[..., Result], digits: Album, words: list[str], sentence: str
) -> None:
    result = say("evaluate", digits.path, *words)
    assert (result.exit_code, result.stdout) == (exits.USAGE, "")
    assert sentence in result.stderr


def test_an_index_without_a_named_protocol_is_asked_in_one_way_alone(
    say: Callable[..., Result], toy_recipe: Callable[..., Any]
) -> None:
    result = say("evaluate", toy_recipe(), "--rerank", "alpha_qe")
    assert result.exit_code == exits.USAGE
    assert "rerank says how a named protocol is measured, and auto is none" in result.stderr
