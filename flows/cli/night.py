"""Verbs of the nightly run: plan, reindex, report, explain."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import show
from flows.cli.app import DryRun, Json, RecipeWord, app, the_recipe, the_store
from flows.cli.exits import HELD, Misuse
from flows.orchestration import answers, server_url

if TYPE_CHECKING:
    from tasks.balance import Ledger

    from flows.recipe import Recipe
    from tasks.extract import Limits

CHANGES = (
    "listed", "added", "changed", "moved", "duplicate", "touched", "relabelled", "removed",
    "unchanged", "quarantined", "deferred",
)  # fmt: skip


@app.command()
def plan(recipe: RecipeWord, json: Json = False) -> None:
    """Say what the next run would do and cost; change nothing."""
    found = _preview(the_recipe(recipe))
    if json:
        show.machine(found)
    else:
        _show_plan(found)


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

    limits = Limits(max_embeds=max_embeds, max_minutes=max_minutes)
    progress = show.ProgressLine()
    try:
        ledger = _run(here, recipe, told)(accept or [], limits, progress)
    finally:
        progress.close()
    if metrics:
        show.to_file(metrics, show.plain(ledger)["metrics"])
    if plots:
        _history(told.name, plots)
    if json:
        show.machine(show.plain(ledger))
    else:
        _show_ledger(ledger)
    if ledger.held_by:
        raise typer.Exit(HELD)


@app.command()
def report(
    recipe: RecipeWord,
    run: Annotated[str, typer.Option(help="A run; the last one if left out.")] = "",
    html: Annotated[
        Path | None, typer.Option(help="Copy the report with its pictures to this file.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what a run did: its ledger, and where its report lies."""
    name, store = the_recipe(recipe).name, the_store()
    from tasks.balance import Ledger

    from flows.night import RUNS, last_paper

    ledger = Ledger.model_validate_json(
        last_paper(store, name, "ledger.json", [run] if run else None)
    )
    page = f"{RUNS}/{name}/{ledger.run}/report.html"
    if html:
        if not store.exists(page):
            raise Misuse(f"Run {ledger.run} left no report.html in {store.root}.")
        html.write_bytes(store.read(page))
    where = str(html) if html else store.uri(page) if store.exists(page) else None
    if json:
        show.machine(show.plain(ledger) | {"report": where})
        return
    _show_ledger(ledger)
    if where:
        typer.echo(f"report: {where}")


@app.command()
def explain(
    recipe: RecipeWord,
    key: Annotated[str, typer.Argument(help="An image's key, as the source spells it.")],
    json: Json = False,
) -> None:
    """Say for one image where it is and what made it so, or why it cannot be found."""
    told, store = the_recipe(recipe), the_store()
    from flows.explain import explain as account

    found = account(store, told, key)
    if json:
        show.machine(found)
        return
    typer.echo(f"{key}: {found['why']}")
    for part in ("manifest", "index"):
        if found[part]:
            typer.echo(f"\n{part}")
            show.facts(found[part])
    if found.get("same_bytes"):
        typer.echo(f"\nthe same bytes: {', '.join(found['same_bytes'][:10])}")


def _preview(recipe: "Recipe") -> dict[str, Any]:
    from flows.reindex import preview

    return preview(recipe, the_store())


def _run(
    here: bool, word: str, recipe: "Recipe"
) -> "Callable[[list[str], Limits, show.ProgressLine], Ledger]":
    """How a night of RECIPE is run: as a flow run where a Prefect server is configured, else here.

    Raises:
        Misuse: a server is configured and does not answer.
    """
    url = "" if here else server_url()
    if url and not answers(url):
        raise Misuse(
            f"The Prefect server {url} does not answer. Start it, unset PREFECT_API_URL, or run "
            f"without it: nightjar reindex {word} --here"
        )
    if url:
        from flows.deployments import run_here

        return lambda accept, limits, progress: run_here(word, accept, limits, progress)
    from flows.reindex import reindex as night

    return lambda accept, limits, progress: night(
        recipe, store=the_store(), accept=accept, limits=limits, progress=progress
    )


def _history(recipe: str, path: Path) -> None:
    """Write the metrics of all sealed versions of RECIPE to PATH as CSV, oldest first."""
    import csv

    from flows.cli.look import sealed

    lines = sealed(the_store(), recipe)[::-1]
    names = sorted({name for line in lines for name in line.metrics})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["night", "version", *names])
        for night, line in enumerate(lines, 1):
            values = [line.metrics.get(name, "") for name in names]
            rows.writerow([night, f"{line.table}@{line.version}", *values])


def _show_plan(found: dict[str, Any]) -> None:
    """The preview in words."""
    show.table([[name, found[name]] for name in CHANGES if name in found])
    rest = {name: value for name, value in found.items() if name not in CHANGES}
    if "bytes" in rest:
        rest["bytes"] = show.amount(rest["bytes"])
    if rest.get("seconds") is not None and isinstance(rest["seconds"], int | float):
        rest["seconds"] = show.duration(rest["seconds"])
    typer.echo("")
    show.facts({name: value for name, value in rest.items() if not isinstance(value, dict)})


def _show_ledger(ledger: "Ledger") -> None:
    """The ledger in words."""
    found = show.plain(ledger)
    show.table([[name, found[name]] for name in CHANGES if name in found])
    typer.echo("")
    show.facts(
        {
            name: found.get(name)
            for name in ("run", "embedded", "dataset_version", "index_version", "encoder")
        }
        | {"metrics": "  ".join(f"{k} {v:.3f}" for k, v in (found.get("metrics") or {}).items())}
        | {"took": show.duration(sum((found.get("seconds") or {}).values()))}
    )
    if ledger.held_by:
        typer.echo(f"\nHELD by {ledger.held_by}: production stays where it was")
    else:
        typer.echo(f"\n{'published' if ledger.promoted else 'not published'}")
