"""How commands end: the exit code, and the sentence for what a person, gate or disk did wrong."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from data.aliases import Alias
from data.lease import holder
from data.store import Store
from flows.cli import exits
from flows.trace import events

Say = Callable[..., Result]


@pytest.mark.parametrize("name", sorted(exits.CODES))
def test_every_exception_with_a_code_is_there(name: str) -> None:
    module, _, kind = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), kind), BaseException)


def test_a_held_night_ends_with_three_and_leaves_production(
    say: Say, toy_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    result = say("reindex", toy_recipe("gates: {min_rows: 100}\n"), "--json")
    assert result.exit_code == exits.HELD
    assert json.loads(result.stdout)["held_by"] == ["min_rows"]
    assert Alias(Store(str(tmp_path / "store")), "toy").current() is None
    result = say("reindex", "toy.yaml")
    assert (result.exit_code, "HELD" in result.stdout) == (exits.HELD, True)
    assert "search uses nothing yet" in result.stdout
    assert say("reindex", "toy.yaml", "--accept", "min_rows").exit_code == exits.FINE


def test_a_mass_deletion_ends_with_three_and_a_person_may_accept_it(
    say: Say, toy_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    path = toy_recipe()
    assert say("reindex", path).exit_code == exits.FINE
    for picture in sorted((tmp_path / "pictures").rglob("*.jpg"))[:6]:
        picture.unlink()
    result = say("reindex", path, "--json")
    assert (result.exit_code, json.loads(result.stdout)["held_by"]) == (
        exits.HELD,
        ["mass_deletion"],
    )
    accepted = ("--accept", "mass_deletion", "--accept", "fall", "--json")
    assert json.loads(say("reindex", path, *accepted).stdout)["removed"] == 6


def test_too_many_bad_images_end_with_four(
    say: Say, toy_recipe: Callable[..., Path], tmp_path: Path, draw: Callable[..., bytes]
) -> None:
    path = toy_recipe("extract: {failure_budget: 0, min_failures: 2}\n")
    for seed in range(100, 105):
        (tmp_path / f"pictures/class0/{seed}.jpg").write_bytes(draw(seed)[:-200])
    result = say("reindex", path)
    assert result.exit_code == exits.BUDGET
    assert result.stderr.startswith("nightjar: ") or "\nnightjar: " in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["frobnicate"], "No such command"),
        (["reindex"], "Missing argument"),
        (["plan", "nope"], "Unknown recipe 'nope'"),
        (["plan", "nope.yaml"], "No recipe file nope.yaml"),
        (["plan", "wrong.yaml"], "wrong.yaml is no valid recipe"),
        (["reindex", "toy.yaml", "--max-embeds", "-1"], "--max-embeds"),
        (["reindex", "toy.yaml", "--accept", "gravity"], "--accept: Unknown gate 'gravity'"),
        (["search", "nothing.jpg", "-r", "toy.yaml"], "nothing.jpg cannot be read"),
        (["search", "-r", "toy.yaml"], "Nothing is asked with: name an image file"),
        (["init", "nowhere"], "Nothing is at nowhere"),
        (["init", "pictures", "--name", "Not A Name"], "no name for a recipe"),
        (["init", "pictures", "--name", "toy"], "--force"),
    ],
)
def test_a_wrong_word_ends_with_two_and_a_sentence(
    say: Say, toy_recipe: Callable[..., Path], tmp_path: Path, words: list[str], says: str
) -> None:
    toy_recipe()
    (tmp_path / "wrong.yaml").write_text("name: wrong\nsurce: {}\n")
    result = say(*words)
    assert result.exit_code == exits.USAGE
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["search", "toy.yaml", "-r", "toy.yaml"], "no production version"),
        (["rollback", "toy.yaml"], "toy has no"),
        (["promote", "toy.yaml", "7"], "'7' is no version of toy"),
        (["report", "toy.yaml"], "No run of toy"),
        (["explain", "toy.yaml", "x"], "run `nightjar reindex` with the recipe of toy"),
        (["verify", "toy.yaml"], "no production version"),
    ],
)
def test_what_cannot_be_done_ends_with_one_and_a_sentence(
    say: Say, toy_recipe: Callable[..., Path], words: list[str], says: str
) -> None:
    toy_recipe()
    result = say(*words)
    assert (result.exit_code, "Traceback" in result.output) == (exits.FAILED, False)
    assert says in result.stderr


def test_debug_shows_where_a_mistake_came_from(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(exits.DEBUG, "1")
    result = say("plan", "nope")
    assert (result.exit_code, "Traceback" in result.stderr) == (exits.USAGE, True)


def test_a_fault_of_ours_keeps_its_traceback(
    say: Say, toy_recipe: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.store.Store.names", _nothing)
    result = say("versions", toy_recipe())
    assert (result.exit_code, "KeyError" in result.stderr) == (exits.FAILED, True)


def test_a_server_that_does_not_answer_is_named_and_can_be_done_without(
    say: Say, toy_recipe: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    result = say("reindex", toy_recipe())
    assert (result.exit_code, "--here" in result.stderr) == (exits.USAGE, True)
    assert say("reindex", "toy.yaml", "--here").exit_code == exits.FINE


def test_a_terminated_run_gives_its_lease_back_and_tidies_up(
    toy_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    path = toy_recipe(
        train="{supervision: supervised, size: 16, width: 8, epochs: 100000, batch: 8}"
    )
    store, trace, scratch = Store(str(tmp_path / "store")), tmp_path / "trace", tmp_path / "scratch"
    scratch.mkdir()
    own = {"NIGHTJAR_STORE": store.root, "TMPDIR": str(scratch), "PREFECT_HOME": str(scratch / "p")}
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "reindex", str(path), "--trace", str(trace)],
        env={k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"} | own,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not any(event.stage == "train" for event in events(trace)):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert holder(store, "toy") is not None
        assert list(scratch.glob("nightjar-*"))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert holder(store, "toy") is None
    assert not list(scratch.glob("nightjar-*"))


def _nothing(*_: object) -> list[str]:
    """Fail as only a mistake in the code does."""
    raise KeyError("nothing")


def test_whoever_stops_reading_along_is_told_nothing() -> None:
    command = [sys.executable, "-m", "flows.cli", "datasets", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == exits.FAILED
