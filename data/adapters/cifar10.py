"""CIFAR-10 in its official layouts: Python pickles, binary records, or the archive of either."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import fsspec
import numpy as np
import pyarrow as pa

from data.adapters.archives import content_of
from data.adapters.arrays import Rows, listed_rows, read_rows
from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.held import Held
from data.adapters.pickles import load_arrays
from data.adapters.png import png_size
from data.adapters.stamps import stamp_of
from data.taxonomy import Retrieval

SIDE: Final = 32
PIXELS: Final = 3 * SIDE * SIDE
HELD: Final = 4
"""Files of the dataset that are kept for reading, 31 MB each."""

SIZE: Final = png_size(SIDE, SIDE, 3)
"""Bytes of every picture as `Cifar10.read` gives it."""

BATCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "train": tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test": ("test_batch",),
}


class Layout(NamedTuple):
    """How one of the two distributions names its parts."""

    folder: str
    suffix: str
    names: str
    archive: str


LAYOUTS: Final = (
    Layout("cifar-10-batches-py", "", "batches.meta", "cifar-10-python.tar.gz"),
    Layout("cifar-10-batches-bin", ".bin", "batches.meta.txt", "cifar-10-binary.tar.gz"),
)


class Batch(NamedTuple):
    """The rows of one file: labels (N,) and pixels (N, 3072), uint8, channels first."""

    labels: "np.ndarray[Any, np.dtype[np.uint8]]"
    pixels: "np.ndarray[Any, np.dtype[np.uint8]]"


class Cifar10(Columnar):
    """Ten balanced classes of 32x32 photographs; a picture is relevant to those of its class.

    The root is the folder ``cifar-10-batches-py`` or ``cifar-10-batches-bin``, a folder that holds
    one of them or its ``.tar.gz``, or that archive itself. A Python batch is a dict of ``data``
    (10000, 3072) uint8, channels first, and ``labels``; a binary one is 10,000 records of a label
    byte and 3,072 pixel bytes. The layouts hold the same pictures in the same order and give the
    same bytes under the same keys, ``train/00000`` to ``train/49999`` and ``test/00000`` to
    ``test/09999``.

    The dataset holds pixels and no image files, so a picture is handed out as a PNG that is made on
    the spot, without compression: its bytes follow from the pixels alone, whatever the version of
    any library, and so does its digest. A uri is ``BATCH#ROW``, or ``ARCHIVE::MEMBER#ROW``.
    """

    card = Card(
        name="cifar10",
        about="60,000 colour photographs of 32x32 pixels in ten classes.",
        labels="exactly one of ten classes, balanced; the same class is relevant",
        says=("single",),
        retrievals=(Retrieval.SEMANTIC, Retrieval.ASYMMETRIC),
        cite="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
        home="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="none stated by the authors",
        access="open",
        splits={"train": 50_000, "test": 10_000},
        sources=(
            Source(
                url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                holds="all pictures and labels",
                form="python",
                bytes=170_498_071,
                md5="c58f30108f718f92721af3b95e74349a",
                sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            ),
            Source(
                url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                holds="all pictures and labels",
                form="binary",
                bytes=170_052_171,
                md5="c32a1d4ab5d03f1284b67883e8d87530",
            ),
        ),
        layout="One of the two archives as it was downloaded, or the folder cifar-10-batches-py "
        "or cifar-10-batches-bin that is in it.",
        marks=("cifar-10-batches-*", "cifar-10-*.tar.gz", "batches.meta*"),
        verified="part of the real files",
        proof="All 60,000 labels in the official order and the pixels of the first 4,000 pictures "
        "are the real ones; the other pictures were rebuilt from JPEG copies.",
        traps=(
            "The official files are Python pickles: they are read without running anything.",
            "3.3 % of the test pictures have a near-duplicate in the training set (Barz and "
            "Denzler 2020), which flatters any result.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """One record batch a file of the dataset; the labels in it are read, no picture is made.

        Raises:
            FileNotFoundError: the root holds neither layout, or a batch of it is missing.
            PickleRefused: a batch is a pickle of something else than arrays of bytes.
            ValueError: a batch does not hold what its layout promises; names the file.
        """
        home, layout = _found(self.root)
        classes = np.array(_classes(home + layout.names))
        for split in filter(self.wants, BATCHES):
            before = 0
            for name in BATCHES[split]:
                path = f"{home}{name}{layout.suffix}"
                labels = _batch(path).labels
                if len(labels) and labels.max() >= len(classes):
                    raise ValueError(
                        f"{path}: label {labels.max()} where there are {len(classes)} classes."
                    )
                names = pa.array(classes[labels], pa.string())
                yield from listed_rows(path, split, names, SIZE, stamp_of(path), before)
                before += len(labels)

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The pictures of URIS as PNG, a few files of the dataset held at a time.

        Uris in the order of the listing read every file once.
        """
        return read_rows(uris, _pictures)


def _pictures(path: str) -> Rows:
    """The pictures of a batch, (N, 32, 32, 3) uint8."""
    return _batch(path).pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _found(root: str) -> tuple[str, Layout]:
    """What to put before the name of a batch, and the layout that is there."""
    fs, path = fsspec.url_to_fs(root)
    for layout in LAYOUTS:
        if root.endswith(layout.archive):
            return f"{root}::{layout.folder}/", layout
        first = BATCHES["train"][0] + layout.suffix
        for folder in ("", f"{layout.folder}/"):
            if fs.exists(f"{path}/{folder}{first}"):
                return f"{root}/{folder}", layout
        if fs.exists(f"{path}/{layout.archive}"):
            return f"{root}/{layout.archive}::{layout.folder}/", layout
    choices = ", ".join(word for layout in LAYOUTS for word in (layout.folder, layout.archive))
    raise FileNotFoundError(f"No CIFAR-10 under {root}: it should hold one of {choices}.")


def _classes(path: str) -> list[str]:
    content = content_of(path)
    if path.endswith(".txt"):
        return content.decode("ascii").split()
    names = load_arrays(content, path).get(b"label_names")
    if not isinstance(names, list) or not all(isinstance(name, bytes) for name in names):
        raise ValueError(f"{path} names no classes: its 'label_names' is no list of names.")
    return [name.decode("ascii") for name in names]


def _made(path: str) -> Batch:
    content = content_of(path)
    if path.endswith(".bin"):
        if len(content) % (1 + PIXELS):
            raise ValueError(f"{path} has {len(content)} bytes, no whole number of records.")
        records = np.frombuffer(content, np.uint8).reshape(-1, 1 + PIXELS)  # (N, 3073)
        return Batch(records[:, 0], records[:, 1:])
    fields = load_arrays(content, path)
    pixels, labels = fields.get(b"data"), fields.get(b"labels")
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != PIXELS:
        raise ValueError(f"{path}: 'data' should be an array (N, {PIXELS}) of bytes.")
    if not isinstance(labels, list) or len(labels) != len(pixels):
        raise ValueError(f"{path}: 'labels' should be a list of {len(pixels)} classes.")
    if not all(isinstance(label, int) and 0 <= label < 256 for label in labels):
        raise ValueError(f"{path}: 'labels' holds something else than class numbers.")
    return Batch(np.array(labels, dtype=np.uint8), pixels)


_batch: Final = Held(_made, HELD)
