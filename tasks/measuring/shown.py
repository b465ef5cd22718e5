"""What the queries and rows of a protocol show: their files, read when they are looked at."""

import numpy as np
import pyarrow as pa

from data.manifest import LIVE, manifest, shard_name
from data.store import Store
from models.reranking import Pictures
from tasks.measuring.answering import cut
from tasks.measuring.queries import Array, fingerprints
from tasks.measuring.sets import Questions


class Shown:
    """The files of a dataset version, and which of them ask.

    Args:
        store: holds the bytes.
        dataset: whose they are.
        version: of the manifest.
        asked: the queries.
    """

    def __init__(self, store: Store, dataset: str, version: int, asked: Questions) -> None:
        self._store, self._dataset = store, dataset
        rows = (
            manifest(store, dataset)
            .open(version)
            .to_table(["digest", "shard", "offset", "length"], filter=f"state = '{LIVE}'")
        )
        images = fingerprints(rows["digest"])
        order = np.argsort(images, kind="stable")
        self._images, self._rows = images[order], rows.take(pa.array(order))
        self._queries = fingerprints(asked.queries["digest"])
        boxes = asked.queries["boxes"].to_pylist()
        self._boxes = [one[0] if one else None for one in boxes] if asked.protocol.crop else []

    def pictures(self, query: int, images: Array) -> Pictures:
        """What the QUERY of a number shows, and rows of the fingerprints IMAGES."""
        whole = self._bytes(self._queries[query]) or b""
        box = self._boxes[query] if self._boxes else None
        return Pictures(
            cut(whole, 0, box) if whole and box else whole,
            lambda place: self._bytes(images[place]),
        )

    def _bytes(self, image: int) -> bytes | None:
        """The file of an IMAGE; None where the store holds none."""
        place = int(np.searchsorted(self._images, image))
        if place == len(self._images) or self._images[place] != image:
            return None
        row = {name: self._rows[name][place].as_py() for name in ("shard", "offset", "length")}
        if not row["shard"]:
            return None
        name = shard_name(self._dataset, row["shard"])
        return self._store.read_range(name, row["offset"], row["length"])
