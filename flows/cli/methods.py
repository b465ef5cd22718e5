"""The verb that says what encoders there are to choose from."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli import show
from flows.cli.app import Json, app, the_bytes
from flows.cli.exits import Misuse


@app.command()
def methods(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page docs/methods.md.")
    ] = False,
    measured: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Show what `nightjar benchmark` wrote there, too."),
    ] = None,
    json: Json = False,
) -> None:
    """List what encoders are made of, what goes together, and the kinds of retrieval."""
    from json import loads as parsed

    from flows import kinds
    from flows import methods as words

    if markdown:
        try:
            kept = parsed(the_bytes(str(measured))) if measured else None
            page = words.page(kept)
        except (ValueError, KeyError, TypeError) as error:
            raise Misuse(f"{measured} was not written by `nightjar benchmark --out`.") from error
        typer.echo(page, nl=False)
        return
    if json:
        show.machine(words.facts())
        return
    for head, rows in (
        (words.TEACHINGS, words.teachings()),
        (words.BUILDS, words.builds()),
        (words.POOLS[:3], [line[:3] for line in words.pools()]),
        (words.STORED, words.stored()),
        (kinds.HEAD, kinds.kinds()),
        (words.MATRIX, words.matrix()),
    ):
        show.table(rows, head=head)
        typer.echo("")
