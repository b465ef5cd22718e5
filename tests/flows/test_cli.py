"""The command: every verb helps, is documented, says JSON, and ends with the code it promises."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command
from typer.testing import Result

from flows.cli import app, show

COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
CHANGING = {
    "download", "init", "reindex", "promote", "rollback", "tune", "clean", "protocols", "train",
    "export",
}  # fmt: skip
TRAIN = "{supervision: supervised, dimensions: 16, size: 16, width: 8, epochs: 1, batch: 8}"
Say = Callable[..., Result]


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


def test_a_limit_leaves_the_rest_to_the_next_night(
    say: Say, toy_recipe: Callable[..., Path]
) -> None:
    path = toy_recipe("gates: {coverage: 0}\n")
    first = told(say("reindex", path, "--max-embeds", "5", "--json"))
    assert (first["embedded"], first["ledger"]["deferred"]) == (5, 7)
    assert told(say("reindex", path, "--json"))["embedded"] == 7


def test_metrics_and_their_history_are_written_for_dvc(
    say: Say, toy_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    words = ("--metrics", "out/toy.json", "--plots", "out/toy.csv", "--json")
    night = told(say("reindex", toy_recipe(), *words))
    written = json.loads((tmp_path / "out/toy.json").read_text())
    assert written == {night["protocol"]: night["metrics"]}
    head, line = (tmp_path / "out/toy.csv").read_text().splitlines()
    assert head.split(",")[:2] == ["night", "version"]
    assert line.startswith(f"1,{night['production']},")


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
