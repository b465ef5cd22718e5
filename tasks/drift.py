"""Rows of an index version held to what its encoder says of their pictures."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.indexes import VECTOR, codes_of, metric_of, vectors_of
from data.lineage import Lineage
from data.manifest import shard_name
from data.store import Store
from data.tables import STREAMED_ROWS, streamed
from models.distances import between, prepared
from models.learned_codes import LearnedCodes
from models.pixels import BadImage
from tasks.codebooks import codebooks_of
from tasks.encoders import codes_name

if TYPE_CHECKING:
    from models.weights import Embedder

DRIFT: Final = {"cosine": 5e-4, "hamming": 0.02, "asmk": 0.1}
"""How far a descriptor made again may lie from the stored one: 1 - likeness, or share of bits.
Another processor or precision moves one by less; another encoder or transform by far more. Of words
of codebooks it is by how much they are farther from it than the nearest ones."""


def learned(
    store: Store, index: lance.LanceDataset, encoder: str
) -> tuple[LearnedCodes | None, tuple[str, ...]]:
    """The codes that are to stand in INDEX, and their file where it is not what INDEX says."""
    said = codes_of(index.schema)
    if not said:
        return None, ()
    width: int = index.schema.field(VECTOR).type.list_size
    try:
        return LearnedCodes.read(store.read(codes_name(encoder)), said, width), ()
    except (FileNotFoundError, ValueError):
        return None, (codes_name(encoder),)


def unlike(index: lance.LanceDataset, codes: LearnedCodes | None) -> set[str]:
    """The keys of rows of INDEX that are not what CODES, where there are some, say of them."""
    found: set[str] = set()
    if codes is None:
        return found
    for batch in streamed(index, ["key", "digest", VECTOR], STREAMED_ROWS):
        vectors = vectors_of(batch[VECTOR])
        wanted = codes.over(batch["digest"].to_pylist(), vectors)
        off = (wanted != vectors).any(axis=1)
        found |= set(batch["key"].filter(pa.array(off)).to_pylist())
    return found


def described_again(
    ask: Any,
    store: Store,
    index: lance.LanceDataset,
    lineage: Lineage,
    embed: int,
    codes: LearnedCodes | None,
    load: "Callable[[Store, str], Embedder] | None",
) -> tuple[set[str], int]:
    """Which of EMBED images, embedded again, are not where the index has them; how many were."""
    import torch

    from tasks.training.train import load_encoder

    embedder = (load or load_encoder)(store, lineage.encoder)
    metric, books = metric_of(index.schema), codebooks_of(index)
    drifted: list[str] = []
    embedded = 0
    for row in _sampled(ask, index, embed):
        try:
            content = store.read_range(
                shard_name(lineage.dataset, row["shard"]), row["offset"], row["length"]
            )
            pixels = embedder.pixels(content)
        except (BadImage, FileNotFoundError):
            drifted.append(row["key"])
            continue
        again = embedder.describe(embedder.features(torch.stack([pixels])))
        if codes is not None:
            again = codes.over([row["digest"]], again)
        stored = np.asarray(row[VECTOR])[None]
        if books:  # half of the square of a distance of unit vectors is their 1 - cos
            apart = float(books.off(again, stored)[0]) / 2
        else:
            apart = float(between(prepared(again, metric), prepared(stored, metric), metric)[0, 0])
        embedded += 1
        if apart > DRIFT[metric] * (8 * stored.shape[1] if metric == "hamming" else 1):
            drifted.append(row["key"])
    return set(drifted), embedded


def _sampled(ask: Any, index: lance.LanceDataset, embed: int) -> Sequence[dict[str, Any]]:
    """EMBED rows of the index, those of the smallest digests, with where their bytes lie."""
    chosen = ask.sql(
        'SELECT held.key AS key, digest, shard, "offset", length '
        "FROM held JOIN live USING (key, digest) "
        f"ORDER BY digest, key LIMIT {int(embed)}"
    ).to_arrow_table()
    keys = chosen["key"].combine_chunks()
    found: dict[str, Any] = {}
    for batch in index.scanner(["key", VECTOR]).to_batches():
        hits = batch.filter(pc.is_in(batch["key"], value_set=keys))
        found |= zip(hits["key"].to_pylist(), vectors_of(hits[VECTOR]), strict=True)
    return [row | {VECTOR: found[row["key"]]} for row in chosen.to_pylist()]
