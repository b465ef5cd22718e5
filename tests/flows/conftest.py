"""What tests of flows share: a place to say commands in, and albums of pictures to index."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from flows.cli import app, exits
from tests.flows.album import Album, photo

TRAIN = "{supervision: supervised, dimensions: 16, size: 16, width: 8, epochs: 1, batch: 8}"
Say = Callable[..., Result]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Runs a command in a folder of its own, with a store there and no Prefect server."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NIGHTJAR_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv(exits.DEBUG, raising=False)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def toy_recipe(tmp_path: Path, picture_folder: Callable[..., Path]) -> Callable[..., Path]:
    """Writes toy.yaml for twelve pictures, with lines that a test adds."""
    root = picture_folder(12)

    def write(more: str = "", train: str = TRAIN) -> Path:
        path = tmp_path / "toy.yaml"
        path.write_text(
            f"name: toy\nsource: {{dataset: folder, root: {root}}}\ntrain: {train}\n"
            f"evaluate: {{queries: 8, k: 10}}\n{more}"
        )
        return path

    return write


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which 40 pictures of four classes have been indexed, kept as it was then."""
    torch.set_num_threads(1)
    base = tmp_path_factory.mktemp("album")
    album = Album(base / "now")
    for number in range(40):
        album.put(f"class{number % 4}/{number:03d}.jpg", photo(number))
    album.night()
    (base / "now").rename(base / "then")
    return base


@pytest.fixture
def album(first_night: Path) -> Album:
    """Forty pictures that are in production; at the same path for every test, as uris say it."""
    now = first_night / "now"
    shutil.rmtree(now, ignore_errors=True)
    shutil.copytree(first_night / "then", now)
    return Album(now)


@pytest.fixture
def bare(tmp_path: Path) -> Album:
    """An album without a picture, and a store in which nothing has happened."""
    torch.set_num_threads(1)
    album = Album(tmp_path)
    album.root.mkdir()
    return album
