"""Rows that were learned from labels: what a person has to know of figures that count them."""

import lance
import numpy as np
import pyarrow as pa

from data.indexes import codes_of, encoder_of
from data.store import Store
from tasks.encoders import learned_codes, spec_at
from tasks.measuring.queries import Array, fingerprints


def learned_notes(store: Store, dataset: lance.LanceDataset, images: Array) -> list[str]:
    """How many of the rows that answer know their labels, in a sentence; nothing where none does.

    Args:
        store: holds the encoder of the index.
        dataset: the index version.
        images: (N,) uint64, fingerprints of the images of the rows that answer.

    Raises:
        FileNotFoundError: the learned codes of the encoder are gone.
        ValueError: they are not its own.
    """
    if not codes_of(dataset.schema):
        return []
    encoder = encoder_of(dataset.schema)
    codes = learned_codes(store, encoder, spec_at(store, encoder))
    if codes is None:
        return []
    names = pa.array([name.decode() for name in codes.digests.tolist()], pa.string())
    count = int(np.isin(images, fingerprints(names)).sum())
    return [
        f"{count:,} of the {len(images):,} rows that answer are codes learned from their labels: "
        "numbers of an index whose rows an encoder makes are not to be compared with these."
    ]
