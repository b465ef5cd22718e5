"""What a service answers with where a photograph is gone, found by how often it comes."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Files = Iterable[tuple[pa.Array, pa.Array]]
"""Uris (texts) and sizes (int64) of files, some at a time."""

Read = Callable[[Sequence[str]], Iterator[bytes | OSError]]


def placeholders(files: Callable[[], Files], least: int, read: Read) -> pa.Array:
    """The uris of those of FILES whose bytes at least LEAST of them share.

    Only files are read of whose length there are so many; FILES is gone through twice, and what is
    held are their lengths.

    Args:
        files: lists them, each time the same; a size of 0 is unknown.
        least: so many files of the same bytes are a placeholder, 1 at least.
        read: the bytes of each of some uris.
    """
    lengths = Counter[int]()
    for _, sizes in files():
        found, counts = np.unique(sizes.to_numpy(), return_counts=True)
        lengths.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
    many = pa.array(
        [size for size, count in lengths.items() if size and count >= least], pa.int64()
    )
    suspects: list[str] = []
    for uris, sizes in files():
        suspects += uris.filter(pc.is_in(sizes, value_set=many)).to_pylist()
    digests = [
        hashlib.sha256(content).digest() if isinstance(content, bytes) else b""
        for content in read(suspects)
    ]
    shared = {digest for digest, count in Counter(digests).items() if digest and count >= least}
    fakes = (uri for uri, digest in zip(suspects, digests, strict=True) if digest in shared)
    return pa.array(fakes, pa.string())
