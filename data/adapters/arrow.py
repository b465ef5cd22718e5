"""Where in an Arrow IPC file the bytes of a column lie, so that each is a range of the file."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from data.adapters.columns import blank

Numbers = np.ndarray[Any, np.dtype[np.int64]]

_MAGIC: Final = b"ARROW1"
_END: Final = bytes(4)
"""What a stream ends in: a message of no length."""


def batches_at(path: str) -> Iterator[tuple[pa.RecordBatch, pa.Buffer]]:
    """The record batches of the Arrow file or stream at PATH, each with the mapped file it lies in.

    PATH is on a disk; nothing of it is held.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is cut, damaged or neither; names it.
    """
    with pa.memory_map(path) as mapped:
        whole = mapped.read_buffer()
        ending = whole.slice(max(0, whole.size - len(_END))).to_pybytes()
        try:
            if whole.slice(0, min(whole.size, len(_MAGIC))).to_pybytes() == _MAGIC:
                reader = pa.ipc.open_file(whole)
                for number in range(reader.num_record_batches):
                    yield reader.get_batch(number), whole
                return
            if ending != _END:
                raise ValueError(f"{path} is cut, or no Arrow file: it does not end as one.")
            for batch in pa.ipc.open_stream(whole):
                yield batch, whole
        except (pa.ArrowInvalid, OSError) as error:
            raise ValueError(f"{path} is damaged, or no Arrow file: {error}.") from error


def places_of(
    column: pa.Array, whole: pa.Buffer, path: str
) -> tuple[Numbers, Numbers, pa.StringArray]:
    """Offset and length in WHOLE of each value of COLUMN, and the path that it gives instead.

    COLUMN is of bytes, or of structs of ``bytes`` and ``path``, in the mapped file WHOLE at PATH;
    what is null has length 0.

    Raises:
        ValueError: COLUMN is of another kind, or packed, so that its bytes stand nowhere.
    """
    paths = blank(pa.string(), len(column))
    if pa.types.is_struct(column.type):
        names = [field.name for field in column.type]
        if "path" in names:
            paths = pc.fill_null(pc.struct_field(column, "path").cast(pa.string()), "")
        column = pc.struct_field(column, "bytes") if "bytes" in names else column
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise ValueError(f"{path}: a column of {column.type} holds no pictures.")
    _, edges, content = column.buffers()
    wide = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    part = slice(column.offset, column.offset + len(column) + 1)
    ends: Numbers = np.frombuffer(edges, wide)[part].astype(np.int64)
    sizes: Numbers = ends[1:] - ends[:-1]
    sizes[column.is_null().to_numpy(zero_copy_only=False)] = 0
    if not sizes.any():
        return np.zeros(len(column), np.int64), sizes, paths
    start = content.address - whole.address
    if not 0 <= start <= whole.size - content.size:
        raise ValueError(f"{path} is packed: its pictures cannot be read in place.")
    return start + ends[:-1], sizes, paths
