"""Tidy: keep a manifest in few pieces, however many nights have written to it."""

from collections.abc import Callable
from typing import Final

from data.manifest import manifest
from data.store import Store

PIECES: Final = 12
"""Fragments not half full that are left alone: each is opened by every question to the manifest."""
FULL: Final = 2**20
"""Rows of a full fragment."""
DELETED: Final = 0.1
"""Share of deleted rows from which on a fragment is written anew."""


def tidy(store: Store, dataset: str, check: Callable[[], None]) -> int:
    """The newest version of DATASET, its small fragments put together where they were many.

    What the rows say stays as it is, ``since`` included, so an index takes no notice.

    Args:
        store: where the manifest lies.
        dataset: whose it is.
        check: raises where this process may write no longer; called right before the commit.

    Raises:
        FileNotFoundError: the dataset has no version yet.
    """
    table = manifest(store, dataset)
    newest = table.open()
    sizes = [fragment.metadata.physical_rows for fragment in newest.get_fragments()]
    if sum(size < FULL // 2 for size in sizes) <= PIECES:
        return int(newest.version)
    check()
    newest.optimize.compact_files(
        target_rows_per_fragment=FULL,
        materialize_deletions_threshold=DELETED,
        num_threads=2,
        batch_size=8192,
    )
    return int(table.open().version)
