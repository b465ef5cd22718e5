"""Queries that are not described as the rows are: by another encoder, or in more than bits."""

from dataclasses import replace
from typing import Final

import numpy as np

from data.indexes import encoder_of
from data.store import Store
from models.distances import directions_of
from tasks.encoders import the_encoder
from tasks.measuring.answering import Answering
from tasks.measuring.depth import Rows
from tasks.measuring.made import Load, Made, asking_with, features_of, whole
from tasks.measuring.plan import EvaluatePlan
from tasks.measuring.queries import Array
from tasks.measuring.sets import Questions
from tasks.searching.spaces import check_space

CHUNK: Final = 2**16
"""Codes that are made into directions at once."""


def asked_otherwise(
    store: Store,
    dataset: str,
    version: Answering,
    asked: Questions,
    plan: EvaluatePlan,
    load: Load,
) -> Answering:
    """VERSION, asked as PLAN says where that is not by its own descriptors.

    Args:
        store: where all lies.
        dataset: the dataset's name.
        version: what an index version holds of the protocol's pictures.
        asked: the protocol's queries.
        plan: says by which encoder, and whether by real numbers.
        load: gives an encoder by its digest.

    Raises:
        FileNotFoundError: the encoder that is to ask is not in the store.
        MixedEncoders: it was not trained to be compatible with that of the index.
    """
    real = plan.real and version.rows.bits > 0
    if not plan.asked_by and not real:
        return version
    own = encoder_of(version.dataset.schema)
    embedder = load(store, the_encoder(store, plan.asked_by) if plan.asked_by else own)
    check_space("The index", own, embedder.digest, embedder.card)
    digests = asked.queries["digest"].to_pylist()
    asking = [digest for digest, there in zip(digests, version.there, strict=True) if there]
    if real:
        pictures = {digest: Made(digest, whole) for digest in asking}
        vectors = features_of(store, dataset, pictures, embedder)
        fresh, width = len(vectors), version.rows.bits
        version = replace(version, rows=_as_directions(version.rows))
    else:
        vectors, fresh = asking_with(
            store, dataset, asking, embedder.digest, embedder.spec.codes, lambda *_: embedder
        )
        width = version.vectors.shape[1]
    kind = np.float32 if real else embedder.value_type.to_pandas_dtype()
    queries = np.zeros((len(digests), width), kind)
    for number in np.flatnonzero(version.there):
        queries[number] = vectors[digests[number]]
    return replace(version, vectors=queries, embedded=version.embedded + fresh)


def _as_directions(codes: Rows) -> Rows:
    """Binary CODES as rows that real-valued queries are compared with."""
    rows = Rows(codes.count, codes.bits, 0)
    for start in range(0, codes.count, CHUNK):
        words: Array = np.ascontiguousarray(codes.vectors[start : start + CHUNK])
        rows.add(directions_of(words.view(np.uint8)[:, : codes.bits // 8]))
    return rows
