"""QMUL chairs: sketches of chairs and the chair that each was drawn after, as MATLAB arrays."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from data.adapters.arrays import Pixels, listed_rows, read_rows
from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.held import Held
from data.adapters.matlab import load
from data.adapters.named import place_in
from data.adapters.png import png_size
from data.adapters.stamps import stamp_of
from data.taxonomy import Retrieval

SIDE: Final = 256
SIZE: Final = png_size(SIDE, SIDE, 1)
"""Bytes of every picture as `QmulChairs.read` gives it."""

KINDS: Final[Mapping[str, str]] = {"photo": "edge", "sketch": "sketch"}
"""A half of a pair, and what its file is called: of the photographs there are edge maps."""


class QmulChairs(Columnar):
    """A sketch asks, and the one chair that it was drawn after answers.

    The root holds ``chairs_{edge,sketch}_db_{train,test}.mat``, itself, in ``chairs`` or in
    ``data/chairs``: each a MATLAB array ``data`` (N, 256, 256) uint8, black lines on white. Row I
    of a sketch file is the sketch of row I of the edge file of the same half, and both carry that
    pair as their label, ``train/00000``. Keys are ``photo-train/00000``, ``sketch-train/00000`` and
    so on.

    The dataset holds pixels and no image files, so a picture is handed out as a grey PNG that is
    made on the spot. A uri is ``FILE#ROW``.
    """

    card = Card(
        name="qmul-chairs",
        about="297 chairs, each as the edges of its photograph and as a sketch by hand.",
        labels="the pair; a sketch and the picture that it was drawn after, and no other",
        says=("single",),
        retrievals=(Retrieval.SKETCH_BASED, Retrieval.INSTANCE),
        cite="Yu, Liu, Song, Xiang, Hospedales, Loy, Sketch Me That Shoe, CVPR 2016",
        home="https://www.eecs.qmul.ac.uk/~qian/Project_cvpr16.html",
        licence="none stated by the authors",
        terms="For research only.",
        access="by agreement",
        ask="Get the chairs of the database for Deep_SBIR by the dataset's page, and put the four "
        "files chairs_edge_db_*.mat and chairs_sketch_db_*.mat into the root.",
        splits={"photo-train": 200, "photo-test": 97, "sketch-train": 200, "sketch-test": 97},
        sources=tuple(
            Source(
                saved_as=f"chairs_{file}_db_{half}.mat",
                holds="pictures",
                splits=(f"{kind}-{half}",),
            )
            for kind, file in KINDS.items()
            for half in ("train", "test")
        ),
        layout="The four files chairs_{edge,sketch}_db_{train,test}.mat, in the root, in chairs or "
        "in data/chairs.",
        marks=("chairs_sketch_db_*.mat",),
        verified="real files",
        proof="The four real files: 200 and 97 pairs, each picture upright. Those of the "
        "photographs themselves could not be had.",
        traps=(
            "Rows are the first axis: a MATLAB file has them scattered, so a file is held whole.",
            "In place of the photographs stand their edge maps, as in the authors' network.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures split by split.

        Raises:
            FileNotFoundError: the file of a split is missing; names it.
            ValueError: a file is damaged, or holds something else.
        """
        for split in filter(self.wants, self.card.splits):
            kind, half = split.split("-")
            name = f"chairs_{KINDS[kind]}_db_{half}.mat"
            path = place_in(self.root, name, name, f"chairs/{name}", f"data/chairs/{name}")
            pairs = pa.array([f"{half}/{row:05d}" for row in range(len(_pictures(path)))])
            yield from listed_rows(path, split, pairs, SIZE, stamp_of(path))

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The pictures of URIS as PNG; the files are held."""
        return read_rows(uris, _pictures)


def _array(path: str) -> Pixels:
    pictures = load(path, "data")["data"]
    shape = getattr(pictures, "shape", ())
    if len(shape) != 3 or shape[1:] != (SIDE, SIDE) or pictures.dtype != "u1":
        raise ValueError(f"{path}: 'data' should be (N, {SIDE}, {SIDE}) uint8 and is {shape}.")
    return np.ascontiguousarray(pictures)


_pictures: Final = Held(_array, 4)
"""The pictures of all files, 39 MB."""
