"""Descriptors of what is asked besides stored pictures: altered copies, cut-out boxes, sentences.

They are kept in the encoder's cache beside those of images, each under a digest that says what was
made of which image, so that a night embeds what it has not asked before, and nothing else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.descriptors import DescriptorCache, descriptor_schema
from data.indexes import VECTOR, vectors_of
from data.manifest import manifest, shard_name
from data.plan import digest_of
from data.store import Store

if TYPE_CHECKING:
    import torch

    from models.weights import Embedder

Array = np.ndarray[Any, np.dtype[Any]]

Load = Callable[[Store, str], "Embedder"]

AT_ONCE: Final = 32
"""Pictures that are embedded together."""
READ_AT_ONCE: Final = 512
"""Sentences that are."""
ASKING: Final = "nightjar query 1"
"""Stands before an image's digest in the digest that what asks with it goes by, where the row of
the image is a learned code."""
SENTENCE: Final = "nightjar sentence 1"
"""Stands before a sentence in the digest that its descriptor goes by."""


@dataclass(frozen=True)
class Made:
    """A picture that is made of an image.

    Args:
        digest: of the image.
        make: its file, from the image's bytes and the side, in pixels, that the encoder will see.
    """

    digest: str
    make: Callable[[bytes, int], bytes]


def described(
    store: Store,
    dataset: str,
    pictures: Mapping[str, Made],
    embedder: "Embedder",
    what: str,
    scales: Sequence[float] = (),
) -> tuple[dict[str, Array], int]:
    """The descriptors of PICTURES by their names, and how many had to be embedded.

    Args:
        store: holds the images' bytes and the cache.
        dataset: whose images they are.
        pictures: by the digest under which the descriptor is kept.
        embedder: makes descriptors.
        what: a word for the name of the cache's part.
        scales: shares of the encoder's side at which each is embedded, their mean its descriptor;
            none: at its side alone.
    """
    cache = DescriptorCache(store, embedder.digest)
    vectors = _cached(cache, list(pictures))
    missing = {name: one for name, one in pictures.items() if name not in vectors}
    if missing:
        part = f"{what}-{digest_of(sorted(missing))[:32]}"
        cache.write(part, _embedded(store, dataset, missing, embedder, scales))
        vectors |= _cached(cache, list(missing))
    return vectors, len(missing)


def whole(content: bytes, side: int) -> bytes:
    """The picture in CONTENT as it is; SIDE, of what the encoder will see, decides nothing."""
    return content


def asking_with(
    store: Store, dataset: str, digests: Sequence[str], encoder: str, codes: str, load: Load
) -> tuple[dict[str, Array], int]:
    """What the images of DIGESTS ask with, by them, and how many had to be embedded.

    That is what the network of ENCODER makes of them. The row of an image may hold less, the words
    of codebooks, or a code that was learned from its labels, of which no query may know.

    Args:
        store: holds the images' bytes and the cache.
        dataset: whose images they are.
        digests: of the images.
        encoder: its digest.
        codes: that of the codes of single pictures which it has learned; empty: of none.
        load: gives the encoder, where the cache lacks some.
    """
    names = {one: digest_of([ASKING, one]) if codes else one for one in digests}
    vectors, fresh = _cached(DescriptorCache(store, encoder), list(names.values())), 0
    if len(vectors) < len(names):
        pictures = {name: Made(digest, whole) for digest, name in names.items()}
        vectors, fresh = described(store, dataset, pictures, load(store, encoder), "query")
    return {digest: vectors[name] for digest, name in names.items()}, fresh


def features_of(
    store: Store, dataset: str, pictures: Mapping[str, Made], embedder: "Embedder"
) -> dict[str, Array]:
    """The features (D,) float32 of PICTURES by their names, before they are made into what is kept.

    They are kept nowhere, so each time costs as many embeddings.

    Args:
        store: holds the images' bytes.
        dataset: whose images they are.
        pictures: by any name.
        embedder: makes features.
    """
    found: dict[str, Array] = {}
    for names, features in _looked_at(store, dataset, pictures, embedder):
        found |= zip(names, features.numpy(), strict=True)
    return found


def read(store: Store, texts: Sequence[str], embedder: "Embedder") -> tuple[dict[str, Array], int]:
    """The descriptors of TEXTS by themselves, and how many had to be read.

    Raises:
        NoText: the encoder has no tower for text.
    """
    names = {digest_of([SENTENCE, text]): text for text in texts}
    cache = DescriptorCache(store, embedder.digest)
    vectors = _cached(cache, list(names))
    missing = sorted(name for name in names if name not in vectors)
    tables = []
    for start in range(0, len(missing), READ_AT_ONCE):
        group = missing[start : start + READ_AT_ONCE]
        features = embedder.read([names[name] for name in group], lenient=True)
        tables.append(_part(group, embedder.describe(features), embedder))
    if tables:
        cache.write(f"sentences-{digest_of(missing)[:32]}", pa.concat_tables(tables))
        vectors |= _cached(cache, missing)
    return {text: vectors[name] for name, text in names.items()}, len(missing)


def _cached(cache: DescriptorCache, names: list[str]) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for batch in cache.read(pa.array(names, pa.string())):
        found |= zip(batch["digest"].to_pylist(), vectors_of(batch[VECTOR]), strict=True)
    return found


def _embedded(
    store: Store,
    dataset: str,
    pictures: Mapping[str, Made],
    embedder: "Embedder",
    scales: Sequence[float],
) -> pa.Table:
    """The descriptors of PICTURES, at SCALES, as a part of the cache."""
    tables = []
    for names, features in _looked_at(store, dataset, pictures, embedder, scales):
        tables.append(_part(names, embedder.describe(features), embedder))
    return pa.concat_tables(tables)


def _looked_at(
    store: Store,
    dataset: str,
    pictures: Mapping[str, Made],
    embedder: "Embedder",
    scales: Sequence[float] = (),
) -> Iterator[tuple[list[str], "torch.Tensor"]]:
    """Names of PICTURES, so many `AT_ONCE`, and their features (n, D) at SCALES."""
    import torch

    contents = _contents(store, dataset, {one.digest for one in pictures.values()})
    side = embedder.spec.transform.size
    of_image: dict[str, list[str]] = {}
    for name, one in pictures.items():
        of_image.setdefault(one.digest, []).append(name)
    pending = [
        (name, pictures[name].make(content, side))
        for digest, content in contents
        for name in of_image[digest]
    ]
    for start in range(0, len(pending), AT_ONCE):
        group = pending[start : start + AT_ONCE]
        files = [content for _, content in group]
        if scales:
            features = embedder.at_scales(files, scales)
        else:
            features = embedder.features(torch.stack([embedder.pixels(file) for file in files]))
        yield [name for name, _ in group], features


def _part(names: Sequence[str], vectors: Array, embedder: "Embedder") -> pa.Table:
    """VECTORS, which EMBEDDER made, under NAMES, as rows of the cache."""
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1), embedder.value_type)
    return pa.table(
        {
            "digest": list(names),
            VECTOR: pa.FixedSizeListArray.from_arrays(flat, embedder.width),
            "reason": [""] * len(names),
            "decoder": [""] * len(names),
        },
        schema=descriptor_schema(embedder.value_type, embedder.width),
    )


def _contents(store: Store, dataset: str, digests: set[str]) -> Iterator[tuple[str, bytes]]:
    """The bytes of each image of DIGESTS."""
    wanted = pa.array(sorted(digests), pa.string())
    columns = ["digest", "shard", "offset", "length"]
    seen: set[str] = set()
    for batch in manifest(store, dataset).open().scanner(columns).to_batches():
        for row in batch.filter(pc.is_in(batch["digest"], value_set=wanted)).to_pylist():
            if row["digest"] in seen or not row["shard"]:
                continue
            seen.add(row["digest"])
            name = shard_name(dataset, row["shard"])
            yield row["digest"], store.read_range(name, row["offset"], row["length"])
