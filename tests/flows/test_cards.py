"""What is told of the datasets: the table, a card, JSON, and the page that is written of them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from data.adapters import DATASETS
from data.adapters.card import Card, Source
from flows import cards
from flows.cli import exits

Say = Callable[..., Result]


def test_the_table_has_a_line_for_every_adapter(say: Say) -> None:
    lines = say("datasets").stdout.splitlines()
    assert lines[0].split()[:2] == ["name", "pictures"]
    assert [line.split()[0] for line in lines[1:]] == sorted(DATASETS)
    found = json.loads(say("datasets", "--json").stdout)
    assert [card["name"] for card in found] == sorted(DATASETS)


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_a_card_is_told_in_full(say: Say, name: str) -> None:
    card = DATASETS[name].card
    result = say("datasets", name)
    assert result.exit_code == exits.FINE
    for words in (card.about, card.licence, card.ask, card.proof, *card.splits, *card.traps):
        assert words in result.stdout
    found = json.loads(say("datasets", name, "--json").stdout)
    assert found["supervisions"] == list(card.supervisions)
    assert [source["url"] for source in found["sources"]] == [one.url for one in card.sources]


def test_an_unknown_dataset_ends_with_two_and_the_choices(say: Say) -> None:
    result = say("datasets", "cifar")
    assert result.exit_code == exits.USAGE
    assert "Did you mean 'cifar10'?" in result.stderr


def test_the_page_stands_as_the_cards_say(say: Say) -> None:
    page = Path(__file__).parents[2] / "docs" / "datasets.md"
    assert page.read_text() == cards.page(), f"write it again: {cards.COMMAND}"
    assert say("datasets", "--markdown").stdout == cards.page()


def test_many_files_that_hold_the_same_are_one_line() -> None:
    tars = tuple(
        Source(
            url=f"https://x.org/train/{number:03d}.tar",
            holds="photographs",
            splits=("train",),
            bytes=1000,
            md5_url=f"https://x.org/md5/{number:03d}.txt",
        )
        for number in range(500)
    )
    truth = Source(url="https://x.org/truth.csv?v=2", holds="truth", md5="0" * 32)
    asked = Source(saved_as="more.tar", holds="more")
    card = Card(name="x", about="X.", labels="", splits={"train": 9}, sources=(*tars, truth, asked))
    assert cards.file_rows(card) == [
        ["000.tar … 499.tar (500 files)", "photographs", "", "train", 500_000, "", "https://x.org/train/"],
        ["truth.csv", "truth", "", "", None, f"md5 {'0' * 32}", "https://x.org/truth.csv?v=2"],
        ["more.tar", "more", "", "", None, "", "by agreement"],
    ]  # fmt: skip
