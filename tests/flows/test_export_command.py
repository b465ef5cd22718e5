"""`nightjar export`: which encoder is meant, what is said of the file, and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from flows.cli import exits, lab
from models.portable import FORMATS
from tasks.export import ExportDiffers
from tasks.training.train import kept_encoders
from tests.flows.album import Album

Say = Callable[..., Result]


@pytest.fixture
def indexed(album: Album, say: Say, monkeypatch: pytest.MonkeyPatch) -> Album:
    """The album, whose store is the command's."""
    monkeypatch.setenv("NIGHTJAR_STORE", album.store.root)
    return album


def test_the_command_and_the_work_know_the_same_formats() -> None:
    assert {word: kind.suffix for word, kind in FORMATS.items()} == lab.SUFFIXES


def test_an_encoder_is_meant_by_its_beginning_and_by_the_recipe(
    indexed: Album, say: Say, tmp_path: Path
) -> None:
    (digest,) = kept_encoders(indexed.store)
    for word in (digest, digest[:8], indexed.path):
        said = say("export", word, "--to", "torchscript", "--dry-run", "--json")
        found = json.loads(said.stdout)
        assert found["encoder"] == digest
        assert found["file"] == f"encoder-{digest[:12]}.pt"
    assert list(tmp_path.glob("*.pt")) == []
    words = ("--to", "torchscript", "--out", "here/query.pt", "--json")
    found = json.loads(say("export", indexed.path, *words).stdout)
    assert found["bytes"] == (tmp_path / "here/query.pt").stat().st_size
    assert found["difference"] <= found["tolerance"] == 1e-4
    assert (found["pictures"], found["differing_bits"], found["dry_run"]) == (32, None, False)
    text = say("export", digest[:8], "--to", "torchscript", "--batch", "2").stdout
    assert "difference" in text
    assert "{" not in text


def test_a_file_that_differs_ends_with_one_and_a_sentence(
    indexed: Album, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differs(*_: object) -> None:
        raise ExportDiffers("by a mile")

    monkeypatch.setattr("tasks.export.agreement", differs)
    result = say("export", indexed.path, "--to", "torchscript")
    assert (result.exit_code, result.stderr) == (exits.FAILED, "nightjar: by a mile\n")
    assert list(tmp_path.glob("*.pt")) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["beef"], "beef is no encoder"),
        (["nope.yaml"], "nor a recipe. No recipe file nope.yaml"),
        (["beef", "--batch", "0"], "'0'"),
        (["beef", "--to", "tflite"], "nightjar: Unknown format 'tflite': choose from onnx, torch"),
        (["beef", "--to", "onxx"], "Did you mean 'onnx'?"),
    ],
)
def test_a_wrong_word_ends_with_two(say: Say, words: list[str], says: str) -> None:
    result = say("export", *words)
    assert (result.exit_code, result.stdout) == (exits.USAGE, "")
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_a_beginning_of_several_encoders_names_them(indexed: Album, say: Say) -> None:
    (digest,) = kept_encoders(indexed.store)
    twin = digest[:12] + "0" * 52
    indexed.store.write(f"encoders/{twin}/encoder.safetensors", b"")
    result = say("export", digest[:12])
    assert result.exit_code == exits.USAGE
    assert digest[:16] in result.stderr
    assert twin[:16] in result.stderr
