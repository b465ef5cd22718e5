"""Verbs to begin with, and to prove the place: demo, init, doctor, chaos."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli import show
from flows.cli.app import DryRun, Json, RecipeWord, app, the_recipe, the_store
from flows.cli.exits import FAILED, Misuse


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where it lays its pictures and store.")] = Path(
        "demo"
    ),
    json: Json = False,
) -> None:
    """Live through the whole life on generated pictures: index, search, a night of changes."""
    from flows.demo import demo as live

    progress = show.ProgressLine()

    def say(text: str) -> None:
        progress.close()
        typer.echo(text, err=json)

    try:
        told = live(folder, progress=progress, say=say)
    finally:
        progress.close()
    if json:
        show.machine(told)


@app.command()
def init(
    source: Annotated[str, typer.Argument(help="A folder, a .csv or .parquet list, tars, s3://…")],
    name: Annotated[str, typer.Option(help="Names the recipe; the source's own if left out.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a recipe of that name.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Write a recipe for SOURCE as NAME.yaml into the current folder."""
    from flows import init as writer

    try:
        found = writer.sniff(source)
        name = name or writer.name_of(source)
        path = Path(f"{name}.yaml")
        if not dry_run:
            path = writer.write(found, name, Path.cwd(), force)
    except (ValueError, FileNotFoundError, FileExistsError) as error:
        raise Misuse(str(error)) from error
    if json:
        show.machine(
            found._asdict()
            | {"options": dict(found.options), "recipe": path.name, "dry_run": dry_run}
        )
        return
    if dry_run:
        typer.echo(writer.text(found, name))
        return
    typer.echo(f"{source} is {found.about}. Wrote {path.name}. Next:\n")
    show.table(
        [
            [f"  nightjar plan {path.name}", "what the first run will do"],
            [f"  nightjar reindex {path.name}", "do it"],
            [f"  nightjar search IMAGE --recipe {path.name}", "find images like IMAGE"],
        ]
    )


@app.command()
def doctor(
    ray: Annotated[bool, typer.Option("--ray", help="Also start a Ray worker.")] = False,
    json: Json = False,
) -> None:
    """Check that everything is here that a run needs, and say what to do where it is not."""
    from flows.doctor import examine

    findings = list(examine(the_store(), ray=ray))
    if json:
        show.machine([finding._asdict() for finding in findings])
    else:
        show.table(findings, head=("check", "state", "found", "what to do"))
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(FAILED)


@app.command()
def chaos(
    recipe: RecipeWord,
    kills: Annotated[int, typer.Option(min=0, help="How many runs to kill.")] = 5,
    seed: Annotated[int, typer.Option(help="Fixes the instants.")] = 0,
    json: Json = False,
) -> None:
    """Kill runs of RECIPE at random instants, run on, and compare with an undisturbed run.

    Works in throw-away stores. Ends with exit code 1 where a bit differs.
    """
    the_recipe(recipe)
    from flows.chaos import chaos as torment

    outcome = torment(recipe, kills=kills, seed=seed, progress=show.ProgressLine())
    if json:
        show.machine(outcome.as_json())
    else:
        show.table(outcome.rows, head=outcome.HEAD)
        typer.echo(outcome.sentence)
    if outcome.differences:
        raise typer.Exit(FAILED)
