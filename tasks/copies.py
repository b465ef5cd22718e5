"""How far apart the encoder of an index puts a picture and a plain copy of it.

Encoders differ in that by a factor of a hundred, so no number says of all of them what is near. A
sample of the index's own pictures is made smaller and compressed anew, as copies are on their way
through the world, and embedded; how far that takes them is what near means.
"""

import io
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from data.indexes import VECTOR, metric_of
from data.lineage import Lineage
from data.manifest import manifest, shard_name
from data.store import Store
from data.tables import rows_at
from models.distances import between, prepared
from models.pixels import MIN_SIDE, decode
from tasks.codebooks import codebooks_of, rows_of
from tasks.measuring.queries import Holding

SAMPLE: Final = 64
"""Pictures that are copied: those of the smallest digests, the same from night to night."""
SCALE: Final = 0.75
"""Sides of a copy by those of its picture."""
QUALITY: Final = 75
"""At which a copy is compressed as JPEG."""
SHARE: Final = 0.95
"""Copies that are to be near to their pictures."""
ROUNDING: Final = {"cosine": 1e-6, "hamming": 0.0, "asmk": 1e-6}
"""What the distance of equal descriptors may be."""


def copy_distance(store: Store, held: Holding, lineage: Lineage) -> float:
    """How far from their pictures `SHARE` of the copies lie at most, in the metric of the index.

    Args:
        store: has the pictures and the encoder.
        held: the rows of the index version.
        lineage: of that version.

    Raises:
        FileNotFoundError: the dataset version or the encoder is not in the store any more.
    """
    metric = metric_of(held.dataset.schema)
    places = np.unique(held.images, return_index=True)[1][:SAMPLE]
    if not len(places):
        return ROUNDING[metric]
    import torch

    from tasks.training.train import load_encoder

    rows = rows_at(held.dataset, places.tolist(), ["digest", VECTOR])
    contents = dict(_contents(store, lineage, rows["digest"].combine_chunks()))
    embedder = load_encoder(store, lineage.encoder)
    copies = [embedder.pixels(copied(contents[digest])) for digest in rows["digest"].to_pylist()]
    described = embedder.describe(embedder.features(torch.stack(copies)))
    if books := codebooks_of(held.dataset):  # what is compared is always two rows
        described = books.decoded(books.encoded(described))
    stored = rows_of(held.dataset, rows[VECTOR])
    ours, theirs = (prepared(each, metric) for each in (stored, described))
    apart = np.sort(np.diagonal(between(ours, theirs, metric)))
    return max(float(apart[int(np.ceil(SHARE * len(apart))) - 1]), ROUNDING[metric])


def copied(content: bytes) -> bytes:
    """A copy of the picture in CONTENT: smaller by `SCALE` where it can be, compressed anew."""
    picture = Image.fromarray(decode(content))
    size = [max(MIN_SIDE, round(side * SCALE)) for side in picture.size]
    out = io.BytesIO()
    picture.resize((size[0], size[1]), Image.Resampling.BICUBIC).save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _contents(store: Store, lineage: Lineage, digests: pa.Array) -> Iterator[tuple[str, bytes]]:
    """Each of DIGESTS with the bytes it stands for; one whose bytes lie twice may come twice."""
    table, columns = manifest(store, lineage.dataset), ["digest", "shard", "offset", "length"]
    for batch in table.stream(columns, version=lineage.dataset_version):
        for row in batch.filter(pc.is_in(batch["digest"], value_set=digests)).to_pylist():
            name = shard_name(lineage.dataset, row["shard"])
            yield row["digest"], store.read_range(name, row["offset"], row["length"])
