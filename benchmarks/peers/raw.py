"""Containers read as a script reads them that only wants the bytes of the pictures.

Each reader yields the pictures of a container that `benchmarks.containers` wrote. Nothing is
listed, labelled or checked, and pixels are handed out as they are and not as an image file.
"""

import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.containers import BATCH_FILES

CHUNK: Final = 1 << 20


def of_folder(root: Path) -> Iterator[bytes]:
    """The files, one after the other."""
    for home, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            yield Path(home, name).read_bytes()


def of_tars(root: Path) -> Iterator[bytes]:
    """The pictures of each tar, by `tarfile`."""
    for path in sorted(root.glob("*.tar")):
        with tarfile.open(path) as tar:
            yield from _members(tar)


def of_tar_in_tar(root: Path) -> Iterator[bytes]:
    """The pictures of each tar in the tar, by `tarfile`."""
    with tarfile.open(root / "pictures.tar") as outer:
        for member in outer:
            with tarfile.open(fileobj=outer.extractfile(member)) as inner:
                yield from _members(inner)


def of_zip(root: Path) -> Iterator[bytes]:
    """The files in the zip, by `zipfile`."""
    with zipfile.ZipFile(root / "pictures.zip") as archive:
        for name in archive.namelist():
            yield archive.read(name)


def of_idx(root: Path) -> Iterator[bytes]:
    """The rows of the array, by `numpy.frombuffer`."""
    for path in sorted(root.glob("*-images-idx3-ubyte"), reverse=True):
        yield from _rows(np.frombuffer(path.read_bytes(), np.uint8, offset=16).reshape(-1, 28 * 28))


def of_mat(root: Path) -> Iterator[bytes]:
    """The rows of X, the first variable of the file, unpacked as a whole."""
    content = (root / "train_32x32.mat").read_bytes()
    packed = struct.unpack_from("<I", content, 132)[0]
    matrix = zlib.decompress(memoryview(content)[136 : 136 + packed])
    pixels = np.frombuffer(matrix, np.uint8, offset=8 + 16 + 24 + 16 + 8).reshape(-1, 3072)
    # columns come before rows in the file, and the colours last of all
    for row in pixels:
        yield row.reshape(3, 32, 32).transpose(2, 1, 0).tobytes()


def of_pickles(root: Path) -> Iterator[bytes]:
    """The rows of each batch, by `pickle`, which runs what a batch tells it to."""
    for name in BATCH_FILES:
        with (root / name).open("rb") as file:
            for row in pickle.load(file, encoding="bytes")[b"data"]:
                yield row.reshape(3, 32, 32).transpose(1, 2, 0).tobytes()


READERS: Final[Mapping[str, Callable[[Path], Iterator[bytes]]]] = {
    "folder": of_folder,
    "tars": of_tars,
    "zip": of_zip,
    "tar in tar": of_tar_in_tar,
    "idx": of_idx,
    "MATLAB": of_mat,
    "pickles": of_pickles,
}


def sequential(root: Path) -> int:
    """How many bytes the files under ROOT hold, each read from its start to its end."""
    count = 0
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                count += len(chunk)
    return count


def _members(tar: tarfile.TarFile) -> Iterator[bytes]:
    for member in tar:
        if member.name.endswith(".jpg") and (file := tar.extractfile(member)):
            yield file.read()


def _rows(pixels: "np.ndarray[Any, np.dtype[np.uint8]]") -> Iterator[bytes]:
    for row in pixels:
        yield row.tobytes()
