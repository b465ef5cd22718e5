"""A miniature of each dataset of the table, in its official layout."""

import csv
import gzip
import io
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.data import miniatures_sketches, miniatures_texts, miniatures_unseen
from tests.data.matfile import write_mat
from tests.data.miniatures_clickture import clickture
from tests.data.miniatures_coco import coco
from tests.data.miniatures_flickr8k import flickr8k
from tests.data.miniatures_ilsvrc2012 import ilsvrc2012
from tests.data.miniatures_landmarks import gldv1, gldv2
from tests.data.miniatures_mirflickr import mirflickr1m, mirflickr25k
from tests.data.miniatures_nuswide import nuswide
from tests.data.miniatures_revisited import roxford5k, rparis6k
from tests.data.miniatures_sun397 import sun397
from tests.data.miniatures_svhn_full import svhn_full
from tests.data.miniatures_utzap50k import utzap50k
from tests.data.miniatures_yahoo1m import yahoo1m

Draw = Callable[..., bytes]


def folder(root: Path, draw: Draw) -> dict[str, Any]:
    for number, name in enumerate(
        ("train/cat/1.jpg", "train/dog/2.png", "test/cat/3.JPG", "4.jpg")
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw(number))
    return {}


def listed(root: Path, draw: Draw) -> dict[str, Any]:
    with root.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "labels", "tags", "caption", "split"])
        for number, split in enumerate(("train", "train", "test")):
            (root.parent / f"{number}.jpg").write_bytes(draw(number))
            rows.writerow([f"{number}.jpg", "a; b", "sea;sun", "one, or two; lines\nof it", split])
    return {}


def tars(root: Path, draw: Draw) -> dict[str, Any]:
    for split in ("train", "test"):
        (root / split).mkdir(parents=True)
        with tarfile.open(root / split / "000.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(3):
                for suffix, content in (("cls", b"7"), ("jpg", draw(number)), ("txt", b"a place")):
                    member = tarfile.TarInfo(f"deep/{number:03d}.{suffix}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return {}


def cifar10(root: Path, draw: Draw) -> dict[str, Any]:
    home = root / "cifar-10-batches-py"
    home.mkdir(parents=True)
    chance = np.random.default_rng(0)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        pixels = chance.integers(0, 256, (2, 3072), dtype=np.uint8)
        batch = {b"data": pixels, b"labels": [1, 0], b"filenames": [b"x.png", b"y.png"]}
        (home / name).write_bytes(pickle.dumps(batch, protocol=2))
    names = {b"label_names": [b"airplane", b"automobile"]}
    (home / "batches.meta").write_bytes(pickle.dumps(names, protocol=2))
    return {}


def mnist(root: Path, draw: Draw) -> dict[str, Any]:
    root.mkdir()
    chance = np.random.default_rng(0)
    for name, count in (("train", 3), ("t10k", 2)):
        pictures = chance.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        images = b"\0\0\x08\x03" + struct.pack(">3I", *pictures.shape) + pictures.tobytes()
        labels = b"\0\0\x08\x01" + struct.pack(">I", count) + bytes(range(count))
        (root / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (root / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    return {}


def svhn(root: Path, draw: Draw) -> dict[str, Any]:
    root.mkdir()
    chance = np.random.default_rng(0)
    for split, count in (("train", 3), ("test", 2), ("extra", 2)):
        pictures = chance.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        labels = np.array([[10], [1], [2]][:count], np.uint8)
        write_mat(root / f"{split}_32x32.mat", {"X": pictures, "y": labels})
    return {}


MINIATURES: Final[dict[str, tuple[str, Callable[[Path, Draw], dict[str, Any]]]]] = {
    "cars196": ("home", miniatures_unseen.cars196),
    "cifar10": ("home", cifar10),
    "clickture": ("home", clickture),
    "coco": ("home", coco),
    "cub200": ("home", miniatures_unseen.cub200),
    "flickr8k": ("home", flickr8k),
    "folder": ("home", folder),
    "gldv1": ("home", gldv1),
    "gldv2": ("home", gldv2),
    "grocery": ("home", miniatures_texts.grocery),
    "hf": ("home", miniatures_texts.hf),
    "ilsvrc2012": ("home", ilsvrc2012),
    "inshop": ("home", miniatures_unseen.inshop),
    "list": ("home.csv", listed),
    "mirflickr1m": ("home", mirflickr1m),
    "mirflickr25k": ("home", mirflickr25k),
    "mnist": ("home", mnist),
    "nuswide": ("home", nuswide),
    "pix2pix": ("home", miniatures_sketches.pix2pix),
    "qmul-chairs": ("home", miniatures_sketches.qmul_chairs),
    "roxford5k": ("home", roxford5k),
    "rparis6k": ("home", rparis6k),
    "sketchy": ("home", miniatures_sketches.sketchy),
    "sop": ("home", miniatures_unseen.sop),
    "sun397": ("home", sun397),
    "svhn": ("home", svhn),
    "svhn-full": ("home", svhn_full),
    "tars": ("home", tars),
    "tuberlin": ("home", miniatures_sketches.tuberlin),
    "ukbench": ("home", miniatures_texts.ukbench),
    "utzap50k": ("home", utzap50k),
    "yahoo1m": ("home", yahoo1m),
}
"""What it is called, and what writes it there and answers with the options it needs."""
