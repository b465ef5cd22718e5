"""The verb that asks an index: search."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import show
from flows.cli.app import Json, RecipeOption, app, the_bytes, the_recipe, the_store
from flows.cli.exits import Misuse

if TYPE_CHECKING:
    from tasks.question import Query

Rows = list[dict[str, Any]]


@app.command()
def search(
    recipe: RecipeOption,
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Image files.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many images to find.")] = 10,
    offset: Annotated[
        int, typer.Option(min=0, help="Leave out so many from the front, for the next page.")
    ] = 0,
    at: Annotated[
        str, typer.Option(help="An index version, a run, or @prev; production if left out.")
    ] = "production",
    exact: Annotated[bool, typer.Option("--exact", help="Compare with every row.")] = False,
    json: Json = False,
) -> None:
    """Find the images most like IMAGE; of several, those most like each."""
    queries = asked_with(images or ())
    name, store = the_recipe(recipe).name, the_store()
    from models.pixels import BadImage
    from tasks.search import Searcher
    from tasks.versions import resolve

    searcher = Searcher(store, *resolve(store, name, at))
    try:
        answers: list[Rows] = [
            searcher.search(query, k, exact=exact, offset=offset).to_pylist() for query in queries
        ]
    except BadImage as error:
        raise Misuse(str(error)) from error
    tell([query.said for query in queries], answers, json)


def asked_with(images: Sequence[str]) -> "list[Query]":
    """What a person asks with: here a form of `tasks.question.FORMS` gets its option.

    Raises:
        Misuse: it is nothing, or a file cannot be read.
    """
    from tasks.question import Query

    queries = [Query("image", the_bytes(path), path) for path in images]
    if not queries:
        raise Misuse("Nothing is asked with: name an image file.")
    return queries


def tell(said: Sequence[str], answers: Sequence[Rows], json: bool) -> None:
    """Print the ANSWERS to queries that were SAID; as JSON a list of rows, or of several lists."""
    if json:
        several = [
            {"query": query, "found": found} for query, found in zip(said, answers, strict=True)
        ]
        show.machine(answers[0] if len(answers) == 1 else several)
        return
    for query, found in zip(said, answers, strict=True):
        if len(answers) > 1:
            typer.echo(f"{query}:")
        show.table(
            [[row["rank"], row["distance"], row["key"], row["labels"] or ""] for row in found],
            head=("rank", "distance", "key", "labels"),
        )
