"""The command as scripts use it: real processes, what they print, and the codes they end with."""

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
from typer.testing import CliRunner

from data.lease import Lease, holder
from flows.cli import app, exits
from flows.trace import events
from tests.flows.album import TRAIN, Album, photo

COUNTS = (
    "added", "changed", "moved", "touched", "duplicate", "removed", "unchanged", "quarantined",
    "embeds",
)  # fmt: skip
LEDGER = (
    *COUNTS, "embedded", "index_version", "dataset_version", "encoder", "promoted", "held_by",
    "metrics", "ledger", "seconds",
)  # fmt: skip
Say = Callable[..., "tuple[int, Any, str]"]


def environment(album: Album) -> dict[str, str]:
    """Of a process that works in ALBUM's folder alone."""
    scratch = album.folder / "tmp"
    scratch.mkdir(exist_ok=True)
    own = {
        "NIGHTJAR_STORE": "store",
        "TMPDIR": str(scratch),
        "PREFECT_HOME": str(scratch),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    return {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"} | own


def started(album: Album, *words: str) -> "subprocess.Popen[str]":
    """`nightjar WORDS` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *words],
        cwd=album.folder,
        env=environment(album),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(album: Album, *words: str) -> tuple[int, Any, str]:
    """Exit code, what stdout says as JSON, and stderr, of `nightjar WORDS`."""
    process = started(album, *words)
    out, err = process.communicate(timeout=250)
    assert "Traceback" not in err
    return process.returncode, json.loads(out) if out else None, err


@pytest.fixture
def say(album: Album, monkeypatch: pytest.MonkeyPatch) -> Say:
    """The same within this process, which spares the imports."""
    monkeypatch.chdir(album.folder)
    monkeypatch.setenv("NIGHTJAR_STORE", "store")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.delenv(exits.DEBUG, raising=False)
    assert album.path.is_file()

    def said(*words: object) -> tuple[int, Any, str]:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert "Traceback" not in result.output
        out = result.stdout
        return (
            result.exit_code,
            json.loads(out) if out and "--json" in words else out,
            result.stderr,
        )

    return said


def test_a_newcomer_s_first_day_by_processes_alone(bare: Album) -> None:
    for number in range(12):
        bare.put(f"class{number % 3}/{number}.jpg", photo(number))
    code, told, _ = run(bare, "init", "pictures", "--name", "toy", "--json")
    assert (code, (bare.folder / "toy.yaml").is_file()) == (0, True)
    assert bare.path.is_file()  # a smaller encoder

    code, told, _ = run(bare, "plan", "toy.yaml", "--json")
    assert (code, [told[name] for name in COUNTS]) == (0, [12, 0, 0, 0, 0, 0, 0, 0, 12])
    assert not (bare.folder / "store").exists()

    code, told, _ = run(bare, "reindex", "toy.yaml", "--json")
    assert (code, set(LEDGER) - told.keys()) == (0, set())
    assert (told["added"], told["embedded"], told["promoted"], told["held_by"]) == (
        12,
        12,
        True,
        [],
    )
    assert told["metrics"]
    assert all(seconds >= 0 for seconds in told["seconds"].values())

    code, found, _ = run(
        bare, "search", "pictures/class0/3.jpg", "--recipe", "toy.yaml", "-k", "3", "--json"
    )
    assert (code, [row["rank"] for row in found]) == (0, [1, 2, 3])
    assert found[0].keys() == {"key", "rank", "distance", "uri", "labels"}
    assert (found[0]["key"], found[0]["labels"]) == ("class0/3.jpg", ["class0"])
    assert Path(found[0]["uri"]).samefile(bare.root / "class0/3.jpg")

    code, found, _ = run(bare, "verify", "toy.yaml", "--json")
    assert (code, found["ok"]) == (0, True)
    assert [found[name] for name in ("missing", "extra", "stale", "corrupt")] == [[], [], [], []]


def test_held_nights_end_with_three_and_leave_json_behind(album: Album, say: Say) -> None:
    for key in album.names()[:30]:
        (album.root / key).unlink()
    code, told, _ = say("reindex", "toy.yaml", "--json")
    assert (code, told["held_by"], told["promoted"]) == (3, ["mass_deletion"], False)
    assert told["ledger"]["deferred"] + told["ledger"]["unchanged"] == 10
    code, _, _ = say("report", "toy.yaml")
    assert code == 0


def test_versions_tell_their_lineage_and_rollback_goes_back(album: Album, say: Say) -> None:
    album.put("class0/new.jpg", photo(300))
    assert say("reindex", "toy.yaml", "--json")[0] == 0
    code, lines, _ = say("versions", "toy.yaml", "--json")
    assert (code, [line["rows"] for line in lines]) == (0, [41, 40])
    assert [line["production"] for line in lines] == [True, False]
    named = {
        "dataset_version",
        "encoder",
        "recipe_digest",
        "code",
        "libraries",
        "run",
        "counts",
        "metrics",
        "seconds",
    }
    assert not any(named - line.keys() for line in lines)
    code, told, _ = say("rollback", "toy.yaml", "--json")
    assert (code, told["version"]) == (0, lines[1]["version"])
    code, found, _ = say(
        "search", "pictures/class0/new.jpg", "-r", "toy.yaml", "-k", 1, "--json",
        "--at", lines[0]["run"],
    )  # fmt: skip
    assert (code, found[0]["key"]) == (0, "class0/new.jpg")
    code, told, _ = say("promote", "toy.yaml", lines[0]["version"], "--json")
    assert (code, told["version"]) == (0, lines[0]["version"])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["search", "pictures", "-r", "toy.yaml"], 2, "pictures cannot be read"),
        (["search", "toy.yaml", "-r", "toy.yaml"], 2, "not an image"),
        (["search", "empty.jpg", "-r", "toy.yaml"], 2, "empty"),
        (["search", "pictures/class0/000.jpg", "-r", "toy.yaml", "-k", "0"], 2, "-k"),
        (["search", "pictures/class0/000.jpg", "-r", "toy.yaml", "--at", "99"], 1, "no version"),
        (["search", "pictures/class0/000.jpg", "-r", "misspelt.yaml"], 2, "epochz"),
        (["plan", "gates.yaml"], 2, "gates.gravity"),
        (["plan", "list.yaml"], 2, "list.yaml holds no recipe"),
        (["plan", "tabs.yaml"], 2, "tabs.yaml is not YAML"),
        (["plan", "bytes.yaml"], 2, "bytes.yaml is no text"),
        (["plan", "pictures"], 2, "recipe"),
        (["reindex", "adapter.yaml"], 2, "foldr"),
        (["reindex", "option.yaml"], 2, "recursiv"),
        (["reindex", "toy.yaml", "--accept", "gravity"], 2, "Unknown gate"),
        (["reindex", "toy.yaml", "--max-minutes", "-1"], 2, "--max-minutes"),
        (["explain", "toy.yaml", "class0/00.jpg"], 0, ""),
        (["diff", "toy.yaml", "1", "production"], 1, "no version"),
    ],
)  # fmt: skip
def test_a_person_s_mistakes_end_in_sentences(
    album: Album, say: Say, words: list[str], code: int, says: str
) -> None:
    text = (album.folder / "toy.yaml").read_text()
    for name, content in {
        "empty.jpg": "",
        "misspelt.yaml": text.replace("epochs", "epochz"),
        "gates.yaml": text + "gates: {gravity: 1}\n",
        "list.yaml": "- a\n- b\n",
        "tabs.yaml": "name:\t- x: [\n",
        "option.yaml": text.replace("root:", "options: {recursiv: 1}\n  root:"),
        "adapter.yaml": text.replace("dataset: folder", "dataset: foldr"),
    }.items():
        (album.folder / name).write_text(content)
    (album.folder / "bytes.yaml").write_bytes(b"\xff\xfe\x00\x01")
    before = album.heads()
    ended, out, err = say(*words)
    assert (ended, says in err) == (code, True), err
    assert code == 0 or not out
    assert album.heads() == before


def test_more_answers_than_images_are_asked_for(say: Say) -> None:
    code, found, _ = say("search", "pictures/class0/000.jpg", "-r", "toy.yaml", "-k", 999, "--json")
    assert (code, len(found), found[0]["key"]) == (0, 40, "class0/000.jpg")


def test_a_store_elsewhere_is_empty_and_says_so(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTJAR_STORE", "another")
    assert say("versions", "toy.yaml", "--json")[:2] == (0, [])
    code, _, err = say("search", "pictures/class0/000.jpg", "-r", "toy.yaml")
    assert (code, "no production version" in err, "another" in err) == (1, True, True)
    monkeypatch.setenv("NIGHTJAR_STORE", "toy.yaml")
    code, _, err = say("reindex", "toy.yaml")
    assert (code, "toy.yaml" in err) == (1, True)


def test_names_and_labels_with_quotes_come_out_of_the_command_as_they_are(
    album: Album, say: Say
) -> None:
    key = "it's \"a\" dog; --x/ü 🦤 '1'='1.jpg"
    album.put(key, photo(400))
    assert say("reindex", "toy.yaml", "--json")[0] == 0
    code, found, _ = say("search", f"pictures/{key}", "-r", "toy.yaml", "-k", 1, "--json")
    assert (code, found[0]["key"], found[0]["labels"]) == (0, key, [key.split("/")[0]])
    code, told, _ = say("explain", "toy.yaml", key, "--json")
    assert (code, told["key"], told["index"]["key"]) == (0, key, key)
    album.put("-k 5.jpg", photo(401))
    assert say("reindex", "toy.yaml", "--json")[0] == 0
    assert say("explain", "toy.yaml", "--json", "--", "-k 5.jpg")[1]["index"]["key"] == "-k 5.jpg"


def test_while_one_runs_another_is_told_who(album: Album, say: Say) -> None:
    with Lease(album.store, "toy"):
        code, _, err = say("reindex", "toy.yaml", "--json")
        assert (code, str(os.getpid()) in err) == (1, True)
        assert say("plan", "toy.yaml", "--json")[0] == 0
        assert say("search", "pictures/class0/000.jpg", "-r", "toy.yaml", "--json")[0] == 0
    assert say("reindex", "toy.yaml", "--json")[0] == 0


def test_of_two_that_start_together_one_wins_and_the_other_says_so(album: Album) -> None:
    album.fields["train"] = {**TRAIN, "epochs": 20, "batch": 8, "seed": 9}
    assert album.path.is_file()
    both = [started(album, "reindex", "toy.yaml", "--json") for _ in range(2)]
    told = [process.communicate(timeout=250) for process in both]
    codes = sorted(process.returncode for process in both)
    if codes[-1] == 1:
        assert any("holds" in err or "held" in err for _, err in told)
    else:  # one had ended before the other began
        assert codes[0] in (0, 3)
    winners = [json.loads(out) for out, _ in told if out]
    assert winners
    assert sum(winner["embedded"] for winner in winners) == 40
    assert album.verified().ok


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGINT]
)
def test_a_run_that_is_stopped_gives_its_lease_back_and_tidies_up(
    album: Album, number: signal.Signals
) -> None:
    album.fields["train"] = {**TRAIN, "epochs": 100_000, "batch": 8, "seed": 4}
    assert album.path.is_file()
    trace, place = album.folder / "trace", album.production
    if number == signal.SIGINT:  # a suite in the background ignores it, and so would its children
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = started(album, "reindex", "toy.yaml", "--trace", str(trace))
    try:
        deadline = time.monotonic() + 200
        while not any(event.stage == "train" for event in events(trace)):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        process.communicate(timeout=100)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode in (exits.INTERRUPTED, 128 + number)
    assert holder(album.store, "toy") is None
    assert not list((album.folder / "tmp").glob("nightjar-*"))
    assert album.production == place
    album.fields.pop("train")
    assert album.night().embedded == 0
    assert album.verified().ok
