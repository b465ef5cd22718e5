"""What is told of the protocols: the table, one in full, the page, and sets that are written."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from data.protocols import PROTOCOLS
from data.protocols.draw import read_sets
from flows import protocols
from flows.cli import exits
from models.measures import MEASURES
from tests.flows.album import Album
from tests.flows.test_reindex_official import ASKED, LEARNED, mnist

Say = Callable[..., Result]


def test_the_table_has_a_line_for_every_protocol(say: Say) -> None:
    lines = say("protocols").stdout.splitlines()
    assert lines[0].split()[:3] == ["name", "dataset", "queries"]
    assert sorted(line.split()[0] for line in lines[1:]) == sorted(PROTOCOLS)
    found = json.loads(say("protocols", "--json").stdout)
    assert [one["name"] for one in found] == list(PROTOCOLS)


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_a_protocol_is_told_in_full(say: Say, name: str) -> None:
    told = PROTOCOLS[name]
    result = say("protocols", name)
    assert result.exit_code == exits.FINE
    for words in (told.dataset, told.defined, told.note, *told.measures):
        assert words in result.stdout
    found = json.loads(say("protocols", name, "--json").stdout)
    assert found["metric"] == told.metric
    assert bool(found["refusal"]) == (told.relevance == "judged")


def test_the_page_stands_as_the_table_says(say: Say) -> None:
    page = Path(__file__).parents[2] / "docs" / "protocols.md"
    assert page.read_text() == protocols.page(), f"write it again: {protocols.COMMAND}"
    assert say("protocols", "--markdown").stdout == protocols.page()
    for name in (*PROTOCOLS, *MEASURES):
        assert f"| {name} |" in protocols.page()


def test_sets_are_written_from_the_dataset_of_a_recipe(say: Say, bare: Album) -> None:
    mnist(bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "evaluate": {"protocol": "mnist"},
    }
    recipe, out = str(bare.path), bare.folder / "sets" / "mnist.csv"
    early = say("protocols", "--sets", recipe, "--out", out)
    assert (early.exit_code, "nightjar reindex" in early.stderr) == (exits.FAILED, True)
    bare.night()
    would = json.loads(say("protocols", "mnist", "--sets", recipe, "--dry-run", "--json").stdout)
    assert (would["queries"], would["database"], would["train"]) == (ASKED, LEARNED, LEARNED)
    assert not out.exists()
    assert say("protocols", "--sets", recipe, "--out", out).exit_code == exits.FINE
    with out.open(newline="") as lines:
        sets = read_sets(lines)
    assert sets.queries == tuple(f"test/{number:05d}" for number in range(ASKED))
    assert len(sets.database) == len(sets.train) == LEARNED


def test_what_cannot_be_written_ends_with_two_and_what_would_do(say: Say, bare: Album) -> None:
    recipe = str(bare.path)
    for words, said in (
        (("mnst",), "Did you mean 'mnist'?"),
        (("mnist", "--dry-run"), "say whose by --sets RECIPE"),
        (("--sets", recipe, "--dry-run"), "measures by auto, which takes no sets"),
        (("mnist", "--sets", recipe, "--dry-run"), "the source of"),
    ):
        result = say("protocols", *words)
        assert (result.exit_code, said in result.stderr) == (exits.USAGE, True), result.stderr
    bare.fields["source"] = {"dataset": "mnist", "root": "official"}
    result = say("protocols", "mnist", "--sets", str(bare.path))
    assert "--out FILE" in result.stderr
