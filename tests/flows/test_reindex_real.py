"""Whole nights over real photographs: each is found, published, and verified from its bytes up."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.flows.album import Album, balanced

pytestmark = pytest.mark.real

UNTRAINED: dict[str, Any] = {
    "dimensions": 64,
    "size": 64,
    "width": 16,
    "epochs": 0,
    "device": "cpu",
}


def same_among_four(album: Album, files: list[Path], object_of: dict[str, str]) -> float:
    """The mean number of pictures of the same object among the first four, itself included."""
    scores = []
    for path in files:
        found = album.search(path.read_bytes(), 4)
        mine = object_of[next(key for key in object_of if Path(key).name == path.name)]
        scores.append(sum(object_of[row["key"]] == mine for row in found))
    return float(np.mean(scores))


def test_ukbench_s_objects_find_each_other(shared_datasets: Path, bare: Album) -> None:
    files = sorted((shared_datasets / "ukbench-56" / "full").glob("*.jpg"))
    assert len(files) == 56
    with (bare.folder / "list.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["uri", "key", "label"])
        rows.writerows([path, path.name, f"object {int(path.stem[-5:]) // 4}"] for path in files)
    bare.fields |= {
        "source": {"dataset": "list", "root": "list.csv"},
        "train": UNTRAINED,
        "evaluate": {"queries": 56, "k": 10, "protocol": "labels"},
    }
    ledger = bare.night()
    assert (balanced(ledger), ledger.promoted) == ((56, 0, 0, 0), True)
    objects = {path.name: str(int(path.stem[-5:]) // 4) for path in files}
    score = same_among_four(bare, files, objects)
    assert score > 1.8, f"N-S {score:.2f}: a guess scores 1.16 of 4"
    assert ledger.metrics[ledger.headline] > 0.2  # a guess: below 0.1
    assert bare.verified(embed=6).ok

    bare.fields["evaluate"] = {"queries": 56, "k": 10, "protocol": "known_item"}
    bare.fields["train"] = {**UNTRAINED, "seed": 1}
    ledger = bare.night("fall")
    assert (ledger.embedded, ledger.promoted) == (56, True)
    assert ledger.headline.startswith("mrr@")
    assert ledger.metrics[ledger.headline] > 0.3


def test_a_shop_s_shelves_as_a_folder(shared_datasets: Path, bare: Album) -> None:
    root = shared_datasets / "grocerystore-val" / "dataset" / "val"
    bare.fields |= {
        "source": {"dataset": "folder", "root": str(root)},
        "train": {**UNTRAINED, "supervision": "supervised"},
    }
    ledger = bare.night()
    assert (ledger.listed, balanced(ledger)[2:], ledger.promoted) == (296, (0, 0), True)
    key = "Fruit/Apple/Golden-Delicious/Golden-Delicious_001.jpg"
    assert bare.search((root / key).read_bytes(), 1)[0]["key"] == key
    assert bare.verified(embed=6).ok
    assert bare.night().embedded == 0


def test_a_hundred_photographs_some_of_them_torn(shared_datasets: Path, bare: Album) -> None:
    source = shared_datasets / "photos-imagenet-sample-100"
    for path in sorted(source.glob("*.JPEG")):
        shutil.copy(path, bare.root / path.name)
    torn = sorted(bare.root.iterdir())[:5]
    for path in torn:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 3])
    bare.fields |= {
        "train": UNTRAINED,
        "evaluate": {"queries": 40, "k": 10},
        "extract": {"device": "cpu", "part": 16},
    }
    ledger = bare.night()
    assert (balanced(ledger), ledger.promoted) == ((95, 0, 5, 0), True)
    assert {item.key for item in ledger.ledger.missing} == {path.name for path in torn}
    assert ledger.metrics[ledger.headline] > 0.3, "altered copies find their photograph"
    for path in sorted(bare.root.iterdir())[5::12]:
        assert bare.search(path.read_bytes(), 1)[0]["key"] == path.name

    for path in torn:
        shutil.copy(source / path.name, path)
    ledger = bare.night("fall")
    assert (ledger.embedded, balanced(ledger)) == (5, (5, 95, 0, 0))
    assert bare.verified(embed=10).ok


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_cifar10_s_test_pictures_by_codes_that_were_learned(
    shared_datasets: Path, bare: Album
) -> None:
    script = shared_datasets / "cifar-10" / "build_batches.py"
    subprocess.run([sys.executable, script, bare.folder], check=True)
    plan = {"supervision": "supervised", "descriptor": "binary", "dimensions": 48, "size": 32}
    bare.fields |= {
        "source": {
            "dataset": "cifar10",
            "root": "cifar-10-batches-bin",
            "options": {"splits": ["test"]},
        },
        "evaluate": {"queries": 300, "k": 100, "protocol": "labels"},
        "train": {**plan, "width": 8, "epochs": 0, "device": "cpu"},
        "cluster": {"small": 100_000},
    }
    untrained = bare.night()
    assert (balanced(untrained), untrained.promoted) == ((10_000, 0, 0, 0), True)
    bare.fields["train"] = {**plan, "width": 16, "epochs": 3, "device": "cpu"}
    trained = bare.night()
    assert (trained.promoted, trained.embedded) == (True, 10_000)
    assert trained.metrics[trained.headline] > untrained.metrics[untrained.headline] + 0.1
    assert bare.verified(embed=5).ok
