"""Street View House Numbers, cropped digits (format 2), in its official MATLAB files."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache, partial
from typing import Final

import numpy as np
import pyarrow as pa

from data.adapters.arrays import Pixels, listed_rows, read_rows
from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.forward import Readers
from data.adapters.matlab import LastAxis, load
from data.adapters.png import png_size
from data.adapters.stamps import Stamp, stamp_of
from data.taxonomy import Retrieval

SIDE: Final = 32
SIZE: Final = png_size(SIDE, SIDE, 3)
"""Bytes of every picture as `Svhn.read` gives it."""

HOME: Final = "http://ufldl.stanford.edu/housenumbers"


class Svhn(Columnar):
    """House numbers cropped to a digit of 32x32 pixels; relevant are those of the same digit.

    The root is the folder of ``train_32x32.mat``, ``test_32x32.mat`` and ``extra_32x32.mat``; name
    ``splits`` to do without one of them. Each holds ``X`` (32, 32, 3, N) uint8 and ``y`` (N, 1),
    where 10 stands for the digit 0. Keys are ``train/00000`` and so on.

    The dataset holds pixels and no image files, so a picture is handed out as a PNG that is made on
    the spot. A uri is ``FILE#ROW``. The pictures of a file lie one after the other in one packed
    stream: they are read in their order, in one call or many, and none is held; going back begins
    anew.
    """

    card = Card(
        name="svhn",
        about="630,420 house number digits of 32x32 colour pixels, cropped from street views.",
        labels="exactly one of ten digits, 19 % of them 1; the same digit is relevant, whatever "
        "stands beside it",
        says=("single",),
        retrievals=(Retrieval.SEMANTIC, Retrieval.ASYMMETRIC),
        cite="Netzer, Wang, Coates, Bissacco, Wu, Ng, Reading Digits in Natural Images with "
        "Unsupervised Feature Learning, NIPS Workshop 2011",
        home=f"{HOME}/",
        licence="none stated by the authors",
        terms="For non-commercial use only.",
        access="open",
        splits={"train": 73_257, "test": 26_032, "extra": 531_131},
        sources=(
            Source(
                url=f"{HOME}/train_32x32.mat",
                holds="pictures and labels",
                splits=("train",),
                bytes=182_040_794,
                md5="e26dedcc434d2e4c54c9b2d4a06d8373",
                sha256="435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
            ),
            Source(
                url=f"{HOME}/test_32x32.mat",
                holds="pictures and labels",
                splits=("test",),
                bytes=64_275_384,
                md5="eb5a983be6a315427106f1b164d9cef3",
                sha256="cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
            ),
            Source(
                url=f"{HOME}/extra_32x32.mat",
                holds="pictures and labels",
                splits=("extra",),
                bytes=1_329_278_602,
                md5="a93ce644f1a588dc4d68dda5feec44a7",
            ),
        ),
        layout="The .mat files in the root; splits: [train, test] in a recipe does without extra.",
        marks=("train_32x32.mat", "test_32x32.mat"),
        verified="miniature",
        proof="MATLAB files of its layout that the tests write, and others by scipy; the reader "
        "itself on real MATLAB files of another dataset.",
        traps=(
            "Label 10 stands for the digit 0.",
            "Pictures lie along the last axis, and columns before rows.",
            "Format 1, whole house numbers with a box a digit, is svhn-full.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The rows of each split; labels are read, and of the pictures their number.

        Raises:
            FileNotFoundError: the file of a split is missing; names it.
            ValueError: a file is damaged, or not in its layout; names it.
        """
        for split in filter(self.wants, self.card.splits):
            path = f"{self.root}/{split}_32x32.mat"
            labels = np.ravel(load(path, "y")["y"])
            count = len(_Pictures(path))
            if count != len(labels):
                raise ValueError(f"{path} has {count} pictures and {len(labels)} labels.")
            if not np.isin(labels, np.arange(1, 11)).all():
                raise ValueError(f"{path}: a label is not one of 1 to 10.")
            digits = pa.array(labels.astype(np.int64) % 10).cast(pa.string())
            yield from listed_rows(path, split, digits, SIZE, stamp_of(path))

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The pictures of URIS as PNG; in the order of the listing they cost one pass."""
        return read_rows(uris, _Pictures)


class _Pictures:
    """The pictures of the file at PATH; whoever reads goes on where somebody stopped before."""

    def __init__(self, path: str) -> None:
        self.path, self.stamped = path, stamp_of(path)
        self.count = _count(path, self.stamped)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int, /) -> Pixels:
        damage: ValueError | None = None
        with _READERS.before(
            (self.path, self.stamped), row, partial(_begun, self.path)
        ) as pictures:
            try:
                return pictures[row]
            except ValueError as error:  # it remembers how far it could be read
                damage = error
        raise damage


_READERS: Final = Readers[LastAxis]()


@lru_cache(maxsize=8)
def _count(path: str, stamped: Stamp) -> int:
    with closing(_begun(path)) as pictures:
        return len(pictures)


def _begun(path: str) -> LastAxis:
    pictures = LastAxis(path, "X")
    if pictures.shape[:-1] != (SIDE, SIDE, 3) or pictures.numbers != "u1":
        pictures.close()
        raise ValueError(
            f"{path}: 'X' should be ({SIDE}, {SIDE}, 3, N) uint8 and is {pictures.shape} "
            f"{pictures.numbers}."
        )
    return pictures
