"""The first pictures of real datasets, in the layout of the whole."""

import gzip
import struct
from pathlib import Path

import numpy as np


def mnist(shared: Path, root: Path, train: int, test: int) -> Path:
    """The first TRAIN and TEST digits of the files in SHARED, as official files in ROOT."""
    root.mkdir(parents=True)
    for split, count in (("train", train), ("t10k", test)):
        for what, shape in (("images-idx3", (28, 28)), ("labels-idx1", ())):
            name = f"{split}-{what}-ubyte.gz"
            raw = gzip.decompress((shared / "mnist" / name).read_bytes())
            first = 8 + 4 * len(shape)
            head = struct.pack(f">HBB{1 + len(shape)}I", 0, 8, 1 + len(shape), count, *shape)
            body = raw[first : first + count * int(np.prod(shape))]
            (root / name).write_bytes(gzip.compress(head + body, 1))
    return root
