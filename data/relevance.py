"""What answers a query is a fact of the data: a shared label, a listed key, the same pair.

A query is looked up by *terms*: labels, or the keys of listed answers. Rows of a database that have
a term are found by an index of terms, so that many queries against many rows cost what they have in
common, and no more.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.hierarchy import Parents, groups_of, path_of
from data.protocols.base import Own, Protocol, Relevance
from data.regions import image_keys, parted

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Kind:
    """How one `Relevance` is told.

    Args:
        by: what a term is: a label of the row, a group of a tree that one of its labels is in (the
            label itself is the lowest of them), or its key.
        graded: whether each shared term counts one; else one is enough.
        refusal: why pictures cannot ask, as the end of a sentence; empty where they can.
    """

    by: Literal["labels", "groups", "key"] = "labels"
    graded: bool = False
    refusal: str = ""


RELEVANCES: Final[Mapping[Relevance, Kind]] = {
    "same_label": Kind(),
    "shared_label": Kind(graded=True),
    "hierarchical": Kind(by="groups", graded=True),
    "listed": Kind(by="key"),
    "same_pair": Kind(),
    "judged": Kind(
        refusal="is judged by people, for the words of each query among some pictures alone, and "
        "no measure looks at those alone yet. Choose a protocol whose relevance is caption."
    ),
    "caption": Kind(by="key"),
}
"""Every relevance that a protocol may name; of a pair, the label is its name, and of a caption the
key is that of its picture, or its own."""


@dataclass(frozen=True)
class Question:
    """What is known of a query: its key, labels and tags."""

    key: str
    labels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Truth:
    """What answers each of Q queries, and what is to be left out of its answers.

    Args:
        kind: how it is told.
        answers: terms of each query.
        out: keys of pictures that are no answer of each query, no part of them: its own, and junk.
        parents: the tree, where terms are groups of one. Of two pictures with a label each the
            groups that both are in are as many as the lowest of them is deep.
    """

    kind: Kind
    answers: tuple[tuple[str, ...], ...]
    out: tuple[tuple[str, ...], ...]
    parents: Parents = field(default_factory=dict)

    @property
    def top(self) -> int:
        """The highest grade that a row can have, at least 1."""
        return max([1, *map(len, self.answers)]) if self.kind.graded else 1

    def of(self, queries: Sequence[int]) -> "Truth":
        """The truth of some of the QUERIES."""
        answers, out = ([of[query] for query in queries] for of in (self.answers, self.out))
        return Truth(self.kind, tuple(answers), tuple(out), self.parents)

    def among(self, keys: pa.Array, labels: pa.Array) -> "Judged":
        """The truth over a database of N rows, given their KEYS (N) and LABELS (N, lists).

        What is said of a picture by its key is said of its parts, where these are rows.
        """
        keys = image_keys(keys)
        if self.kind.by == "key":
            terms, rows = keys, np.arange(len(keys))
        elif self.kind.by == "groups":
            terms, rows = groups_of(labels, self.parents)
        else:
            terms = pc.list_flatten(labels)
            rows = pc.list_parent_indices(labels).to_numpy(zero_copy_only=False)
        return Judged(
            self,
            len(keys),
            _Postings.of(self.answers, terms, rows),
            _Postings.of(self.out, keys, np.arange(len(keys))),
        )


def truth_of(protocol: Protocol, questions: Sequence[Question], count: Set[str] | None) -> Truth:
    """What answers QUESTIONS by PROTOCOL.

    Args:
        protocol: says which relevance, and what becomes of a query's own picture.
        questions: the queries.
        count: the labels that count; all where None.

    Raises:
        ValueError: pictures cannot ask; says what would do.
    """
    kind = RELEVANCES[protocol.relevance]
    if kind.refusal:
        raise ValueError(f"The relevance {protocol.relevance!r} {kind.refusal}")
    if protocol.relevance == "caption":
        raise ValueError("The relevance 'caption' is asked with sentences: `own_answers` tells it.")
    if kind.by == "key":
        answers = [_listed(one.tags, protocol.answers) for one in questions]
    else:
        answers = [
            tuple(sorted({label for label in one.labels if count is None or label in count}))
            for one in questions
        ]
    if kind.by == "groups":
        answers = [
            tuple(sorted({name for label in labels for name in path_of(label, protocol.parents)}))
            for labels in answers
        ]
    out = [_left_out(one, protocol.own, protocol.junk) for one in questions]
    return Truth(kind, tuple(answers), tuple(out), protocol.parents)


def own_answers(answers: Sequence[tuple[str, ...]]) -> Truth:
    """The truth of queries of captions, of which each is answered by the keys of its ANSWERS."""
    return Truth(RELEVANCES["caption"], tuple(answers), ((),) * len(answers))


@dataclass(frozen=True)
class Judged:
    """A truth over the rows of a database.

    Args:
        truth: of Q queries.
        rows: N.
        answers: which rows have a query's terms.
        out: which rows are no answer.
    """

    truth: Truth
    rows: int
    answers: "_Postings"
    out: "_Postings"

    def grades(self, block: slice) -> Array:
        """How well each row answers each query of BLOCK, (B, N) uint8.

        0 is irrelevant, `Truth.top` the highest grade; one more than that is no answer at all.
        """
        queries = range(len(self.truth.answers))[block]
        found = np.zeros((len(queries), self.rows), np.uint8)
        for row, query in zip(found, queries, strict=True):
            for rows in self.answers.of_query(query):
                row[rows] += 1
            if not self.truth.kind.graded:
                np.minimum(row, 1, out=row)
            for rows in self.out.of_query(query):
                row[rows] = self.truth.top + 1
        return found


@dataclass(frozen=True)
class _Postings:
    """Which rows have each term: those of term t are ``rows[starts[t]:starts[t + 1]]``."""

    terms: Mapping[str, int]
    queries: tuple[tuple[str, ...], ...]
    starts: Array
    rows: Array

    @classmethod
    def of(cls, queries: tuple[tuple[str, ...], ...], terms: pa.Array, rows: Array) -> "_Postings":
        """The postings of what QUERIES name, where each of TERMS stands in the row beside it."""
        names = sorted({term for query in queries for term in query})
        codes = pc.index_in(terms, value_set=pa.array(names, pa.string()))
        codes = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        span = int(rows.max(initial=0)) + 1
        pairs = np.unique((codes * span + rows)[codes >= 0])  # by term, then by row, each once
        starts = np.searchsorted(pairs, np.arange(len(names) + 1) * span)
        return cls({name: n for n, name in enumerate(names)}, queries, starts, pairs % span)

    def of_query(self, query: int) -> Iterable[Array]:
        """The rows of each term of QUERY; a row stands once in each."""
        for term in self.queries[query]:
            place = self.terms[term]
            yield self.rows[self.starts[place] : self.starts[place + 1]]


def _listed(tags: Iterable[str], words: Sequence[str]) -> tuple[str, ...]:
    """The keys in those of TAGS, ``WORD/KEY``, that begin with one of WORDS."""
    pairs = (tag.partition("/") for tag in tags)
    return tuple(sorted({key for word, slash, key in pairs if slash and word in words}))


def _left_out(question: Question, own: Own, junk: Sequence[str]) -> tuple[str, ...]:
    mine = (parted(question.key)[0],) if own == "left_out" else ()
    return mine + _listed(question.tags, junk)
