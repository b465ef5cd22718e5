"""Verbs of the nightly run: plan, reindex."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import show
from flows.cli.app import DryRun, Json, RecipeWord, app, the_recipe, the_store
from flows.cli.exits import HELD, Misuse
from flows.cli.papers import tell_ledger, tell_plan
from flows.orchestration import answers, server_url

if TYPE_CHECKING:
    from flows.recipe import Recipe
    from tasks.balance import Ledger
    from tasks.extract import Limits


@app.command()
def plan(recipe: RecipeWord, json: Json = False) -> None:
    """Say what the next run would do and cost; change nothing."""
    told = the_recipe(recipe)
    from flows.preview import preview

    found = preview(told, the_store())
    if json:
        show.machine(found)
    else:
        tell_plan(found)


@app.command()
def reindex(
    recipe: RecipeWord,
    accept: Annotated[
        list[str] | None, typer.Option(metavar="GATE", help="Let this gate pass, once.")
    ] = None,
    max_embeds: Annotated[int | None, typer.Option(min=0, help="Embed at most so many.")] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0, help="Begin nothing new after so many minutes.")
    ] = None,
    here: Annotated[
        bool, typer.Option("--here", help="No flow run, though a Prefect server is configured.")
    ] = False,
    metrics: Annotated[
        Path | None, typer.Option(help="Write the metrics to this JSON file, for DVC.")
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(help="Write the history of metrics to this CSV file.")
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(help="Write what happens to this file, an event a line; no flow run."),
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Bring the index up to its source; publish it if it searches as well as before.

    Where a Prefect server is configured the run is a flow run. Ends with exit code 3 where a gate
    holds the new version back, and 4 where too many images were bad.
    """
    told = the_recipe(recipe)
    if dry_run:
        plan(recipe, json)
        return
    from tasks.extract import Limits
    from tasks.gates import check_accepted

    try:
        check_accepted(accept or [])
    except ValueError as error:
        raise Misuse(f"--accept: {error}") from error

    limits = Limits(max_embeds=max_embeds, max_minutes=max_minutes)
    progress = show.ProgressLine()
    try:
        ledger = _run(recipe, told, accept or [], limits, here, trace, progress)
    finally:
        progress.close()
    _report(told, ledger)
    if metrics:
        show.to_file(metrics, show.with_protocol(ledger.protocol, ledger.metrics))
    if plots:
        _history(told.name, plots)
    if json:
        show.machine(show.plain(ledger))
    else:
        tell_ledger(ledger)
    if ledger.held_by:
        raise typer.Exit(HELD)


def _run(
    word: str,
    recipe: "Recipe",
    accept: list[str],
    limits: "Limits",
    here: bool,
    trace: Path | None,
    progress: show.ProgressLine,
) -> "Ledger":
    """The ledger of a night of RECIPE: a flow run where a Prefect server is configured, or not.

    Raises:
        Misuse: a server is configured and does not answer.
    """
    url = "" if here or trace else server_url()
    if not url:
        from flows.reindex import reindex as night
        from flows.trace import Trace

        if trace is None:
            return night(recipe, store=the_store(), accept=accept, limits=limits, progress=progress)
        with Trace(trace, progress) as told:
            return night(
                recipe,
                store=the_store(),
                accept=accept,
                limits=limits,
                progress=told.progress,
                stage=told.stage,
            )
    if not answers(url):
        raise Misuse(
            f"The Prefect server {url} does not answer. Start it, unset PREFECT_API_URL, or run "
            f"without it: nightjar reindex {word} --here"
        )
    from flows.deployments import run_here

    return run_here(word, accept, limits, progress)


def _report(recipe: "Recipe", ledger: "Ledger") -> None:
    """Leave the report among the papers of the run, unless the flow run has."""
    from flows.gather import report_name, write_report

    if not the_store().exists(report_name(ledger)):
        write_report(the_store(), recipe, ledger)


def _history(recipe: str, path: Path) -> None:
    """Write the metrics of all sealed versions of RECIPE to PATH as CSV, oldest first."""
    import csv

    from flows.cli.look import sealed

    lines = sealed(the_store(), recipe)[::-1]
    names = sorted({name for line in lines for name in line.metrics})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["night", "version", "protocol", *names])
        for night, line in enumerate(lines, 1):
            values = [line.metrics.get(name, "") for name in names]
            rows.writerow([night, f"{line.table}@{line.version}", line.protocol, *values])
