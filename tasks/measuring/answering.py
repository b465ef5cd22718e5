"""What an index version holds of a protocol's pictures, and how it is asked by its own encoder."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from data.cutouts import shown
from data.indexes import VECTOR, asks_anew, codes_of, encoder_of, metric_of
from data.plan import digest_of
from data.probing import Probing
from data.regions import Region
from data.store import Store
from tasks.codebooks import rows_of, type_of, width_of
from tasks.measuring.depth import Rows
from tasks.measuring.made import Load, Made, asking_with, described, whole
from tasks.measuring.queries import Array, fingerprints
from tasks.measuring.sets import Questions

CROP: Final = "nightjar crop 1"
"""Names the way in which `cut` cuts, in the digest that a cut-out's descriptor goes by."""
SCALED: Final = "nightjar scales 1"
"""Names the way in which descriptors of several scales become one, in the digest of what did."""


@dataclass(frozen=True)
class Answering:
    """What an index version holds of a protocol's pictures, by its own encoder.

    Args:
        dataset: the index version.
        rows: descriptors of the N' pictures of the database that it holds, codes decoded.
        places: (N',) their places in `Questions.database`.
        images: (N',) uint64, their fingerprints.
        vectors: (Q, width) descriptors of the queries, none quantised; zeros where `there` is
            False.
        there: (Q,) bool, queries that it can be asked.
        embedded: pictures that had to be embedded for that.
        probing: how its ANN index is asked, where that was tuned.
    """

    dataset: lance.LanceDataset
    rows: Rows
    places: Array
    images: Array
    vectors: Array
    there: Array
    embedded: int
    probing: Probing | None = None


def answering(
    store: Store,
    dataset: str,
    opened: lance.LanceDataset,
    asked: Questions,
    load: Load,
    scales: Sequence[float] = (),
    probing: Probing | None = None,
) -> Answering:
    """What the index version OPENED holds of what is ASKED; streams its rows once.

    Args:
        store: where all lies.
        dataset: the dataset's name.
        opened: the version.
        asked: queries and database.
        load: gives an encoder by its digest.
        scales: at which queries are embedded; none: as they are stored.
        probing: how the ANN index of the version is asked, where that was tuned.
    """
    width, metric = width_of(opened), metric_of(opened.schema)
    bits = 8 * width if metric == "hamming" else 0
    rows = Rows(min(len(asked.database), opened.count_rows()), width, bits, metric)
    places, images = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    queries = asked.queries["key"].combine_chunks()
    vectors = np.zeros((len(queries), width), type_of(opened))
    there = np.zeros(len(queries), bool)
    for batch in opened.scanner(["key", "digest", VECTOR], batch_size=8192).to_batches():
        held = _places(batch["key"], asked.database)
        some = batch.filter(pa.array(held >= 0))
        if len(some):
            rows.add(rows_of(opened, some[VECTOR]))
            places.append(held[held >= 0])
            images.append(fingerprints(some["digest"]))
        number = _places(batch["key"], queries)
        mine = batch.filter(pa.array(number >= 0))
        if len(mine):
            vectors[number[number >= 0]] = rows_of(opened, mine[VECTOR])
            there[number[number >= 0]] = True
    found = Answering(
        opened, rows, np.concatenate(places), np.concatenate(images), vectors, there, 0, probing
    )
    if asks_anew(opened.schema):
        found = _by_network(store, dataset, found, asked, load)
    if not asked.protocol.crop and (not scales or metric == "asmk"):
        return found
    return _embedded(store, dataset, found, asked, load, scales)


def _by_network(
    store: Store, dataset: str, version: Answering, asked: Questions, load: Load
) -> Answering:
    """VERSION, asked with what its network makes of the queries, which its rows do not say."""
    schema = version.dataset.schema
    digests = asked.queries["digest"].filter(pa.array(version.there)).to_pylist()
    made, fresh = asking_with(store, dataset, digests, encoder_of(schema), codes_of(schema), load)
    vectors = version.vectors.copy()
    for number, digest in zip(np.flatnonzero(version.there), digests, strict=True):
        vectors[number] = made[digest]
    return replace(version, vectors=vectors, embedded=fresh)


def _embedded(
    store: Store,
    dataset: str,
    version: Answering,
    asked: Questions,
    load: Load,
    scales: Sequence[float],
) -> Answering:
    """VERSION, asked with what the box of each query shows, at SCALES.

    A query without a box, or of a protocol that crops none, asks as a whole.
    """
    made: dict[str, Made] = {}
    of_query: dict[int, str] = {}
    columns = (asked.queries[name].to_pylist() for name in ("digest", "boxes"))
    for number, (digest, boxes) in enumerate(zip(*columns, strict=True)):
        box = boxes[0] if boxes and asked.protocol.crop else None
        if version.there[number] and (box or scales):
            box = box and {side: float(box[side]) for side in ("x", "y", "width", "height")}
            said = [SCALED, digest, box, *scales] if scales else [CROP, digest, box]
            name = digest_of(said)
            made[name] = Made(digest, partial(cut, box=box) if box else whole)
            of_query[number] = name
    if not made:
        return version
    embedder = load(store, encoder_of(version.dataset.schema))
    vectors, fresh = described(
        store, dataset, made, embedder, "scales" if scales else "crop", scales
    )
    cut_out = version.vectors.copy()
    for number, name in of_query.items():
        cut_out[number] = vectors[name]
    return replace(version, vectors=cut_out, embedded=version.embedded + fresh)


def _places(keys: pa.Array, among: pa.Array) -> Array:
    """The place of each of KEYS AMONG others, (C,); -1 where it is none of them."""
    found = pc.fill_null(pc.index_in(keys, value_set=among), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int64)


def cut(content: bytes, side: int, box: Mapping[str, float]) -> bytes:
    """What BOX (x, y, width, height in pixels of the stored image) shows of CONTENT, as PNG.

    SIDE, of what the encoder will see, decides nothing.
    """
    out = io.BytesIO()
    shown(Image.open(io.BytesIO(content)), Region.of(box)).save(out, "PNG", compress_level=1)
    return out.getvalue()
