"""What is told of the methods: tables, JSON, and the page that is written of them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import yaml
from typer.testing import Result

from data.taxonomy import DescriptorType
from flows import methods
from flows.cli import exits
from flows.contest import FLOORS, ROWS
from models.aggregation import AGGREGATIONS
from models.composition import check
from models.descriptors import DESCRIPTORS
from models.networks import NETWORKS
from models.supervision import SUPERVISIONS
from tasks.training.plan import TrainPlan

Say = Callable[..., Result]


def test_the_tables_name_all_that_there_is(say: Say) -> None:
    said = say("methods").stdout
    for word in (*SUPERVISIONS, *NETWORKS, *AGGREGATIONS, *DESCRIPTORS):
        assert f"\n{word} " in f"\n{said}"
    for one in SUPERVISIONS.values():
        assert ", ".join(one.methods) in said


def test_machines_are_told_what_goes_together_and_why_the_rest_does_not(say: Say) -> None:
    found = json.loads(say("methods", "--json").stdout)
    every = len(SUPERVISIONS) * len(NETWORKS) * len(DescriptorType)
    assert len(found["composes"]) == every
    for line in found["composes"]:
        words = line["supervision"], line["network"], line["descriptor"]
        assert bool(line["method"]) != bool(line["why_not"])
        if line["method"]:
            assert check(*words) == line["method"]
        else:
            assert "choose" in line["why_not"]
    assert list(found["poolings"]["rmac"]["options"]) == ["scales", "whiten"]
    assert "mnist" in found["supervisions"]["supervised"]["datasets"]
    assert "clickture" not in found["supervisions"]["supervised"]["datasets"]


def test_every_method_names_its_paper() -> None:
    for one in SUPERVISIONS.values():
        for way in one.methods.values():
            assert any(char.isdigit() for char in way.cite), way
    assert all(any(char.isdigit() for char in one.cite) for one in NETWORKS.values())


def test_what_the_rows_train_is_told_in_words_that_a_recipe_takes() -> None:
    """And so is what they are held against, but for the two floors, which the page explains."""
    root = Path(__file__).parents[2]
    page = methods.page(json.loads((root / methods.RESULTS).read_text()))
    told = page.split("What each row trains")[1]
    for row in ROWS:
        (line,) = [line for line in told.splitlines() if f"| {row.axis} | {row.word} |" in line]
        own, *others = [yaml.safe_load(f"{{{said}}}") for said in re.findall("`(.*?)`", line)]
        assert own == row.train
        TrainPlan.model_validate(own)
        assert [own | other for other in others] == [
            words for name, words in row.against.items() if name not in FLOORS
        ]


def test_the_page_stands_as_the_tables_say(say: Say) -> None:
    root = Path(__file__).parents[2]
    measured = json.loads((root / methods.RESULTS).read_text())
    page = methods.page(measured)
    assert (root / "docs" / "methods.md").read_text() == page, f"write again: {methods.COMMAND}"
    assert say("methods", "--markdown", "--measured", str(root / methods.RESULTS)).stdout == page
    assert page.startswith(say("methods", "--markdown").stdout.rstrip())


def test_results_of_something_else_are_refused(say: Say, tmp_path: Path) -> None:
    for content in ("{", "{}", "[]", '{"outcomes": [{}], "settings": {}}'):
        (tmp_path / "x.json").write_text(content)
        result = say("methods", "--markdown", "--measured", str(tmp_path / "x.json"))
        assert result.exit_code == exits.USAGE
        assert "was not written by" in result.stderr
