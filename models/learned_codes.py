"""Codes of pictures that were learned themselves: a part of an encoder, kept beside its weights.

The header of the weights names the digest of this file, so the digest of the encoder covers both,
and the row of a picture follows from the encoder and the digest of its bytes alone.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Rows = NDArray[Any]


@dataclass(frozen=True)
class LearnedCodes:
    """What an encoder has learned to store of single pictures, by the digest of their bytes.

    Args:
        digests: (N,) of 64 hex digits each (``S64``), ascending, each once.
        rows: (N, width) uint8, packed bits.
    """

    digests: Rows
    rows: NDArray[np.uint8]

    @classmethod
    def of(cls, digests: Sequence[str], rows: NDArray[np.uint8]) -> Self:
        """Those of ROWS (N, width) by DIGESTS, in any order."""
        names = np.array(digests, "S64")
        order = np.argsort(names)
        return cls(names[order], rows[order])

    @classmethod
    def read(cls, content: bytes, digest: str, width: int) -> Self:
        """Those in CONTENT, which `written` made.

        Args:
            content: the file.
            digest: what it is supposed to be.
            width: bytes a row.

        Raises:
            ValueError: CONTENT is something else.
        """
        if digest_of(content) != digest:
            raise ValueError(
                f"The learned codes {digest[:12]} have bytes whose digest is "
                f"{digest_of(content)[:12]}: they are damaged."
            )
        table = pa.ipc.open_file(content).read_all()
        if table.schema != _schema(width):
            raise ValueError(f"Learned codes are {_schema(width)}, but these are {table.schema}.")
        codes = table["vector"].combine_chunks().flatten().to_numpy()
        names = np.array(table["digest"].to_pylist(), "S64")
        return cls(names, codes.reshape(-1, width))

    def written(self) -> bytes:
        """The file of them: the same bytes for the same codes."""
        width = self.rows.shape[1]
        flat = pa.array(np.ascontiguousarray(self.rows).reshape(-1))
        columns = [
            pa.array([name.decode() for name in self.digests.tolist()], pa.string()),
            pa.FixedSizeListArray.from_arrays(flat, width),
        ]
        sink = pa.BufferOutputStream()
        schema = _schema(width)
        with pa.ipc.new_file(sink, schema) as out:
            out.write_table(pa.table(columns, names=schema.names).cast(schema))
        content: bytes = sink.getvalue().to_pybytes()
        return content

    def __len__(self) -> int:
        return len(self.digests)

    def known(self, digests: Sequence[str]) -> NDArray[np.bool_]:
        """Of which of DIGESTS (n,) there is a code."""
        return self._places(digests) >= 0

    def over(self, digests: Sequence[str], vectors: Rows) -> Rows:
        """What is stored of the pictures of DIGESTS, of which the network makes VECTORS (n, width).

        That is the learned code where there is one. Every row of an index comes through here, and
        no query does: of a query nobody may know what was learned from its labels.
        """
        places = self._places(digests)
        found = vectors.copy()
        found[places >= 0] = self.rows[places[places >= 0]]
        return found

    def _places(self, digests: Sequence[str]) -> NDArray[np.int64]:
        """Where each of DIGESTS stands, (n,); -1 where it does not."""
        names = np.array(digests, "S64")
        if not len(self):
            return np.full(len(names), -1)
        places = np.searchsorted(self.digests, names)
        hit = self.digests[np.minimum(places, len(self) - 1)] == names
        return np.where(hit, places, -1)


def digest_of(content: bytes) -> str:
    """The digest by which the header of an encoder names its codes."""
    return hashlib.sha256(content).hexdigest()


def _schema(width: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field("digest", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.uint8(), width)),
        ]
    )
