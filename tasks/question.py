"""What an index is asked with: the forms a query may have, and how each becomes a descriptor.

A further form of query is one function and one line of `FORMS` here, and in `flows.cli.search` the
option by which a person says it (`asked_with`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from data.cutouts import cutouts
from data.regions import part_of
from data.taxonomy import choose
from models.pixels import BadImage

if TYPE_CHECKING:
    from tasks.search import Searcher

Vectors = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Query:
    """One thing that an index is asked with.

    Args:
        form: what it is made of, a word of `FORMS`.
        content: what that form takes.
        said: what a person calls it, its file say; empty where nobody named it.
    """

    form: str
    content: Any
    said: str = ""

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
    """

    about: str
    describe: "Callable[[Searcher, Sequence[Query]], Vectors]"


class BadQuery(BadImage):
    """The bytes of a query cannot be used as a picture; says of which."""

    def __init__(self, query: Query, why: BadImage) -> None:
        super().__init__(why.reason, why.detail)
        self.said = query.said

    def __str__(self) -> str:
        return f"{self.said or 'The query'} cannot be searched for: {super().__str__()}"


def descriptors(searcher: "Searcher", queries: Sequence[Query]) -> Vectors:
    """The descriptors (Q, width) of QUERIES, in their order, as the index of SEARCHER stores them.

    Raises:
        BadQuery: one of them is an image that cannot be used.
        ValueError: a form is unknown, or a descriptor is not of the index's width.
    """
    found: dict[int, Vectors] = {}
    for word in dict.fromkeys(query.form for query in queries):
        form = choose(FORMS, word, "form of query")
        places = [place for place, query in enumerate(queries) if query.form == word]
        rows = form.describe(searcher, [queries[place] for place in places])
        found |= dict(zip(places, rows, strict=True))
    return np.stack([found[place] for place in range(len(queries))])


def _images(searcher: "Searcher", queries: Sequence[Query]) -> Vectors:
    """The descriptors of queries whose content is an image's bytes."""
    import torch

    embedder = searcher.embedder
    pixels: list[torch.Tensor] = []
    for query in queries:
        try:
            pixels.append(embedder.pixels(query.content))
        except BadImage as error:
            raise BadQuery(query, error) from error
    return embedder.describe(embedder.features(torch.stack(pixels)))


def _regions(searcher: "Searcher", queries: Sequence[Query]) -> Vectors:
    """The descriptors of queries whose content is an image's bytes and a region of it."""
    shown = []
    for query in queries:
        content, region = query.content
        part = next(cutouts(content, [region]))
        shown.append(Query("image", part, part_of(query.said, region) if query.said else ""))
    return _images(searcher, shown)


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
    "image": Form("an image's bytes", _images),
    "region": Form("an image's bytes, and a region of it that asks", _regions),
    "descriptor": Form("a descriptor (width,) of the index's encoder", _descriptors),
}
"""By the word that a `Query` says."""
