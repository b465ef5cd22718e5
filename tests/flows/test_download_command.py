"""The command `download`: what it prints, where it puts, and how it ends."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import Result

from data import adapters
from data.adapters.card import Access, Card, Source
from data.adapters.folder import Folder
from flows.cli import exits
from tests.publisher import Publisher

Say = Callable[..., Result]
CONTENT = b"toys" * 1000


@pytest.fixture
def toys(here: Publisher, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Publisher]:
    """Enters a dataset ``toys`` whose one file is published on this machine."""

    def enter(access: Access = "open", ask: str = "", **more: Any) -> Publisher:
        source = Source(
            url=here.put("toys.bin", CONTENT),
            bytes=len(CONTENT),
            md5=hashlib.md5(CONTENT).hexdigest(),
        )
        told = Card(
            name="toys",
            about="Toys.",
            labels="none",
            access=access,
            ask=ask,
            splits={"train": 1},
            sources=(source,),
            **more,
        )

        class Toys(Folder):
            card: ClassVar[Card] = told

        monkeypatch.setattr(adapters, "DATASETS", {**adapters.DATASETS, "toys": Toys})
        return here

    return enter


def test_files_come_to_a_folder_that_a_recipe_can_name(
    say: Say, toys: Callable[..., Publisher], tmp_path: Path
) -> None:
    toys()
    result = say("download", "toys")
    assert result.exit_code == exits.FINE, result.output
    assert (tmp_path / "datasets/toys/toys.bin").read_bytes() == CONTENT
    assert "source: {dataset: toys, root: datasets/toys}" in result.stdout
    assert "3.9 KiB of 3.9 KiB" in result.stderr
    found = json.loads(say("download", "toys", "--json").stdout)
    assert (found["complete"], found["files"][0]["state"]) == (True, "there")


def test_another_folder_and_a_split_may_be_named(
    say: Say, toys: Callable[..., Publisher], tmp_path: Path
) -> None:
    toys()
    words = ("download", "toys", "--split", "train", "--to", tmp_path / "there", "--jobs", "2")
    assert say(*words).exit_code == exits.FINE
    assert (tmp_path / "there" / "toys.bin").exists()


def test_a_dry_run_says_what_would_be_done(
    say: Say, toys: Callable[..., Publisher], tmp_path: Path
) -> None:
    here = toys()
    result = say("download", "toys", "--dry-run", "--json")
    assert result.exit_code == exits.FINE
    found = json.loads(result.stdout)
    assert (found["files"][0]["state"], found["dry_run"]) == ("to fetch", True)
    assert (here.asked, (tmp_path / "datasets").exists()) == ([], False)


def test_what_is_not_open_ends_with_one_and_whom_to_ask(
    say: Say, toys: Callable[..., Publisher], tmp_path: Path
) -> None:
    toys("by agreement", "Write to toys@x.org for more.bin and put it into datasets/toys.")
    result = say("download", "toys")
    assert result.exit_code == exits.FAILED
    assert "toys is by agreement. Write to toys@x.org for more.bin" in result.stdout
    assert (tmp_path / "datasets/toys/toys.bin").exists(), "what is open has come all the same"


def test_a_file_that_is_not_the_right_one_ends_with_one(
    say: Say, toys: Callable[..., Publisher]
) -> None:
    toys().files["/toys.bin"] = CONTENT[::-1]
    result = say("download", "toys")
    assert result.exit_code == exits.FAILED
    assert "failed" in result.stdout
    assert "toys.bin.bad" in result.stdout
    assert "In a recipe" not in result.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nothing"], "Unknown dataset 'nothing'"),
        (["folder"], "reads your own files"),
        (["cifar10", "--split", "val"], "Unknown split of cifar10 'val': choose from test, train"),
        (["cifar10", "--form", "matlab"], "choose from binary, python"),
    ],
)
def test_a_wrong_word_ends_with_two_and_a_sentence(say: Say, words: list[str], says: str) -> None:
    result = say("download", *words)
    assert (result.exit_code, result.stdout) == (exits.USAGE, "")
    assert says in result.stderr
