"""The verb that says what encoders there are to choose from."""

from typing import Annotated

import typer

from flows.cli import show
from flows.cli.app import Json, app


@app.command()
def methods(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page docs/methods.md.")
    ] = False,
    json: Json = False,
) -> None:
    """List supervisions, networks, poolings and descriptors, and what goes together."""
    from flows import methods as words

    if markdown:
        typer.echo(words.page(), nl=False)
        return
    if json:
        show.machine(words.facts())
        return
    for head, rows in (
        (words.TEACHINGS, words.teachings()),
        (words.BUILDS, words.builds()),
        (words.POOLS[:3], [line[:3] for line in words.pools()]),
        (words.STORED, words.stored()),
        (words.MATRIX, words.matrix()),
    ):
        show.table(rows, head=head)
        typer.echo("")
