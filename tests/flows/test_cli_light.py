"""A command loads what its work needs and no more: a night without work loads no engine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.album import Album, photo

ENGINES = frozenset({"torch", "ray", "prefect", "lancedb", "dvc_data", "s3fs", "safetensors"})
"""What takes long to import and is for embedding, spreading, serving and pinning alone."""

CODE = f"""
import sys, flows.cli
try:
    flows.cli.main()
finally:
    sys.stderr.write("loaded: " + " ".join(sorted({set(ENGINES)} & set(sys.modules))))
"""
KEY = "class1/001.jpg"


@pytest.fixture
def pinned(album: Album) -> Album:
    """The album after a night that changed a picture and pinned all: two sealed versions."""
    album.fields["pin"] = True
    album.put(KEY, photo(100))
    assert album.night().promoted
    return album


def loaded(album: Album, *words: str) -> set[str]:
    """The engines that `nightjar WORDS` has loaded when it ends, as a process of its own."""
    own = {
        "NIGHTJAR_STORE": album.store.root,
        "PREFECT_HOME": str(album.folder),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words],
        env={name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"} | own,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("loaded: ")[2].split())


def test_a_night_in_which_nothing_changed_loads_no_engine(pinned: Album) -> None:
    heads = pinned.heads()
    assert loaded(pinned, "reindex", str(pinned.path), "--here", "--json") == set()
    assert pinned.heads() == heads


def test_a_night_that_only_removes_loads_what_pins_and_no_torch(pinned: Album) -> None:
    (pinned.root / KEY).unlink()
    assert loaded(pinned, "reindex", str(pinned.path), "--here", "--json") == {"dvc_data"}


def test_what_would_be_done_is_said_without_an_engine(pinned: Album) -> None:
    pinned.put("class2/new.jpg", photo(101))
    assert loaded(pinned, "plan", str(pinned.path), "--json") == set()
    assert loaded(pinned, "clean", str(pinned.path), "--dry-run", "--json") == set()


def test_looking_back_and_moving_production_load_no_engine(pinned: Album) -> None:
    recipe, run = str(pinned.path), pinned.lineage().run
    for words in (
        ("versions", recipe, "--json"),
        ("report", recipe, "--json"),
        ("explain", recipe, KEY, "--json"),
        ("search", "--labels", "class1", "-r", recipe, "--json"),
        ("diff", recipe, "@prev", "--json"),
        ("rollback", recipe, "--json"),
        ("promote", recipe, run, "--json"),
        ("verify", recipe, "--json"),
    ):
        assert loaded(pinned, *words) == set(), words


def test_a_night_with_a_new_picture_loads_torch(pinned: Album) -> None:
    pinned.put("class2/new.jpg", photo(101))
    assert "torch" in loaded(pinned, "reindex", str(pinned.path), "--here", "--json")
