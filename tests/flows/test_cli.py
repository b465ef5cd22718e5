"""The command: every verb helps, is documented, says JSON, and ends with the code it promises."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner, Result

from data.aliases import Alias
from data.lease import holder
from data.store import Store
from flows.cli import app, exits, show
from flows.trace import events

COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
CHANGING = {"init", "reindex", "promote", "rollback", "clean", "train"}
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
def recipe(tmp_path: Path, picture_folder: Callable[..., Path]) -> Callable[..., Path]:
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


def told(result: Result) -> Any:
    """What a command said to a machine."""
    return json.loads(result.stdout)


# --- every command -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_helps_takes_json_and_stands_in_the_documentation(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in options
    assert ("--dry-run" in options) == (name in CHANGING)
    page = (Path(__file__).parents[2] / "docs" / "command.md").read_text()
    assert f"**`nightjar {name}" in page
    for option in options - {"--json", "--dry-run", "--recipe"}:
        assert not option.startswith("--") or option in page, f"{option} of {name}"


def test_the_documentation_names_no_command_that_is_not_there() -> None:
    page = (Path(__file__).parents[2] / "docs" / "command.md").read_text()
    named = {
        line.split()[1].strip("`*") for line in page.splitlines() if line.startswith("**`night")
    }
    assert named == set(COMMANDS)


def test_help_comes_without_an_engine() -> None:
    engines = {"torch", "ray", "prefect", "lance", "lancedb", "pyarrow", "duckdb", "numpy", "rich"}
    code = (
        "import sys\nfrom flows.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print(sorted({engines} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "reindex" in done.stdout


@pytest.mark.parametrize("name", sorted(exits.CODES))
def test_every_exception_with_a_code_is_there(name: str) -> None:
    module, _, kind = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), kind), BaseException)


# --- the life of an index ------------------------------------------------------------------------


def test_an_index_from_init_to_rollback(
    say: Say, picture_folder: Callable[..., Path], tmp_path: Path, draw: Callable[..., bytes]
) -> None:
    root = picture_folder(12)
    assert "nightjar reindex toy.yaml" in say("init", root, "--name", "toy").stdout
    path = tmp_path / "toy.yaml"
    written = yaml.safe_load(path.read_text())
    assert written["train"] == {"supervision": "supervised"}
    path.write_text(yaml.safe_dump(written | {"train": yaml.safe_load(TRAIN)}))

    plan = told(say("plan", "toy.yaml", "--json"))
    assert (plan["added"], plan["removed"], plan["embeds"]) == (12, 0, 12)
    assert not (tmp_path / "store" / "manifests").exists()

    night = told(say("reindex", "toy.yaml", "--json"))
    assert (night["added"], night["embedded"], night["promoted"]) == (12, 12, True)
    assert night["held_by"] == []
    assert night["ledger"]["ok"]
    assert {"shard", "extract", "index"} <= set(night["seconds"])

    found = told(say("search", root / "class0/0000.jpg", "-r", "toy.yaml", "-k", "3", "--json"))
    assert [row["rank"] for row in found] == [1, 2, 3]
    assert set(found[0]) == {"key", "rank", "distance", "uri", "labels"}
    assert found[0]["key"] == "class0/0000.jpg"

    (root / "class1/new.jpg").write_bytes(draw(99))
    (root / "class0/0000.jpg").unlink()
    again = told(say("reindex", "toy.yaml", "--json", "--accept", "fall"))
    assert (again["added"], again["removed"], again["embedded"]) == (1, 1, 1)

    versions = told(say("versions", "toy.yaml", "--json"))
    assert [line["production"] for line in versions] == [True, False]
    assert versions[0]["dataset_version"] == again["dataset_version"]
    assert versions[0]["pin"].endswith(".dir")

    between = told(say("diff", "toy.yaml", "@prev", "--json"))
    assert (between["added"], between["removed"]) == (["class1/new.jpg"], ["class0/0000.jpg"])

    why = told(say("explain", "toy.yaml", "class0/0000.jpg", "--json"))
    assert (why["found"], why["why"][:7]) == (False, "Removed")
    why = told(say("explain", "toy.yaml", "class1/new.jpg", "--json"))
    assert why["found"]
    assert why["index"]["encoder"] == again["encoder"]
    assert not told(say("explain", "toy.yaml", "o'er", "--json"))["found"]

    assert (
        told(say("rollback", "toy.yaml", "--dry-run", "--json"))["version"]
        == night["index_version"]
    )
    assert told(say("versions", "toy.yaml", "--json"))[0]["production"]
    assert told(say("rollback", "toy.yaml", "--json"))["version"] == night["index_version"]
    assert told(say("verify", "toy.yaml", "--embed", "2", "--json"))["ok"]
    moved = told(say("promote", "toy.yaml", again["run"], "--json"))
    assert (moved["version"], moved["why"]) == (again["index_version"], "by hand")
    assert told(say("report", "toy.yaml", "--json"))["run"] == again["run"]
    assert told(say("clean", "toy.yaml", "--dry-run", "--json"))["dry_run"]
    assert told(say("evaluate", "toy.yaml", "--json"))["candidate"]
    assert told(say("train", "toy.yaml", "--dry-run", "--json"))["trains"] is False
    for words in (["versions"], ["report"], ["verify"], ["plan"], ["evaluate"]):
        result = say(*words, "toy.yaml")
        assert (result.exit_code, result.stdout.count("{")) == (0, 0), words


def test_a_limit_leaves_the_rest_to_the_next_night(say: Say, recipe: Callable[..., Path]) -> None:
    path = recipe("gates: {coverage: 0}\n")
    first = told(say("reindex", path, "--max-embeds", "5", "--json"))
    assert (first["embedded"], first["ledger"]["deferred"]) == (5, 7)
    assert told(say("reindex", path, "--json"))["embedded"] == 7


def test_metrics_and_their_history_are_written_for_dvc(
    say: Say, recipe: Callable[..., Path], tmp_path: Path
) -> None:
    words = ("--metrics", "out/toy.json", "--plots", "out/toy.csv", "--json")
    night = told(say("reindex", recipe(), *words))
    assert json.loads((tmp_path / "out/toy.json").read_text()) == night["metrics"]
    head, line = (tmp_path / "out/toy.csv").read_text().splitlines()
    assert head.split(",")[:2] == ["night", "version"]
    assert line.startswith(f"1,{night['production']},")


# --- how commands end ----------------------------------------------------------------------------


def test_a_held_night_ends_with_three_and_leaves_production(
    say: Say, recipe: Callable[..., Path], tmp_path: Path
) -> None:
    result = say("reindex", recipe("gates: {min_rows: 100}\n"), "--json")
    assert result.exit_code == exits.HELD
    assert told(result)["held_by"] == ["min_rows"]
    assert Alias(Store(str(tmp_path / "store")), "toy").current() is None
    result = say("reindex", "toy.yaml")
    assert (result.exit_code, "HELD" in result.stdout) == (exits.HELD, True)
    assert "search uses nothing yet" in result.stdout
    assert say("reindex", "toy.yaml", "--accept", "min_rows").exit_code == exits.FINE


def test_a_mass_deletion_ends_with_three_and_a_person_may_accept_it(
    say: Say, recipe: Callable[..., Path], tmp_path: Path
) -> None:
    path = recipe()
    assert say("reindex", path).exit_code == exits.FINE
    for picture in sorted((tmp_path / "pictures").rglob("*.jpg"))[:6]:
        picture.unlink()
    result = say("reindex", path, "--json")
    assert (result.exit_code, told(result)["held_by"]) == (exits.HELD, ["mass_deletion"])
    accepted = ("--accept", "mass_deletion", "--accept", "fall", "--json")
    assert told(say("reindex", path, *accepted))["removed"] == 6


def test_too_many_bad_images_end_with_four(
    say: Say, recipe: Callable[..., Path], tmp_path: Path, draw: Callable[..., bytes]
) -> None:
    path = recipe("extract: {failure_budget: 0, min_failures: 2}\n")
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
        (["search", "nothing.jpg", "-r", "toy.yaml"], "nothing.jpg cannot be read"),
        (["init", "nowhere"], "Nothing is at nowhere"),
        (["init", "pictures", "--name", "Not A Name"], "no name for a recipe"),
        (["init", "pictures", "--name", "toy"], "--force"),
    ],
)
def test_a_wrong_word_ends_with_two_and_a_sentence(
    say: Say, recipe: Callable[..., Path], tmp_path: Path, words: list[str], says: str
) -> None:
    recipe()
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
        (["explain", "toy.yaml", "x"], "nightjar reindex toy"),
        (["verify", "toy.yaml"], "no production version"),
        (["reindex", "toy.yaml", "--accept", "gravity"], "Unknown gate 'gravity'"),
    ],
)
def test_what_cannot_be_done_ends_with_one_and_a_sentence(
    say: Say, recipe: Callable[..., Path], words: list[str], says: str
) -> None:
    recipe()
    result = say(*words)
    assert (result.exit_code, "Traceback" in result.output) == (exits.FAILED, False)
    assert says in result.stderr


def test_debug_shows_where_a_mistake_came_from(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(exits.DEBUG, "1")
    result = say("plan", "nope")
    assert (result.exit_code, "Traceback" in result.stderr) == (exits.USAGE, True)


def test_a_fault_of_ours_keeps_its_traceback(
    say: Say, recipe: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.store.Store.names", _nothing)
    result = say("versions", recipe())
    assert (result.exit_code, "KeyError" in result.stderr) == (exits.FAILED, True)


def test_a_server_that_does_not_answer_is_named_and_can_be_done_without(
    say: Say, recipe: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    result = say("reindex", recipe())
    assert (result.exit_code, "--here" in result.stderr) == (exits.USAGE, True)
    assert say("reindex", "toy.yaml", "--here").exit_code == exits.FINE


def test_a_terminated_run_gives_its_lease_back_and_tidies_up(
    recipe: Callable[..., Path], tmp_path: Path
) -> None:
    path = recipe(train=TRAIN.replace("epochs: 1", "epochs: 100000"))
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


# --- what is shown -------------------------------------------------------------------------------


def test_progress_goes_to_stderr_line_by_line_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = show.ProgressLine(every=0)
    progress("extract", 3, 12, "")
    progress("extract", 12, 12, "1 failed")
    progress.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert "\r" not in err
    assert err.splitlines()[1] == "extract   12/12  1 failed"


def test_a_progress_line_says_rate_and_time_left() -> None:
    assert show.line("extract", 640, 2000, "", 4.0) == (
        "extract   640/2,000  160 images/s  8.5 s left"
    )
    assert show.line("scan", 7, 0, "", 0.0) == "scan      7"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.31, "0.3 s"), (42.4, "42 s"), (185, "3:05 min"), (7800, "2:10 h")]
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert show.duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(999, "999 B"), (2048, "2.0 KiB"), (3 << 40, "3.0 TiB")]
)
def test_bytes_are_said_in_their_largest_unit(count: int, text: str) -> None:
    assert show.amount(count) == text


def test_tables_align_words_left_and_numbers_right(capsys: pytest.CaptureFixture[str]) -> None:
    show.table([["a", 1000], ["long", 7]], head=("name", "n"))
    assert capsys.readouterr().out.splitlines() == ["name      n", "a     1,000", "long      7"]
