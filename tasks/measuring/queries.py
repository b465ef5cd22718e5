"""What an index is asked when it is measured: the same queries night after night, and their truth.

*Labels*: images of the index are the queries, images that share a label the answers; the query's
own image, and byte-identical copies of it, are left out. *Known item*: altered copies of images of
the index are the queries, and the image itself is the one answer; needs no labels.
"""

import binascii
import hashlib
import io
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image, ImageEnhance, ImageFilter

from data.indexes import VECTOR, codes_of, encoder_of, vectors_of
from data.probing import Probing
from data.store import Store
from data.tables import rows_at
from tasks.measuring.made import Load, Made, asking_with, described

if TYPE_CHECKING:
    from models.weights import Embedder

Array = np.ndarray[Any, np.dtype[Any]]
Protocol = Literal["labels", "known_item"]

COPY: Final = "nightjar known item 1"
"""Names the way in which `altered` alters, in the digest that a copy's descriptor goes by."""
COPY_SIDE: Final = 256
"""Least side, in pixels, of the picture that is altered."""


@dataclass(frozen=True)
class Holding:
    """Which images an index version holds, in the order of its rows: eighteen bytes a row.

    Args:
        dataset: the index version.
        rows: (N,) uint64, the rows' stable ids: a row that another version of the table has too is
            the same in it, word by word.
        images: (N,) uint64, the rows' `fingerprints`.
        split: (N,) bool, rows of the query split; all False where there is none.
        labelled: (N,) bool, rows with a label.
        probing: how its ANN index is asked, where that was tuned.
    """

    dataset: lance.LanceDataset
    rows: Array
    images: Array
    split: Array
    labelled: Array
    probing: Probing | None = None


@dataclass(frozen=True)
class Queries:
    """What is asked of one index version.

    Args:
        protocol: decides what counts as an answer.
        keys: the query images' keys, Q.
        images: their fingerprints (Q,) uint64.
        labels: their labels.
        vectors: (Q, width) their descriptors, or those of their copies, by the index's encoder.
    """

    protocol: Protocol
    keys: tuple[str, ...]
    images: Array
    labels: tuple[tuple[str, ...], ...]
    vectors: Array


def fingerprints(digests: pa.Array | pa.ChunkedArray) -> Array:
    """The first eight bytes of DIGESTS (64 hex digits each), as (N,) uint64.

    Two of five million images share theirs with probability 7e-7.
    """
    first = pc.utf8_slice_codeunits(digests.cast(pa.string()), 0, 16)
    chunks = first.chunks if isinstance(first, pa.ChunkedArray) else [first]
    raw = b"".join(
        binascii.unhexlify(memoryview(chunk.buffers()[2])[: 16 * len(chunk)])
        for chunk in chunks
        if len(chunk)
    )
    return np.frombuffer(raw, ">u8").astype(np.uint64)


def holding(
    dataset: lance.LanceDataset, split: str | None, probing: Probing | None = None
) -> Holding:
    """The images of the index version DATASET; streams three small columns."""
    rows, images = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    asked, labelled = [np.empty(0, bool)], [np.empty(0, bool)]
    columns = ["digest", "split", "labels"]
    for batch in dataset.scanner(columns, with_row_id=True).to_batches():
        rows.append(batch["_rowid"].to_numpy())
        images.append(fingerprints(batch["digest"]))
        asked.append(in_split(batch["split"], split))
        lengths = pc.fill_null(pc.list_value_length(batch["labels"]), 0)
        labelled.append(lengths.to_numpy(zero_copy_only=False) > 0)
    whole = [np.concatenate(parts) for parts in (rows, images, asked, labelled)]
    return Holding(dataset, whole[0], whole[1], whole[2], whole[3], probing)


def in_split(column: pa.Array, split: str | None) -> Array:
    """Which rows of the `split` COLUMN are of the query split SPLIT, (N,) bool."""
    if split is None:
        return np.zeros(len(column), bool)
    mask: Array = pc.fill_null(pc.equal(column, split), False).to_numpy(zero_copy_only=False)
    return mask


def picked(held: Holding, among: Array | None, split: str | None, queries: int) -> Array:
    """The fingerprints of the query images, ascending: those of the smallest digests that may ask.

    A digest is as good as a draw of lots, and one that falls the same way every night: an image
    stays a query for as long as it is in the index.

    Args:
        held: what the index holds.
        among: fingerprints of the images to choose from; all if None.
        split: whether only rows of the query split may ask.
        queries: how many at most.
    """
    may = np.ones(len(held.images), bool) if split is None else held.split.copy()
    if among is not None:
        may &= np.isin(held.images, among)
    return np.unique(held.images[may])[:queries]


def label_queries(held: Holding, images: Array) -> Queries:
    """The rows of IMAGES, which HELD holds, as queries with the descriptors that are stored."""
    rows = _rows(held, images, ["key", "digest", "labels", VECTOR])
    return _queries("labels", rows, vectors_of(rows[VECTOR]))


def network_queries(
    store: Store, dataset: str, held: Holding, images: Array, load: Load
) -> tuple[Queries, int]:
    """The rows of IMAGES as queries by what the network makes of them, and how many it had to see.

    That is how images ask whose rows do not say it: `data.indexes.asks_anew`.
    """
    rows = _rows(held, images, ["key", "digest", "labels"])
    digests, schema = rows["digest"].to_pylist(), held.dataset.schema
    vectors, fresh = asking_with(
        store, dataset, digests, encoder_of(schema), codes_of(schema), load
    )
    return _queries("labels", rows, np.stack([vectors[digest] for digest in digests])), fresh


def copy_queries(
    store: Store, dataset: str, held: Holding, images: Array, embedder: "Embedder"
) -> tuple[Queries, int]:
    """Altered copies of IMAGES as queries, and how many of them had to be embedded.

    Their descriptors are kept in the encoder's cache beside those of images, under the digest of
    what they are copies of, so the next night embeds those of new query images alone.
    """
    rows = _rows(held, images, ["key", "digest", "labels"])
    copies = {
        copy_name(digest): Made(digest, partial(_copied, seed=int(digest[:16], 16)))
        for digest in rows["digest"].to_pylist()
    }
    vectors, fresh = described(store, dataset, copies, embedder, "known-item")
    asked = np.stack([vectors[name] for name in copies])
    return _queries("known_item", rows, asked), fresh


def copy_name(digest: str) -> str:
    """The digest under which the descriptor of the altered copy of image DIGEST is kept."""
    return hashlib.sha256(f"{COPY}/{digest}".encode()).hexdigest()


def altered(picture: Image.Image, seed: int) -> bytes:
    """A copy of PICTURE as a person might meet it elsewhere, as JPEG; the same for the same SEED.

    Cropped to 60 to 90 % of its area, made 30 to 70 % smaller, up to a quarter brighter or darker,
    blurred by up to a pixel, and compressed at a quality of 40 to 75.
    """
    draw = np.random.default_rng(seed)
    width, height = picture.size
    side = float(np.sqrt(draw.uniform(0.6, 0.9)))
    wide, high = max(1, round(width * side)), max(1, round(height * side))
    left, top = int(draw.integers(width - wide + 1)), int(draw.integers(height - high + 1))
    scale = float(draw.uniform(0.3, 0.7))
    # a copy smaller than this would be refused as a picture that shows nothing
    size = max(32, round(wide * scale)), max(32, round(high * scale))
    copy = picture.crop((left, top, left + wide, top + high))
    copy = copy.resize(size, Image.Resampling.BICUBIC)
    copy = ImageEnhance.Brightness(copy).enhance(float(draw.uniform(0.75, 1.25)))
    copy = copy.filter(ImageFilter.GaussianBlur(float(draw.uniform(0.0, 1.0))))
    out = io.BytesIO()
    copy.save(out, "JPEG", quality=int(draw.integers(40, 76)))
    return out.getvalue()


def _copied(content: bytes, side: int, seed: int) -> bytes:
    """The altered copy of the picture in CONTENT, of which SIDE pixels a side are enough."""
    from models.pixels import Transform

    whole = Transform(size=max(COPY_SIDE, side), fit="squash")
    return altered(Image.fromarray(whole(content).permute(1, 2, 0).numpy()), seed)


def _rows(held: Holding, images: Array, columns: list[str]) -> pa.Table:
    """COLUMNS of one row of each of IMAGES, in their order."""
    order = np.argsort(held.images, kind="stable")
    places = order[np.searchsorted(held.images, images, sorter=order)]
    return rows_at(held.dataset, places.tolist(), columns)


def _queries(protocol: Protocol, rows: pa.Table, vectors: Array) -> Queries:
    return Queries(
        protocol=protocol,
        keys=tuple(rows["key"].to_pylist()),
        images=fingerprints(rows["digest"]),
        labels=tuple(tuple(labels or ()) for labels in rows["labels"].to_pylist()),
        vectors=vectors,
    )
