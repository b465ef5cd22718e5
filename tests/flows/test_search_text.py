"""Words ask an index for pictures, as a person types it; an index that cannot read says so."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from flows.cli import exits
from tests.flows.album import TRAIN, Album
from tests.flows.test_reindex_captions import READS, captioned

Say = Callable[..., Result]


@pytest.fixture
def read(bare: Album, say: Say) -> Path:
    """The recipe of an index of pictures of two colours that has learned what they are called."""
    captioned(bare)
    bare.fields["train"] = READS | {"epochs": 25}
    bare.night()
    return bare.path


def halves(say: Say, recipe: Path, *words: str) -> list[str]:
    found = json.loads(say("search", "-r", recipe, "-k", "6", "--json", *words).stdout)
    return [row["key"] for row in found]


def test_words_find_the_pictures_of_which_they_are_true(read: Path, say: Say, bare: Album) -> None:
    from data.manifest import manifest

    table = manifest(bare.store, "toy").open().to_table(["key", "captions"])
    rows = zip(table["key"].to_pylist(), table["captions"].to_pylist(), strict=True)
    of_key = {key: " ".join(said) for key, said in rows}
    for colour in ("red", "green", "blue", "grey"):
        right = sum(colour in of_key[key] for key in halves(say, read, "--text", colour))
        share = sum(colour in said for said in of_key.values()) / len(of_key)
        assert right >= 5 > 6 * share + 1, colour


def test_several_words_and_pictures_are_each_answered_under_what_was_said(
    read: Path, say: Say, bare: Album
) -> None:
    image = bare.folder / "0.png"
    said = say("search", image, "--text", "red", "--text", "blue side", "-r", read, "--json")
    assert [one["query"] for one in json.loads(said.stdout)] == [str(image), "red", "blue side"]
    plain = say("search", "--text", "red", "-r", read)
    assert plain.stdout.split()[:4] == ["rank", "distance", "key", "labels"]


def test_words_that_nobody_said_of_a_picture_are_refused(read: Path, say: Say) -> None:
    result = say("search", "--text", "quokka", "-r", read)
    assert result.exit_code == exits.USAGE
    assert "knows no word of 'quokka'" in result.stderr


def test_an_index_that_cannot_read_says_what_would_do(bare: Album, say: Say) -> None:
    captioned(bare)
    bare.fields |= {
        "train": TRAIN | {"supervision": "self_supervised"},
        "evaluate": {"protocol": "known_item"},
    }
    bare.night()
    result = say("search", "--text", "red", "-r", bare.path)
    assert result.exit_code == exits.USAGE
    assert "has no tower for text" in result.stderr
    assert "method: clip" in result.stderr
