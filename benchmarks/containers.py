"""The same pictures in each container that an adapter reads, and pixels in those that hold arrays.

A container is written once to the folder of its name, and used again where it is there.
"""

import io
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.pictures import folder

SHARDS: Final = 4
"""Tars that the pictures are parted into, and tars within the tar."""
CLASSES: Final = 10
BATCH_FILES: Final = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")

Array = np.ndarray[Any, np.dtype[Any]]


def containers(work: Path, pictures: int, arrays: int) -> dict[str, Path]:
    """The containers under WORK, by name: PICTURES JPEGs in each, or pixels of ARRAYS pictures."""
    home = work / f"containers-{pictures}-{arrays}"
    files = folder(home / "folder", pictures)
    names = sorted(files.rglob("*.jpg"))
    makers: Mapping[str, Callable[[Path], None]] = {
        "tars": lambda root: _tars(root, names),
        "zip": lambda root: _zip(root / "pictures.zip", files, names),
        "tar in tar": lambda root: _tar_in_tar(root / "pictures.tar", names),
        "idx": lambda root: _mnist(root, arrays),
        "MATLAB": lambda root: _svhn(root, arrays),
        "pickles": lambda root: _cifar10(root, arrays),
    }
    for name, make in makers.items():
        whole = home / f"{name}.whole"
        if not whole.exists():
            (home / name).mkdir(exist_ok=True)
            make(home / name)
            whole.touch()
    return {name: home / name for name in ("folder", *makers)}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _tars(root: Path, files: list[Path]) -> None:
    """WebDataset shards: each picture with its label beside it."""
    for shard in range(SHARDS):
        with tarfile.open(root / f"{shard:03d}.tar", "w") as tar:
            for number, file in enumerate(files[shard::SHARDS]):
                _add(tar, f"{number:07d}.jpg", file.read_bytes())
                _add(tar, f"{number:07d}.cls", str(number % CLASSES).encode())


def _zip(path: Path, root: Path, files: list[Path]) -> None:
    """As `zip -0`: JPEGs do not get smaller."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        for file in files:
            out.write(file, str(file.relative_to(root)))


def _tar_in_tar(path: Path, files: list[Path]) -> None:
    """A tar of a tar for each class, as ILSVRC2012 comes."""
    with tarfile.open(path, "w") as outer:
        for shard in range(SHARDS):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as tar:
                for file in files[shard::SHARDS]:
                    _add(tar, f"n{shard:08d}_{file.name}", file.read_bytes())
            _add(outer, f"n{shard:08d}.tar", inner.getvalue())


def _drawn(*shape: int) -> Array:
    """Pixels of 64 grey levels, which pack to three quarters, as those of photographs may."""
    return np.random.default_rng(7).integers(0, 64, shape, dtype=np.uint8)


def _mnist(root: Path, rows: int) -> None:
    for stem, count in (("train", rows), ("t10k", rows // 6)):
        head = struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28)
        (root / f"{stem}-images-idx3-ubyte").write_bytes(head + _drawn(count, 28, 28).tobytes())
        digits = (np.arange(count) % CLASSES).astype(np.uint8)
        head = struct.pack(">4BI", 0, 0, 8, 1, count)
        (root / f"{stem}-labels-idx1-ubyte").write_bytes(head + digits.tobytes())


def _svhn(root: Path, rows: int) -> None:
    """``train_32x32.mat``: X (32, 32, 3, N) and y (N, 1), packed as MATLAB packs them."""
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x100) + b"IM"
    labels = (np.arange(rows) % CLASSES + 1).astype(np.uint8)
    variables = {"X": ((32, 32, 3, rows), _drawn(rows, 3072)), "y": ((rows, 1), labels)}
    with (root / "train_32x32.mat").open("wb") as out:
        out.write(head)
        for name, (shape, values) in variables.items():
            dimensions = struct.pack(f"<{len(shape)}i", *shape)
            parts = (
                (6, struct.pack("<2I", 9, 0)),  # flags: an array of uint8
                (5, dimensions),
                (1, name.encode()),
                (2, values.tobytes()),
            )
            body = b"".join(_element(kind, content) for kind, content in parts)
            packed = zlib.compress(struct.pack("<2I", 14, len(body)) + body, 1)
            out.write(struct.pack("<2I", 15, len(packed)) + packed)


def _element(kind: int, content: bytes) -> bytes:
    return struct.pack("<2I", kind, len(content)) + content + bytes(-len(content) % 8)


def _cifar10(root: Path, rows: int) -> None:
    """The Python layout: five batches to train with and one to test."""
    each = rows // len(BATCH_FILES)
    for name in BATCH_FILES:
        labels = [number % CLASSES for number in range(each)]
        batch = {b"data": _drawn(each, 3072), b"labels": labels, b"batch_label": name.encode()}
        (root / name).write_bytes(pickle.dumps(batch, protocol=2))
    names = {b"label_names": [b"class %d" % number for number in range(CLASSES)]}
    (root / "batches.meta").write_bytes(pickle.dumps(names, protocol=2))
