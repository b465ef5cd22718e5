"""The verb that asks an index: search."""

from collections.abc import Sequence
from functools import partial
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
    box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="Ask with this part of the IMAGE, in pixels, or in percent: percent:25,25,50,50.",
        ),
    ] = None,
    by_image: Annotated[
        bool, typer.Option("--by-image", help="Of an index of boxes: each image once, by its best.")
    ] = False,
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
    queries = asked_with(images or (), box or ())
    name, store = the_recipe(recipe).name, the_store()
    from models.pixels import BadImage
    from tasks.parts import images_found, located
    from tasks.search import Searcher
    from tasks.versions import resolve

    searcher = Searcher(store, *resolve(store, name, at))
    find = partial(images_found, searcher) if by_image else searcher.search
    try:
        answers: list[Rows] = [
            located(find(query, k, exact=exact, offset=offset)).to_pylist() for query in queries
        ]
    except BadImage as error:
        raise Misuse(str(error)) from error
    tell([query.said for query in queries], answers, json)


def asked_with(images: Sequence[str], boxes: Sequence[str] = ()) -> "list[Query]":
    """What a person asks with: here a form of `tasks.question.FORMS` gets its option.

    Raises:
        Misuse: it is nothing, a file cannot be read, or BOXES are not one for each of IMAGES.
    """
    from data.regions import Region
    from tasks.question import Query

    if boxes and len(boxes) != len(images):
        raise Misuse(
            f"{len(boxes)} boxes are said, and {len(images)} images: say --box once for each."
        )
    try:
        regions = [Region.told(words) for words in boxes]
    except ValueError as error:
        raise Misuse(f"--box: {error}") from error
    queries = [Query("image", the_bytes(path), path) for path in images]
    if not queries:
        raise Misuse("Nothing is asked with: name an image file.")
    if regions:
        asked = zip(queries, regions, strict=True)
        return [Query("region", (one.content, region), one.said) for one, region in asked]
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
        parts = any("box" in row for row in found)
        show.table(
            [
                [row["rank"], row["distance"], *_which(row, parts), row["labels"] or ""]
                for row in found
            ],
            head=("rank", "distance", *(("image", "box") if parts else ("key",)), "labels"),
        )


def _which(row: dict[str, Any], parts: bool) -> list[str]:
    """The key of the found ROW; where rows are PARTS of images, the image's and the box."""
    from data.regions import parted

    image, region = parted(row["key"])
    return [image, str(region or "")] if parts else [row["key"]]
