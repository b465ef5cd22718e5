"""Verbs about datasets: what there is, what is said beside it, and getting it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import show
from flows.cli.app import DryRun, Json, app
from flows.cli.exits import FAILED, Misuse

if TYPE_CHECKING:
    from data.adapters.card import Card


@app.command()
def datasets(
    name: Annotated[str, typer.Argument(help="Show the card of this dataset.")] = "",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page docs/datasets.md.")
    ] = False,
    json: Json = False,
) -> None:
    """List the datasets and forms of source, or show the card of one: terms, files, state."""
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
    card = _card(name)
    if json:
        show.machine(cards.facts_of(card))
        return
    show.facts(cards.told(card))
    if card.sources:
        typer.echo("")
        show.table(cards.file_rows(card), head=cards.FILES)


@app.command()
def table(
    name: Annotated[str, typer.Argument(help="A dataset, as `nightjar datasets` calls it.")],
    what: Annotated[str, typer.Argument(metavar="TABLE", help="One of its tables.")],
    root: Annotated[str, typer.Option(help="Where its files lie; datasets/NAME if left out.")] = "",
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD=VALUE", help="An option of the source; may be repeated."),
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Only rows of these keys, one a line.")
    ] = None,
    json: Json = False,
) -> None:
    """Print as CSV what dataset NAME says beside its pictures: of pairs, of authors.

    A key of --keys of which it says nothing is told, and the command ends with exit code 1.
    """
    from flows import beside

    try:
        batches = beside.batches(name, what, root or f"datasets/{name}", option or ())
        wanted = beside.Wanted(keys.read_text("utf-8").split("\n")) if keys else None
    except ValueError as error:
        raise Misuse(str(error)) from error
    some = map(wanted.of, batches) if wanted else batches
    if json:
        show.machine([row for batch in some for row in batch.to_pylist()])
    else:
        for text in beside.csv(some):
            typer.echo(text, nl=False)
    if wanted and (lost := wanted.lost()):
        typer.echo(f"{len(lost)} keys have no row in {what}, first {lost[0]}.", err=True)
        raise typer.Exit(FAILED)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="A dataset, as `nightjar datasets` calls it.")],
    split: Annotated[
        list[str] | None, typer.Option(help="Only what this split needs; may be repeated.")
    ] = None,
    form: Annotated[
        str, typer.Option(help="Which packaging, where the card has several; else the first.")
    ] = "",
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to; datasets/NAME if left out.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=32, help="Files at a time.")] = 4,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Get the official files of dataset NAME and check them; go on where it broke off.

    Where not all of them are open it gets what is, says whom to ask for the rest and where to put
    it, and ends with exit code 1.
    """
    from tasks import download as work

    card = _card(name)
    if card.access == "your own":
        raise Misuse(f"{name} is a form of source: it reads your own files, wherever they lie.")
    try:
        sources = work.chosen(card, split or (), form)
    except ValueError as error:
        raise Misuse(str(error)) from error
    folder = (to or Path("datasets", name)).expanduser()
    if dry_run:
        outcome = work.plan(card, sources, folder)
    else:
        progress = show.ProgressLine()
        try:
            outcome = work.download(card, sources, folder, jobs, _Telling(progress))
        finally:
            progress.close()
    if json:
        show.machine(show.plain(outcome) | {"complete": outcome.complete, "dry_run": dry_run})
    else:
        show.table(
            [[file.name, file.state, show.amount(file.bytes), file.note] for file in outcome.files]
        )
        if outcome.ask:
            typer.echo(f"{name} is {card.access}. {outcome.ask}")
        if outcome.complete:
            typer.echo(f"In a recipe: source: {{dataset: {name}, root: {folder}}}")
    if not dry_run and not outcome.complete:
        raise typer.Exit(FAILED)


class _Telling:
    """Tells PROGRESS how many bytes are through, how fast, and how long the rest will take."""

    def __init__(self, progress: show.ProgressLine) -> None:
        self.progress = progress
        self.began = time.monotonic()

    def __call__(self, files: int, of_files: int, count: int, of_count: int) -> None:
        """Take note that FILES of OF_FILES and COUNT of OF_COUNT bytes (0: not known) are here."""
        rate = count / max(time.monotonic() - self.began, 0.1)
        words = [show.amount(count) + (f" of {show.amount(of_count)}" if of_count else "")]
        words.append(f"{show.amount(rate)}/s")
        if rate and of_count > count:
            words.append(f"{show.duration((of_count - count) / rate)} left")
        self.progress("download", files, of_files, "  ".join(words))


def _card(name: str) -> "Card":
    """The card of the dataset NAME.

    Raises:
        Misuse: there is none; names the choices.
    """
    from data.adapters import DATASETS
    from data.taxonomy import choose

    try:
        return choose(DATASETS, name, "dataset").card
    except ValueError as error:
        raise Misuse(str(error)) from error
