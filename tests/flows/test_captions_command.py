"""A picture asks for words, as a person types it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from data.manifest import manifest
from flows.cli import exits
from models.distances import between, prepared
from tasks.searching.in_words import sentences_for
from tasks.searching.question import Query, descriptors
from tasks.searching.search import Searcher
from tests.flows.album import TRAIN, Album
from tests.flows.test_reindex_captions import READS, captioned

Say = Callable[..., Result]


@pytest.fixture
def read(bare: Album) -> Album:
    """An index of pictures of two colours that has learned what they are called."""
    captioned(bare)
    bare.fields["train"] = READS | {"epochs": 25}
    bare.night()
    return bare


def said_of(album: Album) -> dict[str, list[str]]:
    table = manifest(album.store, "toy").open().to_table(["key", "captions"])
    return dict(zip(table["key"].to_pylist(), table["captions"].to_pylist(), strict=True))


def test_the_sentences_of_a_picture_are_the_nearest_of_all(read: Album, say: Say) -> None:
    image = read.folder / "0.png"
    result = say("captions", image, "-r", read.path, "-k", "7", "--json")
    rows = json.loads(result.stdout)
    of_key = said_of(read)
    everything = sorted({text for said in of_key.values() for text in said})
    searcher = Searcher(read.store, read.production.table, read.production.version)
    vector = descriptors(searcher, [Query.of(image.read_bytes())])
    told = searcher.embedder.describe(searcher.embedder.read(everything, lenient=True))
    apart = between(
        prepared(vector, searcher.metric), prepared(told, searcher.metric), searcher.metric
    )[0]
    order = sorted(range(len(everything)), key=lambda n: (float(apart[n]), everything[n]))[:7]
    assert [row["sentence"] for row in rows] == [everything[n] for n in order]
    assert [row["rank"] for row in rows] == list(range(1, 8))
    np.testing.assert_allclose([row["distance"] for row in rows], apart[order], atol=1e-5)
    assert all(row["sentence"] in of_key[row["key"]] for row in rows)
    plain = say("captions", image, "-r", read.path)
    assert plain.stdout.split()[:4] == ["rank", "distance", "sentence", "key"]


def test_all_are_told_where_there_are_no_more(read: Album) -> None:
    searcher = Searcher(read.store, read.production.table, read.production.version)
    vector = descriptors(searcher, [Query.of((read.folder / "0.png").read_bytes())])[0]
    found = sentences_for(searcher, vector, 10_000)
    assert len(found) == len({text for said in said_of(read).values() for text in said})
    with pytest.raises(ValueError, match="k must be at least 1"):
        sentences_for(searcher, vector, 0)


@pytest.mark.parametrize(
    ("name", "says"), [("no.png", "no.png"), ("bad.png", "cannot be searched")]
)
def test_what_is_no_picture_is_a_misuse(
    read: Album, say: Say, tmp_path: Path, name: str, says: str
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    result = say("captions", tmp_path / name, "-r", read.path)
    assert result.exit_code == exits.USAGE
    assert says in result.stderr


def test_an_index_that_cannot_read_says_what_would_do(bare: Album, say: Say) -> None:
    captioned(bare)
    bare.fields |= {
        "train": TRAIN | {"supervision": "self_supervised"},
        "evaluate": {"protocol": "known_item"},
    }
    bare.night()
    result = say("captions", bare.folder / "0.png", "-r", bare.path)
    assert result.exit_code == exits.USAGE
    assert "has no tower for text" in result.stderr
