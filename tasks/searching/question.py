"""What an index is asked, and the forms a query may have: how each becomes a descriptor.

A further form of query is one function and one line of `FORMS` here, and in `flows.cli.asked` the
option by which a person says it (`asked_with`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from data.conditions import Where
from data.cutouts import cutouts
from data.regions import part_of
from data.taxonomy import choose
from models.pixels import BadImage
from models.reranking import Reranking
from models.scales import check_scales, refusal

if TYPE_CHECKING:
    import torch

    from tasks.searching.search import Searcher

Vectors = np.ndarray[Any, np.dtype[Any]]

REAL: Final = "real"
"""The form of an image that is not made into bits before it asks."""


@dataclass(frozen=True)
class Query:
    """One thing that an index is asked with.

    Args:
        form: what it is made of, a word of `FORMS`.
        content: what that form takes.
        said: what a person calls it, its file say; empty where nobody named it.
        scales: shares of the encoder's side at which a picture is described, the mean of its
            descriptors asks; none: at its side alone.

    Raises:
        ValueError: a scale is out of range.
    """

    form: str
    content: Any
    said: str = ""
    scales: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_scales(self.scales)

    @classmethod
    def of(cls, content: "Query | bytes | Vectors") -> "Query":
        """CONTENT as a query: it is one, or an image's bytes, or a descriptor."""
        if isinstance(content, Query):
            return content
        return cls("image" if isinstance(content, bytes) else "descriptor", content)


@dataclass(frozen=True)
class Form:
    """A form of query.

    Args:
        about: what its content is.
        describe: (the index that is asked, queries of this form) -> their descriptors (Q, width),
            as the index stores them; raises what says to a person what is wrong with a query.
        picture: the file that such a query shows, for re-rankings that look at pictures; None
            where it shows none.
        sized: whether what it is made of has a size, and so may ask at several scales.
    """

    about: str
    describe: "Callable[[Searcher, Sequence[Query]], Vectors]"
    picture: Callable[[Query], bytes | None] = lambda query: None
    sized: bool = True


@dataclass(frozen=True)
class Question:
    """What an index is asked at once, and which rows are to answer; `Searcher.ask` answers.

    Args:
        like: the queries; of several, rows stand by the mean of their similarities to them. None
            where AMONG is said: then rows come first that are typical of those it leaves.
        unlike: queries of what is not wanted: the mean of similarities to them, times BETA, is
            taken off.
        beta: how much they count.
        k: how many rows answer at most.
        offset: rows to leave out from the front, for the next page.
        exact: compare with every row, whatever ANN index there is.
        radius: leave out rows at a greater Hamming distance, and compare with every row.
        apart: leave out rows that are this near, or nearer, to one that stands before them.
        among: which rows may answer, as `data.where` reads it; all if None.
        rerank: steps that put the first rows into a better order; see `tasks.searching.rerank`.
        depth: how many rows they look at; no others answer.

    Raises:
        ValueError: a number is out of range, or nothing is asked with.
    """

    like: tuple[Query, ...] = ()
    unlike: tuple[Query, ...] = ()
    beta: float = 0.5
    k: int = 10
    offset: int = 0
    exact: bool = False
    radius: int | None = None
    apart: float | None = None
    among: Where | None = None
    rerank: tuple[Reranking, ...] = ()
    depth: int = 100

    def __post_init__(self) -> None:
        if not self.like and self.among is None:
            raise ValueError("Nothing is asked with: a question has a query, or says among what.")
        if self.k < 1:
            raise ValueError(f"k must be at least 1, not {self.k}.")
        numbers = {"offset": self.offset, "radius": self.radius, "beta": self.beta}
        for name, number in (numbers | {"apart": self.apart}).items():
            if number is not None and not 0 <= number < math.inf:
                raise ValueError(f"{name} must not be negative, but is {number:g}.")
        if self.radius is not None and self.unlike:
            raise ValueError(
                "A radius counts the bits between a row and what is sought: leave it out, or what "
                "is not wanted."
            )
        if self.rerank and self.offset + self.k > self.depth:
            raise ValueError(
                f"{self.depth} rows are re-ranked, and {self.offset + self.k} are asked for: raise "
                "the depth."
            )

    @property
    def several(self) -> bool:
        """Whether rows stand by more than their distance from one query."""
        return len(self.like) != 1 or bool(self.unlike)


class BadQuery(BadImage):
    """The bytes of a query cannot be used as a picture; says of which."""

    def __init__(self, query: Query, why: BadImage) -> None:
        super().__init__(why.reason, why.detail)
        self.said = query.said

    def __str__(self) -> str:
        return f"{self.said or 'The query'} cannot be searched for: {super().__str__()}"


def descriptors(searcher: "Searcher", queries: Sequence[Query]) -> Vectors:
    """The descriptors (Q, width) of QUERIES, in their order, as the index of SEARCHER stores them.

    Of no queries they are no rows.

    Raises:
        BadQuery: one of them is an image that cannot be used.
        ValueError: a form is unknown, a descriptor is not of the index's width, or what has no size
            or no mean is to ask at scales.
    """
    if any(query.scales for query in queries) and (why := refusal(searcher.metric)):
        raise ValueError(f"{searcher.lineage.table} holds visual words: {why}")
    found: dict[int, Vectors] = {}
    for word in dict.fromkeys(query.form for query in queries):
        form = choose(FORMS, word, "form of query")
        places = [place for place, query in enumerate(queries) if query.form == word]
        if not form.sized and any(queries[place].scales for place in places):
            raise ValueError(
                f"A query that is {form.about} has no size at which it could be seen: leave the "
                "scales out."
            )
        rows = form.describe(searcher, [queries[place] for place in places])
        found |= dict(zip(places, rows, strict=True))
    if not found:
        return np.empty((0, searcher.width), searcher.kind)
    return np.stack([found[place] for place in range(len(queries))])


def _images(searcher: "Searcher", queries: Sequence[Query]) -> Vectors:
    """The descriptors of queries whose content is an image's bytes."""
    return searcher.embedder.describe(_features(searcher, queries))


def _reals(searcher: "Searcher", queries: Sequence[Query]) -> Vectors:
    """The features (Q, D) of images, before they would become descriptors."""
    return np.asarray(_features(searcher, queries).numpy(), np.float32)


def _features(searcher: "Searcher", queries: Sequence[Query]) -> "torch.Tensor":
    """The features (Q, D) of queries whose content is an image's bytes."""
    import torch

    embedder = searcher.embedder
    found: dict[int, torch.Tensor] = {}
    pixels: dict[int, torch.Tensor] = {}
    for place, query in enumerate(queries):
        try:
            if query.scales:
                found[place] = embedder.at_scales([query.content], query.scales)[0]
            else:
                pixels[place] = embedder.pixels(query.content)
        except BadImage as error:
            raise BadQuery(query, error) from error
    if pixels:
        features = embedder.features(torch.stack(list(pixels.values())))
        found |= zip(pixels, features, strict=True)
    return torch.stack([found[place] for place in range(len(queries))])


def _sketches(searcher: "Searcher", queries: Sequence[Query]) -> Vectors:
    """The descriptors of queries whose content is a drawing's bytes, as a clean sheet."""
    from tasks.searching.sketch import clean_sheet

    sheets: list[Query] = []
    for query in queries:
        try:
            sheets.append(replace(query, content=clean_sheet(query.content)))
        except BadImage as error:
            raise BadQuery(query, error) from error
        except ValueError as error:
            name = query.said or "The query"
            raise ValueError(f"{name} cannot be searched for: {error}.") from error
    return _images(searcher, sheets)


def _regions(searcher: "Searcher", queries: Sequence[Query]) -> Vectors:
    """The descriptors of queries whose content is an image's bytes and a region of it."""
    parts = []
    for query in queries:
        said = part_of(query.said, query.content[1]) if query.said else ""
        parts.append(replace(query, form="image", content=_shown(query), said=said))
    return _images(searcher, parts)


def _shown(query: Query) -> bytes:
    """What the region of QUERY shows, as a file."""
    content, region = query.content
    return next(cutouts(content, [region]))


def _texts(searcher: "Searcher", queries: Sequence[Query]) -> Vectors:
    """The descriptors of queries whose content is words, by the tower for text of the encoder."""
    embedder = searcher.embedder
    described: Vectors = embedder.describe(embedder.read([query.content for query in queries]))
    return described


def _descriptors(searcher: "Searcher", queries: Sequence[Query]) -> Vectors:
    """The contents of queries that are descriptors already."""
    for query in queries:
        if query.content.shape != (searcher.width,):
            raise ValueError(
                f"A query descriptor must be ({searcher.width},) but is {query.content.shape}: "
                f"was it made with encoder {searcher.lineage.encoder[:12]}?"
            )
    return np.stack([query.content for query in queries])


FORMS: Final[Mapping[str, Form]] = {
    "image": Form("an image's bytes", _images, lambda query: bytes(query.content)),
    "sketch": Form("a drawing's bytes, of whatever pen and paper", _sketches),
    "region": Form("an image's bytes, and a region of it that asks", _regions, _shown),
    REAL: Form(
        "an image's bytes, whose real numbers ask an index of binary codes",
        _reals,
        lambda query: bytes(query.content),
    ),
    "text": Form("words that say what is to be seen", _texts, sized=False),
    "descriptor": Form("a descriptor (width,) of the index's encoder", _descriptors, sized=False),
}
"""By the word that a `Query` says."""
