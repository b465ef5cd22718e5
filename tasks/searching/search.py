"""Search: a query in; the nearest rows of one index version out."""

from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.columns import FIELDS
from data.conditions import Where
from data.indexes import VECTOR, encoder_of, index_table, vectors_of
from data.lineage import Lineage, lineage_of
from data.manifest import LIVE, manifest
from data.probing import Probing
from data.store import Store
from models.distances import prepared
from models.reranking import Pictures, check_metric
from tasks.codebooks import type_of, width_of
from tasks.searching.finding import Finder, Vectors
from tasks.searching.question import FORMS, REAL, Query, Question, descriptors
from tasks.searching.refine import First, varied, within
from tasks.searching.rerank import StoredPictures, reranked
from tasks.searching.spaces import MixedEncoders, check_space
from tasks.searching.versions import previous, resolve, sealed_numbers

if TYPE_CHECKING:
    from models.weights import Embedder

__all__ = ["ANSWER", "MixedEncoders", "Searcher", "previous", "resolve"]

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

SCORED: Final = ANSWER.append(pa.field("score", pa.float32(), nullable=False))
"""The columns of an answer whose rows stand by a score, the greatest first. Scores of one answer
can be compared, those of different ones cannot."""

_WHOLE: Final = {"hamming": ("packed bits", "uint8"), "asmk": ("visual words", "uint16")}
"""What an index whose descriptors are no real numbers holds, and in which type."""


class Searcher:
    """One index version, ready to be asked.

    Args:
        store: where it lies.
        table: the index table's name.
        version: a sealed version of it.
        embedder: the index's encoder if it is loaded already, or one that was trained to be
            compatible with it; else it is loaded from the store when the first image is asked for.
        probing: how its ANN index is asked, where that was tuned: `Alias.probing`.

    Raises:
        FileNotFoundError: there is no such table or version.
        ValueError: the version was never sealed, so nothing says what it holds.
        MixedEncoders: EMBEDDER is not the encoder that made the index, nor fits it.
    """

    def __init__(
        self,
        store: Store,
        table: str,
        version: int,
        embedder: "Embedder | None" = None,
        probing: Probing | None = None,
    ) -> None:
        self.store = store
        self.dataset = index_table(store, table).open(version)
        lineage = lineage_of(self.dataset)
        if lineage is None:
            raise ValueError(
                f"Version {version} of {table} was never sealed (a run was cut off there): "
                f"choose from {sealed_numbers(store, table)}."
            )
        self.lineage: Lineage = lineage
        self.finder = Finder(self.dataset, probing=probing)
        self._narrowed: tuple[Where, Finder] | None = None
        self.metric, self.rows = self.finder.metric, self.finder.rows
        self.width, self.kind = width_of(self.dataset), type_of(self.dataset)
        check_space(f"{table}@{version}", encoder_of(self.dataset.schema), lineage.encoder)
        if embedder is not None:
            check_space(f"{table}@{version}", lineage.encoder, embedder.digest, embedder.card)
            self.__dict__["embedder"] = embedder

    @cached_property
    def embedder(self) -> "Embedder":
        """The encoder that made the index."""
        from tasks.training.train import load_encoder

        return load_encoder(self.store, self.lineage.encoder)

    def search(
        self, query: Query | bytes | Vectors, k: int = 10, *, exact: bool = False, offset: int = 0
    ) -> pa.Table:
        """The K nearest rows of QUERY after the first OFFSET, in the columns of `ANSWER`.

        An index of fewer rows answers with all of them.

        Args:
            query: a query of any form, an image's bytes, or a descriptor (width,).
            k: how many rows.
            exact: compare with every row, whatever ANN index there is.
            offset: rows to leave out from the front, for the next page.

        Raises:
            BadQuery: the query's bytes are no image that could be in an index.
            ValueError: a number or the descriptor is out of range, or the index is empty.
        """
        return self.ask(Question((Query.of(query),), k=k, exact=exact, offset=offset))

    def ask(self, question: Question) -> pa.Table:
        """The rows that answer QUESTION, in the columns of `ANSWER`, or of `SCORED`.

        They are of `SCORED` where something else than the distance decides how rows stand.

        Raises:
            BadQuery: a query's bytes are no image that could be in an index.
            ValueError: a descriptor is out of range, the index is empty, or it cannot be asked so.
        """
        self._may(question)
        like = self._checked(descriptors(self, question.like))
        unlike = self._checked(descriptors(self, question.unlike))
        finder = self.among(question.among)
        if not finder.rows:
            return (SCORED if question.several else ANSWER).empty_table()
        first: First = partial(_first, finder, question, like, unlike)
        if question.rerank:
            best = self._reranked(first(question.depth), question, like, unlike)
            first = partial(best.slice, 0)
        wanted = question.offset + question.k
        if question.apart is None:
            found = first(wanted)
        else:
            found = varied(first, wanted, question.apart, self.metric)
        return _answer(found).slice(question.offset)

    def search_rows(self, vectors: Vectors, k: int = 10, *, exact: bool = False) -> list[pa.Table]:
        """What `search` answers to each of the descriptors VECTORS (Q, width), in their order.

        Raises:
            ValueError: K or a descriptor is out of range, or the index is empty.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}.")
        found = self.finder.nearest(self._checked(vectors), k, exact=exact)
        return [_answer(one) for one in found]

    def among(self, condition: Where | None) -> Finder:
        """The rows that satisfy CONDITION; all if it is None.

        Raises:
            FileNotFoundError: it asks for what the manifest alone knows, and the dataset version
                that the index was made of is not kept any more.
        """
        if condition is None:
            return self.finder
        if self._narrowed is None or self._narrowed[0] != condition:
            self._narrowed = condition, self._satisfying(condition)
        return self._narrowed[1]

    def _satisfying(self, condition: Where) -> Finder:
        if condition.listed:
            return self.finder.among(condition.sql())
        dataset, version = self.lineage.dataset, self.lineage.dataset_version
        try:
            said = manifest(self.store, dataset).open(version)
        except FileNotFoundError as error:
            beyond = ", ".join(sorted(n for n in condition.fields if not FIELDS[n].listed))
            raise FileNotFoundError(
                f"Dataset version {version} of {dataset}, of which "
                f"{self.lineage.table}@{self.lineage.version} was made, is not kept any more, and "
                f"it alone knows {beyond}: leave that out, or search a later version."
            ) from error
        wanted = f"state = '{LIVE}' AND ({condition.sql()})"
        keys = said.scanner(["key"], filter=wanted).to_table()["key"]
        return self.finder.keyed(keys.combine_chunks())

    def _reranked(
        self, found: pa.Table, question: Question, like: Vectors, unlike: Vectors
    ) -> pa.Table:
        """FOUND, the first rows of QUESTION, re-ranked as it says."""
        picture = None
        if question.several:
            some = like if len(like) else None
            query = self.among(question.among).aimed(some, unlike, question.beta)[2]
            distances = 1 - prepared(vectors_of(found[VECTOR]), self.metric) @ query
        else:
            query, distances = like[0], found["_distance"].to_numpy()
            asked = question.like[0]
            content = FORMS[asked.form].picture(asked)
            of_row = StoredPictures(self.store, self.lineage, found["key"].to_pylist())
            picture = None if content is None else Pictures(content, of_row)
        return reranked(found, question.rerank, query, distances, self.metric, picture)

    def _may(self, question: Question) -> None:
        """Return if the index can be asked QUESTION."""
        if question.radius is not None and self.metric != "hamming":
            raise ValueError(
                f"{self.lineage.table} compares by {self.metric}: a radius counts differing bits, "
                "and only an index of binary descriptors has them. Leave it out."
            )
        check_metric(question.rerank, self.metric)
        if any(query.form == REAL for query in (*question.like, *question.unlike)):
            self._may_be_real(question)
        if question.several and any(step.wants == "pictures" for step in question.rerank):
            raise ValueError(
                "This re-ranking compares with one picture: ask with each by itself, and with "
                "nothing that is not wanted."
            )
        if question.rerank and question.several and self.metric != "cosine":
            raise ValueError(
                f"Re-ranking compares with one query, and by {self.metric} several have no mean: "
                "ask with each by itself."
            )

    def _may_be_real(self, question: Question) -> None:
        """Return if real numbers can ask QUESTION of the index."""
        if self.metric != "hamming":
            raise ValueError(
                f"{self.lineage.table} compares by {self.metric}: real numbers ask binary codes "
                "otherwise than codes do, and here they would not. Leave it out."
            )
        if question.several or question.rerank or question.radius is not None:
            raise ValueError(
                "Real numbers ask binary codes one picture at a time, without a re-ranking and "
                "without a radius in bits: leave these out."
            )

    def _checked(self, vectors: Vectors) -> Vectors:
        """VECTORS in the stored type; real numbers that ask codes stay what they are."""
        real = self.metric == "hamming" and vectors.dtype == np.float32
        if real and self.rows and vectors.shape[1:] == (8 * self.width,):
            return vectors
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
        if self.metric == "asmk" and len(vectors):
            self.finder.words.check(vectors)
        return vectors.astype(np.float32) if self.metric == "cosine" else vectors


def _first(finder: Finder, question: Question, like: Vectors, unlike: Vectors, n: int) -> pa.Table:
    """The first N rows of FINDER for QUESTION, by the descriptors of its queries."""
    exact = question.exact or question.radius is not None
    if question.several:
        some = like if len(like) else None
        found = finder.combined(some, unlike, question.beta, n, exact=exact)
    else:
        vectors = question.apart is not None or bool(question.rerank)
        found = finder.nearest(like, n, exact=exact, vectors=vectors)[0]
    return found if question.radius is None else within(found, question.radius)


def _answer(found: pa.Table) -> pa.Table:
    columns = [
        found["key"],
        pa.array(np.arange(1, len(found) + 1), pa.int32()),
        # Lance rounds: of a row and itself it may say a little less than nothing
        pc.max_element_wise(pc.cast(found["_distance"], pa.float32()), pa.scalar(0, pa.float32())),
        found["uri"],
        found["labels"],
    ]
    if "_score" in found.column_names:
        return pa.table([*columns, found["_score"]], schema=SCORED)
    return pa.table(columns, schema=ANSWER)
