"""A whole night over each dataset in its official layout: learned, indexed, published, verified."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.matfile import write_mat
from tests.flows.album import Album, balanced

Array = np.ndarray[Any, np.dtype[np.uint8]]
CLASSES = 4
TRAIN, TEST = 40, 12


def shades(count: int, *shape: int) -> tuple[Array, Array]:
    """Labels (COUNT,) and pictures (COUNT, *SHAPE) whose shade tells the label at sight."""
    chance = np.random.default_rng(count)
    labels = np.arange(count) % CLASSES
    pictures = chance.integers(0, 20, (count, *shape)) + labels.reshape(-1, *[1] * len(shape)) * 60
    return labels.astype(np.uint8), pictures.astype(np.uint8)


def mnist(root: Path) -> None:
    root.mkdir()
    for name, count in (("train", TRAIN), ("t10k", TEST)):
        labels, pictures = shades(count, 28, 28)
        for what, array in (("images-idx3", pictures), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            path = root / f"{name}-{what}-ubyte.gz"
            path.write_bytes(gzip.compress(head + array.tobytes()))


def svhn(root: Path) -> None:
    root.mkdir()
    for split, count in (("train", TRAIN - 8), ("test", TEST), ("extra", 8)):
        labels, pictures = shades(count, 32, 32, 3)
        labels = np.where(labels, labels, 10)[:, None]
        write_mat(root / f"{split}_32x32.mat", {"X": pictures.transpose(1, 2, 3, 0), "y": labels})


LAYOUTS: dict[str, Callable[[Path], None]] = {"mnist": mnist, "svhn": svhn}


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_dataset_in_its_official_layout_ends_in_a_published_index(bare: Album, name: str) -> None:
    LAYOUTS[name](bare.folder / "official")
    bare.fields |= {
        "source": {"dataset": name, "root": "official"},
        "evaluate": {"split": "test", "queries": TEST, "k": 10, "protocol": "labels"},
    }
    ledger = bare.night()
    assert balanced(ledger) == (TRAIN + TEST, 0, 0, 0)
    assert ledger.metrics[ledger.headline] > 0.6, "shades tell the classes apart at sight"
    assert ledger.production == f"{ledger.table}@{ledger.index_version}"
    rows = bare.rows()
    assert sum(key.startswith("test/") for key in rows) == TEST
    assert rows["test/00000"][1] == ("0",)
    assert bare.verified().ok
    assert bare.night().embedded == 0
