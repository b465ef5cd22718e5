"""Nights whose index stores codes and is asked by numbers, against brute force."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data.indexes import VECTOR, index_table, quantised
from data.protocols import named
from flows.recipe import Recipe
from models.codebooks import Codebooks
from tasks.codebooks import codebooks_in
from tasks.encoders import load_encoder
from tasks.measuring.answering import answering
from tasks.measuring.sets import questions
from tasks.training.train import train, trained
from tasks.verify import verify
from tests.flows.album import TRAIN, Album, photo
from tests.flows.test_asymmetric import Vectors, features, precision
from tests.flows.test_reindex_official import mnist

PIXELS: dict[str, Any] = {
    "supervision": "unsupervised",
    "method": "pca",
    "pretrained": "pixels",
    "dimensions": 16,
    "size": 28,
    "flip": False,
    "epochs": 0,
    "device": "cpu",
}
CODES = PIXELS | {"storage": "pq", "pq_parts": 4}


@pytest.fixture
def digits(bare: Album) -> Album:
    """An album whose source is a small MNIST in its official layout: 300 digits teach."""
    mnist(bare.folder / "official", learned=300)
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "train": CODES,
        "evaluate": {"protocol": "mnist"},
    }
    return bare


def books_of(album: Album, encoder: str) -> Codebooks:
    books = codebooks_in(album.store, encoder)
    assert books is not None
    return books


def decoded(album: Album, encoder: str) -> Vectors:
    """What each row stands for, by its key."""
    books, rows = books_of(album, encoder), album.rows()
    stood = books.decoded(np.stack([row[2] for row in rows.values()]))
    return dict(zip(rows, stood.astype(float), strict=True))


def test_numbers_ask_codes_by_the_cosine_with_what_they_stand_for(digits: Album) -> None:
    ledger = digits.night()
    made = features(digits, ledger.encoder)
    wanted = precision(digits, made, decoded(digits, ledger.encoder))
    assert ledger.metrics["map[all]"] == pytest.approx(wanted, abs=2e-3)
    table, version = digits.production.place
    opened = index_table(digits.store, table).open(version)
    assert quantised(opened.schema)
    assert opened.schema.field(VECTOR).type.list_size == 4
    data = digits.lineage().dataset_version
    asked = questions(digits.store, "toy", data, "mnist", named("mnist"), None)
    found = answering(digits.store, "toy", opened, asked, load_encoder)
    assert found.embedded == 0, "what asks is in the cache"
    for key, asks in zip(asked.queries["key"].to_pylist(), found.vectors, strict=True):
        np.testing.assert_allclose(asks, made[key], atol=1e-5)
    held = asked.database.take(pa.array(found.places)).to_pylist()
    stood = decoded(digits, ledger.encoder)
    for key, row in zip(held, found.rows.vectors, strict=True):
        np.testing.assert_allclose(row, stood[key] / np.linalg.norm(stood[key]), atol=1e-5)
    assert digits.verified(embed=20).ok
    again = digits.night()
    assert again.embedded == 0
    assert again.metrics == ledger.metrics
    assert trained(digits.store, "toy", digits.recipe.train) == ledger.encoder


def test_another_night_and_a_search_that_finds_a_picture_itself(bare: Album) -> None:
    bare.fields |= {"train": CODES | {"pq_parts": 8}, "evaluate": {"queries": 20, "k": 10}}
    for n in range(300):
        bare.put(f"c{n % 3}/{n:03d}.jpg", photo(n))
    first = bare.night()
    assert first.protocol == "labels"
    for n in range(5):
        bare.put(f"c0/{900 + n}.jpg", photo(900 + n))
    bare.move("c1/001.jpg", "c1/moved.jpg")
    second = bare.night()
    assert second.encoder == first.encoder
    assert second.embedded == 5
    assert sorted(bare.rows()) == bare.names()
    books = books_of(bare, second.encoder)
    for key, (_, _, code) in bare.rows().items():
        fresh = bare.vector((bare.root / key).read_bytes(), second.encoder)
        assert books.off(fresh[None], code[None])[0] < 1e-6, key
    assert bare.verified(embed=30).ok
    apart = []
    for key in bare.names()[::20]:
        found = bare.search((bare.root / key).read_bytes(), k=3)
        apart.append(found[0]["distance"])
        assert key in {row["key"] for row in found if row["distance"] <= apart[-1] + 1e-6}
    assert max(apart) < 0.5, "a picture is not far from its own row"


def test_what_another_encoder_makes_has_drifted_from_the_codes(digits: Album) -> None:
    digits.night()
    version = digits.lineage().dataset_version
    plan = type(digits.recipe.train).model_validate(CODES | {"see": "edges"})
    other = train(digits.store, "toy", version, plan)
    found = verify(
        digits.store,
        "toy",
        digits.production.place,
        embed=20,
        load=lambda store, _: load_encoder(store, other),
    )
    assert found.embedded == 20
    assert len(found.drifted) > 15


def test_too_few_pictures_are_told_before_they_are_learned_from(bare: Album) -> None:
    bare.fields |= {"train": CODES}
    for n in range(20):
        bare.put(f"c{n % 2}/{n}.jpg", photo(n))
    with pytest.raises(ValueError, match=r"there are 20 pictures .* 256 at least"):
        bare.night()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"descriptor": "binary", "method": "itq"}, "is bits already, dimensions / 8 bytes a row"),
        ({"pq_parts": 5}, "dimensions are not a multiple of 5 parts: .* pq_parts: 4"),
        ({"storage": "float32", "pq_parts": 8}, "set storage: pq, or leave pq_parts out"),
        ({"pq_parts": 0}, "greater than 0"),
    ],
)
def test_what_makes_no_codes_is_refused_when_the_recipe_is_read(
    digits: Album, said: dict[str, Any], why: str
) -> None:
    digits.fields["train"] = CODES | said
    with pytest.raises(ValueError, match=why):
        Recipe.named(str(digits.path))


def test_visual_words_and_real_queries_are_refused(digits: Album) -> None:
    digits.fields["evaluate"] = {"protocol": "mnist", "real": True}
    with pytest.raises(ValueError, match="of rows that are stored by pq real numbers ask"):
        digits.night()
    words = {"descriptor": "aggregated", "pooling": "asmk", "storage": "pq"}
    digits.fields["train"] = TRAIN | words
    with pytest.raises(ValueError, match="quantises one vector a picture, and asmk"):
        Recipe.named(str(digits.path))
