"""The taxonomy's benchmark: its rows, nights of some of them, and words that stand for labels."""

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from data.adapters import open_dataset
from data.sample import Sample
from data.taxonomy import DescriptorType, Network, Supervision
from flows import benchmark
from flows.cli import exits
from flows.contest import ROWS, Row
from flows.hearsay import WRONG, tagged, words_of

Say = Callable[..., Result]
TINY: dict[str, Any] = {"epochs": 1, "width": 4, "batch": 40}


@pytest.fixture(scope="module")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 and 60 pictures of ten classes, stripes of ten directions, as MNIST's four files."""
    root = tmp_path_factory.mktemp("mnist")
    lots = np.random.default_rng(0)
    across, down = np.meshgrid(np.arange(28), np.arange(28))
    for name, count in (("train", 200), ("t10k", 60)):
        labels = np.arange(count) % 10
        angle = (np.pi * labels / 10)[:, None, None]
        wave = np.sin(np.cos(angle) * across + np.sin(angle) * down + lots.normal(0, 0.3))
        pixels = wave * 90 + 128 + lots.normal(0, 20, (count, 28, 28))
        files = {
            f"{name}-images-idx3-ubyte.gz": struct.pack(">IIII", 0x803, count, 28, 28)
            + pixels.clip(0, 255).astype(np.uint8).tobytes(),
            f"{name}-labels-idx1-ubyte.gz": struct.pack(">II", 0x801, count)
            + labels.astype(np.uint8).tobytes(),
        }
        for file, content in files.items():
            (root / file).write_bytes(gzip.compress(content))
    return root


def test_every_word_of_the_taxonomy_has_a_row_that_names_what_it_must_beat() -> None:
    words = {(row.axis, row.word.partition("-")[0]) for row in ROWS}
    assert words == {
        *(("supervision", word) for word in Supervision),
        *(("network", word) for word in Network),
        *(("descriptor", word) for word in DescriptorType),
    }
    assert all(row.must in row.against for row in ROWS)
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
def test_every_entrant_is_a_recipe(row: Row, dataset: str, tmp_path: Path) -> None:
    arena = benchmark.Arena(tmp_path, {dataset: tmp_path}, "full", {}, lambda said: None)
    for words in (row.train, *row.against.values()):
        recipe = arena.recipe(row, words, dataset, 0)
        assert recipe.train.seed == 0
        if row.unseen:
            assert recipe.train.taught_by is not None


def test_a_few_labels_alone_get_as_many_steps_as_those_with_all_pictures_beside_them(
    tmp_path: Path,
) -> None:
    arena = benchmark.Arena(tmp_path, {"mnist": tmp_path}, "minutes", {}, lambda said: None)
    (row,) = benchmark.chosen(["semi_supervised"])
    own, alone = (
        arena.recipe(row, words, "mnist", 0).train for words in (row.train, row.against[row.must])
    )
    assert alone.labelled == own.labelled < 1
    assert alone.epochs * alone.labelled == pytest.approx(own.epochs)


def test_what_is_held_against_several_rows_is_trained_once(tmp_path: Path) -> None:
    arena = benchmark.Arena(tmp_path, {"cifar10": tmp_path}, "minutes", {}, lambda said: None)
    coder, game, binary = benchmark.chosen(["autoencoder-cibhash", "gan-bingan", "binary"])
    plans = [(binary, binary.train), *((row, row.against[row.must]) for row in (coder, game))]
    purposes = [arena.recipe(row, words, "cifar10", 0).train.purpose for row, words in plans]
    assert purposes[1:] == purposes[:1] * 2


def test_rows_are_trained_measured_and_not_trained_again(stripes: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"rows": ["network-convolutional"], "settings": TINY}
    said: list[str] = []
    (first,) = benchmark.taxonomy(tmp_path, {"mnist": stripes}, say=said.append, **asked)
    assert (first.protocol, first.metric) == ("mnist (at most 1,000 queries)", "map[all]")
    assert set(first.against) == {"untrained", "pixels"}
    assert 0 < first.own.value <= 1
    assert len({first.own.encoder, *(one.encoder for one in first.against.values())}) == 3
    assert f"{first.against['pixels'].value:.3f}" in said[-1]
    encoders = {path.name for path in (tmp_path / "store" / "encoders").iterdir()}
    (again,) = benchmark.taxonomy(tmp_path, {"mnist": stripes}, say=said.append, **asked)
    assert {path.name for path in (tmp_path / "store" / "encoders").iterdir()} == encoders
    assert (again.own.value, again.own.encoder) == (first.own.value, first.own.encoder)
    lines = benchmark.table([first, again])
    assert len(lines) == 1
    assert lines[0][7] == f"{2 * first.beats} of 2"


def test_words_of_hearsay_depend_on_the_key_and_are_wrong_for_a_share() -> None:
    classes = list("abcdefghij")
    right = 0
    for number in range(2000):
        sample = Sample(key=f"{number}", uri="", size=0, labels=("c",))
        words = words_of(sample, classes)
        assert words == words_of(sample, classes)
        own = {word[0] for word in words if not word.startswith("chatter")}
        assert len(own) == 1
        right += own == {"c"}
    assert right / 2000 == pytest.approx(1 - WRONG * 0.9, abs=0.03)


def test_a_tagged_copy_holds_the_same_pictures(stripes: Path, tmp_path: Path) -> None:
    tagged("mnist", stripes, tmp_path / "copy", lambda done, total: None)
    copy, source = (
        open_dataset("tars", str(tmp_path / "copy"), {}),
        open_dataset("mnist", str(stripes), {}),
    )
    samples, originals = list(copy.samples()), list(source.samples())
    assert [(s.labels, s.split) for s in samples] == [(s.labels, s.split) for s in originals]
    assert list(copy.read([s.uri for s in samples])) == list(
        source.read([s.uri for s in originals])
    )
    assert all(sample.tags for sample in samples)


def test_what_cannot_be_is_refused_with_the_choices(say: Say, stripes: Path) -> None:
    for words, sentence in (
        (("benchmark", "taxonomy"), "--mnist FOLDER"),
        (("benchmark", "speed"), "choose from taxonomy"),
        (("benchmark", "--budget", "huge"), "choose from full, minutes"),
        (("benchmark", "--mnist", str(stripes), "--row", "gann"), "no row 'gann'"),
    ):
        result = say(*words)
        assert result.exit_code == exits.USAGE, result.stderr
        assert sentence in result.stderr


def test_a_row_that_does_not_beat_its_baseline_is_told_like_the_others(
    say: Say, stripes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.benchmark.BUDGETS", {"minutes": TINY | {"epochs": 0}})
    words = ["--mnist", str(stripes), "--row", "network-convolutional", "--work", str(tmp_path)]
    result = say("benchmark", "taxonomy", *words, "--out", str(tmp_path / "out.json"))
    kept = json.loads((tmp_path / "out.json").read_text())
    beats = kept["outcomes"][0]["beats"]
    assert result.exit_code == (exits.FINE if beats else exits.FAILED)
    assert f"{kept['outcomes'][0]['own']['value']:.3f}" in result.stdout
    assert kept["queries"] == benchmark.QUERIES
