"""The verb that puts the taxonomy to the test."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from flows.cli import show
from flows.cli.app import Json, app
from flows.cli.exits import FAILED, Misuse

if TYPE_CHECKING:
    from flows.contest import Budget


@app.command()
def benchmark(
    what: Annotated[str, typer.Argument(help='What is measured: "taxonomy".')] = "taxonomy",
    row: Annotated[
        list[str] | None,
        typer.Option(help="Only this row, by its name or word; may be repeated."),
    ] = None,
    mnist: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where MNIST's official files lie.")
    ] = None,
    cifar10: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where CIFAR-10's official files lie.")
    ] = None,
    budget: Annotated[
        str, typer.Option(help='"minutes" of a CPU core a row, or "full" for a GPU.')
    ] = "minutes",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each entrant.")] = 1,
    work: Annotated[
        Path, typer.Option(metavar="FOLDER", help="For stores; what has run there is kept.")
    ] = Path("build/taxonomy"),
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the outcomes to this JSON file.")
    ] = None,
    json: Json = False,
) -> None:
    """Train, index and measure each row of the taxonomy, and what it must beat.

    Exit code 1 says that a row does not beat its baseline; it is told like all others.
    """
    from data.taxonomy import unknown
    from flows import benchmark as work_of
    from flows.contest import BUDGETS

    if what != "taxonomy":
        raise Misuse(unknown("benchmark", what, ["taxonomy"]))
    if budget not in BUDGETS:
        raise Misuse(unknown("budget", budget, BUDGETS))
    roots = {name: path for name, path in (("mnist", mnist), ("cifar10", cifar10)) if path}
    if not roots:
        raise Misuse(
            "Say where the official files lie: --mnist FOLDER, --cifar10 FOLDER, or both. Get them "
            "with: nightjar download mnist"
        )
    try:
        rows = [one.name for one in work_of.chosen(row or ())]
    except ValueError as error:
        raise Misuse(str(error)) from error
    level = cast("Budget", budget)
    outcomes = []
    for outcome in work_of.taxonomy(
        work,
        roots,
        rows=rows,
        budget=level,
        seeds=seeds,
        say=_say,
    ):
        outcomes.append(outcome)
        if out:
            show.to_file(out, work_of.kept(outcomes, level))
    if json:
        show.machine(work_of.kept(outcomes, level))
    else:
        show.table(work_of.table(outcomes), head=work_of.HEAD)
    if not all(one.beats for one in outcomes):
        raise typer.Exit(FAILED)


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
