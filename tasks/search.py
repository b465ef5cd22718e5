"""Search: an image, or its descriptor, in; the nearest rows of one index version out."""

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.aliases import Alias, Pointer
from data.indexes import VECTOR, encoder_of, index_names, index_table, metric_of, nearest
from data.lineage import Lineage, lineage_of, sealed_versions
from data.probing import Probing
from data.store import Store
from tasks.words import Words

if TYPE_CHECKING:
    from models.weights import Embedder

Vectors = np.ndarray[Any, np.dtype[Any]]

ANSWER: Final = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("distance", pa.float32(), nullable=False),
        pa.field("uri", pa.string()),
        pa.field("labels", pa.list_(pa.string())),
    ]
)
"""The columns of an answer: one row a found image, nearest first, ranks from 1."""

_WHOLE: Final = {"hamming": ("packed bits", "uint8"), "asmk": ("visual words", "uint16")}
"""What an index whose descriptors are no real numbers holds, and in which type."""


class MixedEncoders(ValueError):
    """A query of one encoder was put to an index of another."""


class Searcher:
    """One index version, ready to be asked.

    Args:
        store: where it lies.
        table: the index table's name.
        version: a sealed version of it.
        embedder: the index's encoder if it is loaded already; else it is loaded from the store when
            the first image is asked for.
        probing: how its ANN index is asked, where that was tuned: `Alias.probing`.

    Raises:
        FileNotFoundError: there is no such table or version.
        ValueError: the version was never sealed, so nothing says what it holds.
        MixedEncoders: EMBEDDER is not the encoder that made the index.
    """

    def __init__(
        self,
        store: Store,
        table: str,
        version: int,
        embedder: "Embedder | None" = None,
        probing: Probing | None = None,
    ) -> None:
        self.store, self.probing = store, probing
        self.dataset = index_table(store, table).open(version)
        lineage = lineage_of(self.dataset)
        if lineage is None:
            raise ValueError(
                f"Version {version} of {table} was never sealed (a run was cut off there): "
                f"choose from {_sealed(store, table)}."
            )
        self.lineage: Lineage = lineage
        self.metric = metric_of(self.dataset.schema)
        self.width: int = self.dataset.schema.field(VECTOR).type.list_size
        self.rows: int = self.dataset.count_rows()
        _check_encoder(f"{table}@{version}", encoder_of(self.dataset.schema), lineage.encoder)
        if embedder is not None:
            _check_encoder(f"{table}@{version}", lineage.encoder, embedder.digest)
            self.__dict__["embedder"] = embedder

    @cached_property
    def embedder(self) -> "Embedder":
        """The encoder that made the index."""
        from tasks.train import load_encoder

        return load_encoder(self.store, self.lineage.encoder)

    @cached_property
    def words(self) -> Words:
        """The rows of an index of visual words, made ready to be searched."""
        return Words(self.dataset)

    def search(
        self, query: bytes | Vectors, k: int = 10, *, exact: bool = False, offset: int = 0
    ) -> pa.Table:
        """The K nearest rows of QUERY after the first OFFSET, in the columns of `ANSWER`.

        An index of fewer rows answers with all of them.

        Args:
            query: an image's bytes, or a descriptor (width,) of the index's encoder.
            k: how many rows.
            exact: compare with every row, whatever ANN index there is.
            offset: rows to leave out from the front, for the next page.

        Raises:
            BadImage: the query's bytes are no image that could be in an index.
            ValueError: a number or the descriptor is out of range, or the index is empty.
        """
        if offset < 0:
            raise ValueError(f"offset must not be negative, but is {offset}.")
        vector = self.embed([query])[0] if isinstance(query, bytes) else query
        if vector.ndim != 1:
            raise ValueError(
                f"A query descriptor must be ({self.width},) but is {vector.shape}; "
                "search_rows takes many."
            )
        answer = self.search_rows(vector[None], k + offset if k > 0 else k, exact=exact)[0]
        return answer.slice(offset)

    def search_rows(self, vectors: Vectors, k: int = 10, *, exact: bool = False) -> list[pa.Table]:
        """What `search` answers to each of the descriptors VECTORS (Q, width), in their order.

        Raises:
            ValueError: K or a descriptor is out of range, or the index is empty.
        """
        queries = self._checked(vectors, k)
        answers = self._ask(queries, k, exact)
        if not exact:  # an index that probes some partitions may hold back rows that are there
            short = [q for q, answer in enumerate(answers) if len(answer) < min(k, self.rows)]
            for q, answer in zip(short, self._ask(queries[short], k, True), strict=True):
                answers[q] = answer
        return answers

    def embed(self, images: Sequence[bytes]) -> Vectors:
        """The descriptors (Q, width) of IMAGES, as the index stores them.

        Raises:
            BadImage: one of them cannot be decoded.
        """
        import torch

        pixels = torch.stack([self.embedder.pixels(image) for image in images])
        described: Vectors = self.embedder.describe(self.embedder.features(pixels))
        return described

    def _ask(self, queries: Vectors, k: int, exact: bool) -> list[pa.Table]:
        if not len(queries):
            return []
        columns = ["key", "uri", "labels"]
        order = [("_distance", "ascending"), ("key", "ascending")]
        if self.metric == "asmk":
            return [_answer(one.sort_by(order)) for one in self.words.nearest(queries, k, columns)]
        asked = nearest(self.dataset, queries, k, exact, self.probing)
        found = self.dataset.scanner([*columns, "_distance"], nearest=asked).to_table()
        if "query_index" not in found.column_names:
            return [_answer(found.sort_by(order))]
        found = found.sort_by([("query_index", "ascending"), *order])
        ends = np.searchsorted(found["query_index"].to_numpy(), np.arange(len(queries) + 1))
        return [_answer(found[a:b]) for a, b in pairwise(ends)]

    def _checked(self, vectors: Vectors, k: int) -> Vectors:
        """VECTORS in the stored type."""
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise ValueError(
                f"Query descriptors must be (Q, {self.width}) for {self.lineage.table} but are "
                f"{vectors.shape}: were they made with encoder {self.lineage.encoder[:12]}?"
            )
        if self.metric != "cosine":
            holds, kind = _WHOLE[self.metric]
            if vectors.dtype != kind:
                raise ValueError(
                    f"{self.lineage.table} holds {holds}: a query must be {kind}, not "
                    f"{vectors.dtype}."
                )
        elif not np.isfinite(vectors).all():
            raise ValueError("A query descriptor holds NaN or infinite values.")
        if not self.rows:
            raise ValueError(
                f"{self.lineage.table}@{self.lineage.version} is empty: index images first."
            )
        if self.metric == "asmk":
            self.words.check(vectors)
        return vectors.astype(np.float32) if self.metric == "cosine" else vectors


def resolve(store: Store, recipe: str, at: str | None = None) -> tuple[str, int]:
    """The index version (table, version) of RECIPE that AT means.

    Args:
        store: where the indexes lie.
        recipe: a recipe's name.
        at: None or "production"; "@prev", where production pointed before; an index version's
            number; a run; or TABLE@VERSION.

    Raises:
        ValueError: nothing is meant by AT; names what is there.
        FileNotFoundError: the recipe has no production, or production never moved.
    """
    if at is None or at == "production":
        pointer = Alias(store, recipe).current()
        if pointer is None:
            raise FileNotFoundError(
                f"{recipe} has no production version in {store.root} yet: run "
                f"`nightjar reindex {recipe}`, or name a version with --at."
            )
        return pointer.place
    if at == "@prev":
        return previous(store, recipe).place
    known = [
        line
        for name in index_names(store, recipe)
        for line in sealed_versions(index_table(store, name))
    ]
    meant = {(line.table, line.version) for line in known if at in _names(line)}
    production = Alias(store, recipe).current()
    if len(meant) > 1 and production:  # each encoder's table counts its versions from 1
        meant = {place for place in meant if place[0] == production.table} or meant
    if len(meant) == 1:
        return meant.pop()
    if meant:
        several = ", ".join(sorted(f"{table}@{version}" for table, version in meant))
        raise ValueError(f"{at!r} could be any of {several}: name one of them in full.")
    choices = [f"{line.table}@{line.version} (run {line.run})" for line in known[:10]]
    raise ValueError(
        f"{at!r} is no version of {recipe}: choose from "
        f"{', '.join(['production', '@prev', *choices])}."
    )


def previous(store: Store, recipe: str) -> Pointer:
    """Where production of RECIPE pointed before it came to point where it does, if that is kept.

    What was rolled back from is not gone back to: after A, B, C and a rollback to B it is A.

    Raises:
        FileNotFoundError: it never pointed elsewhere, or those versions have been cleaned away.
    """
    gone: list[tuple[str, int]] = []
    for pointer in reversed(Alias(store, recipe).trail()[:-1]):
        try:
            index_table(store, pointer.table).open(pointer.version)
        except FileNotFoundError:
            gone.append(pointer.place)
            continue
        return pointer
    lost = ", ".join(f"{table}@{version}" for table, version in gone)
    raise FileNotFoundError(
        f"{recipe} has no earlier production version to go back to"
        + (f": {lost} was cleaned away." if lost else ".")
    )


def _names(lineage: Lineage) -> tuple[str, str, str]:
    """What a person may call a sealed version."""
    return str(lineage.version), lineage.run, f"{lineage.table}@{lineage.version}"


def _sealed(store: Store, table: str) -> str:
    found = sealed_versions(index_table(store, table))
    return ", ".join(str(lineage.version) for lineage in found) or "nothing yet"


def _check_encoder(index: str, made_by: str, other: str) -> None:
    if made_by != other:
        raise MixedEncoders(
            f"{index} was made by encoder {made_by[:12] or 'unknown'}, the query by "
            f"{other[:12] or 'unknown'}: distances between them mean nothing. Search with the "
            f"index's own encoder, or index the images with the other."
        )


def _answer(found: pa.Table) -> pa.Table:
    return pa.table(
        [
            found["key"],
            pa.array(np.arange(1, len(found) + 1), pa.int32()),
            # Lance rounds: of a row and itself it may say a little less than nothing
            pc.max_element_wise(
                pc.cast(found["_distance"], pa.float32()), pa.scalar(0, pa.float32())
            ),
            found["uri"],
            found["labels"],
        ],
        schema=ANSWER,
    )
