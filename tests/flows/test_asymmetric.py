"""A night whose queries are not described as the rows are, against brute force."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from data.adapters import open_dataset
from flows.recipe import Recipe
from tasks.train import load_encoder, train
from tests.flows.album import TRAIN, Album
from tests.flows.test_reindex_official import mnist

Vectors = dict[str, np.ndarray[Any, Any]]


@pytest.fixture
def digits(bare: Album) -> Album:
    """An album whose source is a miniature of MNIST in its official layout."""
    mnist(bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": "mnist", "root": "official"},
        "evaluate": {"protocol": "mnist"},
    }
    return bare


def features(album: Album, encoder: str) -> Vectors:
    """What ENCODER makes of every picture of the source, by key, before it becomes a row."""
    embedder = load_encoder(album.store, encoder)
    source = open_dataset("mnist", str(album.folder / "official"), {})
    found: Vectors = {}
    for sample in source.samples():
        (content,) = source.read([sample.uri])
        assert isinstance(content, bytes)
        pixels = torch.stack([embedder.pixels(content)])
        found[sample.key] = embedder.features(pixels)[0].double().numpy()
    return found


def precision(album: Album, queries: Vectors, rows: Vectors) -> float:
    """map[all] of the test pictures among those of training, by the cosine; of ties the mean."""
    labels = {key: row[1] for key, row in album.rows().items()}
    values = []
    for key in (key for key in queries if key.startswith("test/")):
        levels: dict[float, list[bool]] = {}
        for one, row in rows.items():
            if one.startswith("train/"):
                cosine = queries[key] @ row / np.linalg.norm(row) / np.linalg.norm(queries[key])
                levels.setdefault(round(-float(cosine), 6), []).append(labels[one] == labels[key])
        before, found, total = 0, 0, 0.0
        for _, hits in sorted(levels.items()):
            count, right = len(hits), sum(hits)
            for i in range(1, count + 1):
                others = (i - 1) * (right - 1) / (count - 1) if count > 1 else 0.0
                total += right / count * (found + 1 + others) / (before + i)
            before, found = before + count, found + right
        values.append(total / found)
    return float(np.mean(values))


def as_steps(vectors: Vectors) -> Vectors:
    """The bits of VECTORS as -1 and +1."""
    return {key: np.where(row >= 0, 1.0, -1.0) for key, row in vectors.items()}


def test_real_numbers_ask_codes_by_their_inner_product(digits: Album) -> None:
    digits.fields["train"] = TRAIN | {"descriptor": "binary", "dimensions": 16}
    digits.night()
    digits.fields["evaluate"] = {"protocol": "mnist", "real": True, "measures": ["p[h<=2]"]}
    ledger = digits.night()
    assert ledger.protocol == "mnist (real-valued queries)"
    assert any("p[h<=2] is not measured" in note for note in ledger.notes)
    made = features(digits, ledger.encoder)
    wanted = precision(digits, made, as_steps(made))
    assert ledger.metrics["map[all]"] == pytest.approx(wanted, abs=2e-3)
    assert ledger.embedded == 0, "asking costs no row"


def learned(album: Album, dataset: str, version: int, **changes: Any) -> str:
    """The digest of a small encoder, trained on the bytes that the album's night has kept."""
    plan = album.recipe.train.model_copy()
    told = plan.model_dump() | {"width": 4, "size": 24, "epochs": 1, "batch": 8} | changes
    return train(album.store, dataset, version, type(plan).model_validate(told))


@pytest.mark.parametrize("descriptor", ["real_valued", "binary"])
@pytest.mark.parametrize("real", [False, True])
def test_a_smaller_encoder_asks_the_index_of_the_one_it_fits(
    digits: Album, descriptor: str, real: bool
) -> None:
    digits.fields["train"] = TRAIN | {"descriptor": descriptor}
    first = digits.night()
    small = learned(digits, "toy", digits.lineage().dataset_version, compatible_with=first.encoder)
    asked: dict[str, Any] = {"protocol": "mnist", "asked_by": small[:12]}
    if descriptor == "binary":
        asked |= {"real": real}
    digits.fields["evaluate"] = asked
    ledger = digits.night()
    assert ledger.protocol.startswith(f"mnist (queries by {small[:12]}")
    queries, rows = features(digits, small), features(digits, first.encoder)
    if descriptor == "binary":
        rows = as_steps(rows)
        if real:
            wanted = precision(digits, queries, rows)
            assert ledger.metrics["map[all]"] == pytest.approx(wanted, abs=2e-3)
        return
    assert ledger.metrics["map[all]"] == pytest.approx(precision(digits, queries, rows), abs=2e-3)
    again = digits.night()
    assert again.metrics == ledger.metrics


def test_a_stranger_s_queries_are_not_measured_and_it_is_said_why(digits: Album) -> None:
    digits.fields["train"] = TRAIN
    first = digits.night()
    stranger = learned(digits, "toy", digits.lineage().dataset_version, seed=5)
    digits.fields["evaluate"] = {"protocol": "mnist", "asked_by": stranger}
    told = digits.night("fall")
    assert told.metrics == {}
    (note,) = told.notes
    assert f"made by encoder {first.encoder[:12]}, the query by {stranger[:12]}" in note
    digits.fields["evaluate"] = {"protocol": "mnist", "asked_by": "0" * 12}
    assert "No encoder 000000000000" in digits.night("fall").notes[0]


def read(evaluate: dict[str, Any], **more: Any) -> Recipe:
    said = {"name": "toy", "source": {"dataset": "mnist", "root": "x"}, "evaluate": evaluate}
    return Recipe.parsed(yaml.safe_dump(said | more), "toy.yaml", Path("/"))


CODES = {"descriptor": "binary", "dimensions": 16}


@pytest.mark.parametrize(
    ("evaluate", "more", "said"),
    [
        ({"real": True}, {"train": CODES}, "set retrieval: asymmetric"),
        ({"real": True, "protocol": "mnist"}, {}, r"set train: \{descriptor: binary\}"),
        ({"asked_by": "short"}, {}, "evaluate.asked_by"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    evaluate: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        read(evaluate, **more)
