"""A night whose queries are not described as the rows are, against brute force."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from typer.testing import Result

from data.adapters import open_dataset
from flows.cli import exits
from flows.recipe import Recipe
from tasks.training.train import load_encoder, train
from tests.flows.album import TRAIN, Album
from tests.flows.test_reindex_official import mnist

Say = Callable[..., Result]
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


def precision(
    album: Album, queries: Vectors, rows: Vectors, asks: str = "test/", answers: str = "train/"
) -> float:
    """map[all] of the test pictures among those of training, by the cosine; of ties the mean."""
    labels = {key: row[1] for key, row in album.rows().items()}
    values = []
    for key in (key for key in queries if key.startswith(asks)):
        levels: dict[float, list[bool]] = {}
        for one, row in rows.items():
            if one.startswith(answers):
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
        ({}, {"retrieval": "asymmetric"}, r"\{real: true\}.* or evaluate: \{asked_by: ENCODER\}"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    evaluate: dict[str, Any], more: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        read(evaluate, **more)


def test_the_kind_asks_as_its_recipe_says() -> None:
    told = read({"real": True}, retrieval="asymmetric", train=CODES).evaluate
    assert told.real
    assert told.title.startswith("asymmetric-")
    assert told.title.endswith("(real-valued queries)")
    assert (
        read({"protocol": "mnist"}).evaluate.digest
        == read({"protocol": "mnist", "real": False, "asked_by": ""}).evaluate.digest
    )


def asked(say: Say, *words: str) -> list[dict[str, Any]]:
    result = say("search", "query.png", "--recipe", "toy.yaml", "-k", "5", "--json", *words)
    assert result.exit_code == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def nearest(query: np.ndarray[Any, Any], rows: Vectors) -> list[tuple[float, str]]:
    """The five rows nearest to QUERY by the cosine, ties by key."""
    length = np.linalg.norm(query)
    apart = {
        key: 1 - float(query @ row / np.linalg.norm(row) / length) for key, row in rows.items()
    }
    return sorted((round(far, 5), key) for key, far in apart.items())[:5]


@pytest.mark.parametrize("descriptor", ["real_valued", "binary"])
def test_the_command_asks_with_another_encoder_and_with_real_numbers(
    digits: Album, say: Say, descriptor: str
) -> None:
    digits.fields["train"] = TRAIN | {"descriptor": descriptor}
    first = digits.night()
    version = digits.lineage().dataset_version
    small = learned(digits, "toy", version, compatible_with=first.encoder)
    stranger = learned(digits, "toy", version, seed=5)
    source = open_dataset("mnist", str(digits.folder / "official"), {})
    sample = next(one for one in source.samples() if one.key.startswith("test/"))
    (content,) = source.read([sample.uri])
    assert isinstance(content, bytes)
    (digits.folder / "query.png").write_bytes(content)
    rows = features(digits, first.encoder)
    mine = {name: features(digits, name)[sample.key] for name in (small, first.encoder)}

    if descriptor == "real_valued":
        found = asked(say, "--encoder", small[:12])
        wanted = nearest(mine[small], rows)
        assert say("search", "query.png", "-r", "toy.yaml", "--real").exit_code != 0
    else:
        rows = as_steps(rows)
        found = asked(say, "--encoder", small[:12], "--real")
        wanted = nearest(mine[small], rows)
        own = asked(say, "--real")
        far = [row["distance"] for row in own]
        assert far == pytest.approx(
            [one for one, _ in nearest(mine[first.encoder], rows)], abs=1e-4
        )
        bits = asked(say, "--encoder", small[:12])
        assert {row["distance"] % 1 for row in bits} == {0.0}
        refused = say("search", "query.png", "-r", "toy.yaml", "--real", "--radius", "3")
        assert refused.exit_code != 0
        assert "one picture at a time" in refused.stderr
    assert [row["distance"] for row in found] == pytest.approx([far for far, _ in wanted], abs=1e-4)

    result = say("search", "query.png", "-r", "toy.yaml", "--encoder", stranger)
    assert result.exit_code == exits.USAGE
    assert f"made by encoder {first.encoder[:12]}, the query by {stranger[:12]}" in result.stderr
    result = say("search", "query.png", "-r", "toy.yaml", "--encoder", "0" * 12)
    assert result.exit_code == exits.USAGE
    assert f"No encoder {'0' * 12}" in result.stderr
