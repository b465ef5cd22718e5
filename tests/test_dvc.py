"""`dvc repro` runs what the recipe's change calls for, and nothing when nothing changed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows.recipe import shipped

HOME = Path(__file__).parents[1]
TINY = """\
name: cifar10
source: {dataset: folder, root: ROOT}
train: {supervision: supervised, dimensions: 16, size: 16, width: 8, epochs: 1, batch: 8}
evaluate: {queries: 8, k: 10}
"""


def test_every_stage_names_shipped_recipes_and_keys_that_they_have() -> None:
    stages = yaml.safe_load((HOME / "dvc.yaml").read_text())["stages"]
    for stage in stages.values():
        for recipe in stage["matrix"]["recipe"]:
            assert recipe in shipped()
            said = yaml.safe_load((HOME / f"flows/recipes/{recipe}.yaml").read_text())
            for params in stage["params"]:
                for keys in params.values():
                    assert set(keys) <= set(said)


@pytest.fixture
def clone(tmp_path: Path, picture_folder: Callable[..., Path]) -> Path:
    """The project with one tiny recipe, under git and DVC; its command is on the path."""
    clone = tmp_path / "clone"
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(HOME / "flows", clone / "flows", ignore=skip)
    for name in ("tasks", "models", "data"):
        (clone / name).symlink_to(HOME / name)
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(HOME / name, clone / name)
    recipe = TINY.replace("ROOT", str(picture_folder(16)))
    (clone / "flows/recipes/cifar10.yaml").write_text(recipe)
    command = clone / "bin" / "nightjar"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m flows.cli "$@"\n')
    command.chmod(0o755)
    (clone / ".gitignore").write_text("/store\n/bin\n/tasks\n/models\n/data\n/home\n__pycache__\n")
    _run(clone, "git", "init", "-q")
    _run(clone, sys.executable, "-m", "dvc", "init", "-q")
    _run(clone, "git", "add", "-A")
    _run(clone, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "all")
    return clone


@pytest.mark.slow
def test_repro_runs_once_then_nothing_until_a_tracked_key_changes(clone: Path) -> None:
    def repro() -> str:
        return _run(clone, sys.executable, "-m", "dvc", "repro")

    first = repro()
    assert "Running stage 'reindex@cifar10'" in first
    assert "Running stage 'evaluate@cifar10'" in first
    assert (clone / "metrics/cifar10.csv").read_text().startswith("night,version,")
    runs = sorted((clone / "store/runs/cifar10").iterdir())

    assert "Running stage" not in repro()
    assert sorted((clone / "store/runs/cifar10").iterdir()) == runs

    recipe = clone / "flows/recipes/cifar10.yaml"
    recipe.write_text(recipe.read_text() + "extract: {batch: 4}\n")
    assert "Running stage" not in repro()

    recipe.write_text(recipe.read_text().replace("epochs: 1", "epochs: 2"))
    assert "Running stage 'reindex@cifar10'" in repro()
    assert len(list((clone / "store/runs/cifar10").iterdir())) == len(runs) + 1
    metrics = json.loads((clone / "metrics/cifar10.json").read_text())
    shown = json.loads(_run(clone, sys.executable, "-m", "dvc", "metrics", "show", "--json"))
    assert set(shown[""]["data"]["metrics/cifar10.json"]["data"]) == set(metrics) != set()
    plots = _run(clone, sys.executable, "-m", "dvc", "plots", "show", "--json")
    assert "metrics/cifar10.csv" in plots


def _run(folder: Path, *words: str) -> str:
    """What the command says, in FOLDER and with nobody's settings."""
    (folder / "home").mkdir(exist_ok=True)
    done = subprocess.run(
        words,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if "PREFECT" not in name}
        | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "DVC_NO_ANALYTICS": "1",
            "NIGHTJAR_STORE": str(folder / "store"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
