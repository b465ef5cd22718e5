"""A whole night over each dataset in its official layout: learned, indexed, published, verified."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.adapters import DATASETS, open_dataset
from tests.data.matfile import write_mat
from tests.data.miniatures import MINIATURES
from tests.flows.album import TRAIN, Album, balanced, sha

Array = np.ndarray[Any, np.dtype[np.uint8]]
CLASSES = 4
LEARNED, ASKED = 40, 12

OWN = {"folder", "list", "tars"}
"""Sources without an official layout, whose nights other tests spend."""

OFFICIAL = sorted(set(MINIATURES) - OWN)


def shades(count: int, *shape: int) -> tuple[Array, Array]:
    """Labels (COUNT,) and pictures (COUNT, *SHAPE) whose shade tells the label at sight."""
    chance = np.random.default_rng(count)
    labels = np.arange(count) % CLASSES
    pictures = chance.integers(0, 20, (count, *shape)) + labels.reshape(-1, *[1] * len(shape)) * 60
    return labels.astype(np.uint8), pictures.astype(np.uint8)


def mnist(root: Path, learned: int = LEARNED) -> None:
    root.mkdir()
    for name, count in (("train", learned), ("t10k", ASKED)):
        labels, pictures = shades(count, 28, 28)
        for what, array in (("images-idx3", pictures), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            path = root / f"{name}-{what}-ubyte.gz"
            path.write_bytes(gzip.compress(head + array.tobytes()))


def svhn(root: Path) -> None:
    root.mkdir()
    for split, count in (("train", LEARNED - 8), ("test", ASKED), ("extra", 8)):
        labels, pictures = shades(count, 32, 32, 3)
        labels = np.where(labels, labels, 10)[:, None]
        write_mat(root / f"{split}_32x32.mat", {"X": pictures.transpose(1, 2, 3, 0), "y": labels})


SURVEY = {
    "cifar10", "mnist", "svhn", "nuswide", "sun397", "utzap50k", "yahoo1m", "ilsvrc2012", "coco",
    "mirflickr1m", "gldv1", "gldv2", "clickture",
}  # fmt: skip
"""The datasets of the survey's table."""

LAYOUTS: dict[str, Callable[[Path], None]] = {"mnist": mnist, "svhn": svhn}


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_what_was_learned_from_official_labels_tells_the_classes_apart(
    bare: Album, name: str
) -> None:
    LAYOUTS[name](bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": name, "root": "official"},
        "evaluate": {"split": "test", "queries": ASKED, "k": 10, "protocol": "labels"},
    }
    ledger = bare.night()
    assert balanced(ledger) == (LEARNED + ASKED, 0, 0, 0)
    assert ledger.metrics[ledger.headline] > 0.6, "shades tell the classes apart at sight"
    assert ledger.production == f"{ledger.table}@{ledger.index_version}"
    rows = bare.rows()
    assert sum(key.startswith("test/") for key in rows) == ASKED
    assert rows["test/00000"][1] == ("0",)


def test_no_dataset_of_the_table_is_without_a_night() -> None:
    assert set(OFFICIAL) | OWN == set(DATASETS)
    assert set(OFFICIAL) >= SURVEY


@pytest.mark.parametrize("name", OFFICIAL)
def test_a_dataset_in_its_official_layout_ends_in_a_published_index(
    bare: Album, draw: Callable[..., bytes], name: str
) -> None:
    below, make = MINIATURES[name]
    options = make(bare.folder / below, draw)
    bare.fields |= {
        "source": {"dataset": name, "root": below, "options": options},
        "train": TRAIN | {"supervision": "self_supervised", "epochs": 1},
    }
    there = open_dataset(name, str(bare.folder / below), options)
    pictures = list(there.samples())
    contents = there.read([one.uri for one in pictures])
    expected = {
        one.key: (sha(content), one.labels)
        for one, content in zip(pictures, contents, strict=True)
        if isinstance(content, bytes)
    }
    ledger = bare.night()
    assert balanced(ledger) == (len(pictures), 0, 0, 0)
    assert ledger.production == f"{ledger.table}@{ledger.index_version}"
    assert {key: row[:2] for key, row in bare.rows().items()} == expected
    assert bare.verified().ok
    again = bare.night()
    assert (again.embedded, again.listed) == (0, len(pictures))
