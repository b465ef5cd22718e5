"""Compare: a wave of the listing with the manifest as the night found it, row by row, one time.

The manifest passes by while a wave is held: memory follows the wave, however large the manifest is.
What is said of each row takes a few bytes and goes to a file of the workspace, from which the night
knows what must be read, what must be looked at, and which rows of the manifest nobody lists.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.database import Numbered, asking, look
from data.workspace import Snapshot

STALE: Final = """(
    l.size <> h.size
    OR CASE WHEN l.etag <> '' AND h.etag <> '' THEN l.etag <> h.etag ELSE l.mtime <> h.mtime END
)"""
"""Whether the source's stamp of a listed row (l) differs from that of the manifest's row (h)."""

META: Final = (
    "md5(to_json(struct_pack(l.uri, l.labels, l.tags, l.captions, l.boxes, l.split))::VARCHAR)"
)
"""The digest of what is said of a listed row (l): `meta` of the manifest."""

COMPARED: Final = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("row", pa.int64()),
        pa.field("unread", pa.bool_()),
        pa.field("differs", pa.bool_()),
    ]
)
"""What is said of a listed row: its position, its row in the snapshot (null where it has none),
whether its bytes must be read, and whether the manifest's row is another or is quarantined."""

_COMPARED: Final = f"""
SELECT l.position, h.row,
    h.key IS NULL OR h.state = 'removed' OR {STALE}
        OR (h.state = 'quarantined' AND h.decoder <> $decoder) AS unread,
    h.key IS NULL OR h.state <> 'live' OR h.meta <> {META} OR {STALE} AS differs
FROM waves l LEFT JOIN held h USING (key)
"""


@contextmanager
def comparing(workspace: Path, wave: Path, held: Snapshot, memory: int) -> Iterator[Any]:
    """A question that has compared WAVE with HELD: its views ``waves``, ``held``, ``compared``.

    What it has said stays as a Parquet file of `COMPARED`, in the folder ``compared``.

    Args:
        workspace: where that folder is.
        wave: listed rows, as `tasks.scan` wrote them.
        held: the manifest as the night found it.
        memory: MB that the comparison may take.
    """
    path = _path(workspace, wave)
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    with asking(memory, waves=[wave], held=Numbered(held.path)) as ask:
        ask.execute(
            f"COPY ({_COMPARED}) TO $path (FORMAT parquet, COMPRESSION lz4)",
            {"decoder": decoder_at_hand(ask), "path": str(part)},
        )
        part.replace(path)
        look(ask, "compared", [path])
        yield ask


def compared(workspace: Path, wave: Path, held: Snapshot, memory: int) -> Path:
    """What `comparing` has said of WAVE; said now where it never was, as for a wave never read."""
    path = _path(workspace, wave)
    if not path.is_file():
        with comparing(workspace, wave, held, memory):
            pass
    return path


def _path(workspace: Path, wave: Path) -> Path:
    return workspace / "compared" / wave.name


def unlisted(held: Snapshot, seen: list[Path]) -> pa.Table:
    """The rows of HELD that no wave lists, tombstones among them (column row).

    Args:
        held: what was compared.
        seen: what `compared` returned for each wave; memory takes a byte for each row of HELD.
    """
    listed = np.zeros(pq.read_metadata(held.path).num_rows, np.bool_)
    for path in seen:
        for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches(columns=["row"]):
            listed[batch["row"].drop_null().to_numpy()] = True
    return pa.table({"row": np.flatnonzero(~listed)})


def decoder_at_hand(ask: Any) -> str:
    """The decoder, if a quarantined image of ``held`` asks for it: importing it takes seconds."""
    count = "SELECT count(*) FROM held WHERE state = 'quarantined'"
    if not ask.execute(count).fetchone()[0]:
        return ""
    from models.pixels import DECODER

    return DECODER
