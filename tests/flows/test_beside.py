"""The command table: pairs and authors as CSV, of the keys that are asked for."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from data.adapters import DATASETS, open_dataset
from data.adapters.base import Dataset
from flows.cli import exits
from tests.data.miniatures_landmarks import TRAIN, gldv2
from tests.data.miniatures_utzap50k import KEYS, write_pairs, write_pictures

Draw = Callable[..., bytes]
Say = Callable[..., Result]

AUTHORS = f"""id,url,author,license,title
{TRAIN[0]},https://commons/0,"A. Ansel, jr.",https://creativecommons.org/licenses/by/2.0/,"One
or two"
{TRAIN[1]},https://commons/1,Berenice,https://creativecommons.org/licenses/by/3.0/,Two
"""


@pytest.fixture
def landmarks(tmp_path: Path, draw: Draw) -> Path:
    gldv2(tmp_path / "home", draw)
    (tmp_path / "home" / "train_attribution.csv").write_text(AUTHORS)
    return tmp_path / "home"


def test_authors_go_by_the_keys_of_the_listing(say: Say, landmarks: Path) -> None:
    result = say("table", "gldv2", "attribution", "--root", str(landmarks))
    assert result.exit_code == exits.FINE
    rows = list(csv.DictReader(result.stdout.splitlines(keepends=True)))
    assert [row["key"] for row in rows] == [f"train/{one}" for one in TRAIN[:2]]
    assert (rows[0]["author"], rows[0]["title"]) == ("A. Ansel, jr.", "One\nor two")
    keys = {one.key for one in open_dataset("gldv2", str(landmarks), {}).samples()}
    assert {row["key"] for row in rows} < keys
    told = json.loads(
        say("table", "gldv2", "attribution", "--root", str(landmarks), "--json").stdout
    )
    assert told == rows


def test_only_the_keys_that_are_asked_for_and_those_that_have_none(
    say: Say, landmarks: Path, tmp_path: Path
) -> None:
    asked = tmp_path / "keys.txt"
    asked.write_text(f"train/{TRAIN[1]}\n\n")
    words = ("table", "gldv2", "attribution", "--root", str(landmarks), "--keys", str(asked))
    result = say(*words)
    assert (result.exit_code, result.stderr) == (exits.FINE, "")
    assert [row["author"] for row in csv.DictReader(result.stdout.splitlines())] == ["Berenice"]
    asked.write_text(f"train/{TRAIN[1]}\ntrain/{TRAIN[2]}\n")
    result = say(*words)
    assert result.exit_code == exits.FAILED
    assert f"1 keys have no row in attribution, first train/{TRAIN[2]}" in result.stderr


def test_pairs_take_the_options_of_the_source(say: Say, tmp_path: Path, draw: Draw) -> None:
    write_pictures(tmp_path, draw)
    write_pairs(tmp_path)
    words = ("table", "utzap50k", "pairs", "--root", str(tmp_path))
    rows = list(csv.DictReader(say(*words).stdout.splitlines()))
    assert len(rows) == 16
    assert {row["first"] for row in rows} <= set(KEYS)
    rows = list(csv.DictReader(say(*words, "--option", "fold=2").stdout.splitlines()))
    assert {row["set"] for row in rows} == {"train", "test"}
    assert say(*words, "--option", "fold").exit_code == exits.USAGE
    (tmp_path / "keys.txt").write_text("x\n")
    assert "no column key" in say(*words, "--keys", str(tmp_path / "keys.txt")).stderr


def test_what_has_no_table_says_which_have(say: Say, tmp_path: Path) -> None:
    result = say("table", "mnist", "pairs")
    assert result.exit_code == exits.USAGE
    having = [name for name, kind in DATASETS.items() if kind.tables is not Dataset.tables]
    assert "mnist has no tables" in result.stderr
    assert all(name in result.stderr for name in having)
    assert "'attribution'" in say("table", "gldv2", "atribution", "--root", str(tmp_path)).stderr


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_tables_are_named_without_reading_anything(name: str) -> None:
    tables = open_dataset(name, "/nowhere", {}).tables()
    assert all(callable(table) for table in tables.values())
