"""Verbs about datasets: what there is, and getting it."""

from typing import Annotated

import typer

from flows.cli import show
from flows.cli.app import Json, app
from flows.cli.exits import Misuse


@app.command()
def datasets(
    name: Annotated[str, typer.Argument(help="Show the card of this dataset.")] = "",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page docs/datasets.md.")
    ] = False,
    json: Json = False,
) -> None:
    """List the datasets and forms of source, or show the card of one: terms, files, state."""
    from data.adapters import DATASETS
    from data.taxonomy import choose
    from flows import cards

    if markdown:
        typer.echo(cards.page(), nl=False)
        return
    if not name:
        if json:
            show.machine([cards.facts_of(card) for card in cards.cards()])
        else:
            show.table(map(cards.row, cards.cards()), head=cards.HEAD)
        return
    try:
        card = choose(DATASETS, name, "dataset").card
    except ValueError as error:
        raise Misuse(str(error)) from error
    if json:
        show.machine(cards.facts_of(card))
        return
    show.facts(cards.told(card))
    if card.sources:
        typer.echo("")
        show.table(cards.file_rows(card), head=cards.FILES)
