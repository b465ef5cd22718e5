"""The verb by which a picture asks for words: captions."""

from typing import Annotated

import typer

from flows.cli import show
from flows.cli.app import Json, RecipeOption, app, the_bytes, the_recipe, the_store
from flows.cli.exits import Misuse


@app.command()
def captions(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="An image file.")],
    recipe: RecipeOption,
    k: Annotated[int, typer.Option("-k", min=1, help="How many sentences to find.")] = 10,
    at: Annotated[
        str, typer.Option(help="An index version, a run, or @prev; production if left out.")
    ] = "production",
    json: Json = False,
) -> None:
    """Find the sentences that say best what IMAGE shows, among those of the index's pictures."""
    content = the_bytes(image)
    name, store = the_recipe(recipe).name, the_store()
    from models.pixels import BadImage
    from tasks.searching.in_words import sentences_for
    from tasks.searching.question import Query, descriptors
    from tasks.searching.search import Searcher
    from tasks.searching.versions import resolve

    searcher = Searcher(store, *resolve(store, name, at))
    try:
        vector = descriptors(searcher, [Query("image", content, image)])[0]
    except BadImage as error:
        raise Misuse(str(error)) from error
    rows = sentences_for(searcher, vector, k).to_pylist()
    if json:
        show.machine(rows)
        return
    head = ("rank", "distance", "sentence", "key")
    show.table([[row[name] for name in head] for row in rows], head=head)
