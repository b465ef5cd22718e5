"""Verbs that move, tune, remove or prove versions: promote, rollback, tune, clean, verify."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import show
from flows.cli.app import DryRun, Json, RecipeWord, app, the_recipe, the_store
from flows.cli.exits import FAILED, Misuse

if TYPE_CHECKING:
    from data.aliases import Pointer
    from tasks.measuring.tune import Tuning


@app.command()
def promote(
    recipe: RecipeWord,
    version: Annotated[str, typer.Argument(help="An index version, or the run that made it.")],
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Make VERSION production, whatever the gates said of it."""
    name, store = the_recipe(recipe).name, the_store()
    from data.aliases import Alias, Pointer
    from data.indexes import index_table
    from data.lineage import lineage_of
    from tasks.promote import now
    from tasks.promote import promote as move
    from tasks.searching.versions import resolve

    table, number = resolve(store, name, version)
    lineage = lineage_of(index_table(store, table).open(number))
    run = lineage.run if lineage else ""
    before = Alias(store, name).current()
    pointer = Pointer(table=table, version=number, run=run, moved=now(), why="by hand")
    if not dry_run:
        pointer = move(store, name, pointer, check=_unleased, after=before)
    _moved(name, before, pointer, dry_run, json)


@app.command()
def rollback(recipe: RecipeWord, dry_run: DryRun = False, json: Json = False) -> None:
    """Make production what it was before it last moved."""
    name, store = the_recipe(recipe).name, the_store()
    from data.aliases import Alias
    from tasks.promote import rollback as move
    from tasks.searching.versions import previous

    before = Alias(store, name).current()
    pointer = previous(store, name) if dry_run else move(store, name)
    _moved(name, before, pointer, dry_run, json)


@app.command()
def tune(
    recipe: RecipeWord,
    recall: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Share of the nearest images to be found.")
    ] = 0.95,
    k: Annotated[int, typer.Option("-k", min=1, help="Nearest images among which.")] = 10,
    queries: Annotated[int, typer.Option(min=1, help="Images of the index that ask.")] = 200,
    most: Annotated[
        int | None, typer.Option(min=1, help="Partitions that a query may visit; all if left out.")
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Measure nothing; ask as an untuned index is asked.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Find the cheapest way to ask production's ANN index that finds enough; search uses it.

    Measured against comparing with every image. Later versions of the same table keep the setting,
    and the gate ann_recall measures by it.
    """
    told, store = the_recipe(recipe), the_store()
    if not reset and recall < told.gates.ann_recall:
        raise Misuse(
            f"The gate ann_recall holds every version that finds less than "
            f"{told.gates.ann_recall:g}: ask for that at least, or lower gates.ann_recall."
        )
    from data.aliases import Alias
    from data.indexes import index_table
    from tasks.measuring.tune import keep
    from tasks.measuring.tune import tune as tuned
    from tasks.searching.versions import resolve

    table, version = resolve(store, told.name)
    pointer = Alias(store, told.name).current()
    used = pointer.probing if pointer else None
    found = None
    if not reset:
        rows = index_table(store, table).open(version)
        found = tuned(rows, recall, k, queries, used, most)
    if pointer and not dry_run and (found or used):
        pointer = keep(store, told.name, pointer, found.probing if found else None)
    if json:
        said = show.plain(found) if found else {}
        show.machine(said | {"production": str(pointer), "dry_run": dry_run})
        return
    if found:
        _tell_tuning(found)
    verb = "would ask" if dry_run else "asks"
    typer.echo(f"search of {pointer} {verb} with {found.chosen if found else 'what is usual'}")


@app.command()
def clean(recipe: RecipeWord, dry_run: DryRun = False, json: Json = False) -> None:
    """Let go of what no kept version needs: old versions, tombstones, descriptors, tars.

    What is kept is said by the recipe's `retain`.
    """
    plan, store = the_recipe(recipe), the_store()
    from tasks.clean import clean as tidy

    cleaned = tidy(store, plan.dataset, plan.name, plan.retain, dry_run)
    found = show.plain(cleaned)
    if json:
        show.machine(found)
        return
    del found["dry_run"]
    if not any(found.values()):
        typer.echo("nothing is there that no kept version needs")
        return
    typer.echo("would be removed:" if dry_run else "removed:")
    show.facts({name: what for name, what in found.items() if what})


@app.command()
def verify(
    recipe: RecipeWord,
    at: Annotated[str, typer.Option(help="An index version or run.")] = "production",
    embed: Annotated[int, typer.Option(min=0, help="Embed so many images again and compare.")] = 0,
    json: Json = False,
) -> None:
    """Recompute what the index claims: bytes against digests, rows against the manifest.

    Ends with exit code 1 where something is missing, extra, stale or corrupt.
    """
    plan, store = the_recipe(recipe), the_store()
    from tasks.searching.versions import resolve
    from tasks.verify import verify as prove

    findings = prove(store, plan.name, resolve(store, plan.name, at), embed=embed)
    found = show.plain(findings)
    if json:
        show.machine(found)
    else:
        show.facts({name: value for name, value in found.items() if name != "ok"})
        typer.echo("all is as it says" if found["ok"] else "NOT as it says")
    if not found["ok"]:
        raise typer.Exit(FAILED)


def _moved(
    recipe: str, before: "Pointer | None", pointer: "Pointer", dry_run: bool, json: bool
) -> None:
    """Say where the alias of RECIPE points now, or would."""
    if json:
        found = pointer.model_dump(mode="json") | {"before": str(before) if before else None}
        show.machine(found | {"dry_run": dry_run})
        return
    verb = "would move" if dry_run else "moved"
    typer.echo(f"production of {recipe} {verb} from {before or 'nothing'} to {pointer}")


def _tell_tuning(found: "Tuning") -> None:
    """Print what was measured: the setting in use, the chosen one, and no setting at all."""
    rows = [
        [what, one.nprobes, one.refine, one.recall, one.milliseconds]
        for what, one in (("before", found.before), ("chosen", found.chosen))
    ]
    show.table(
        [*rows, ["exact", found.partitions, 1, 1.0, found.exact]],
        head=("", "nprobes", "refine", f"recall@{found.k}", "ms a query"),
    )
    typer.echo(
        f"{found.queries} of {found.rows:,} images asked, {len(found.tried)} settings were tried"
    )


def _unleased() -> None:
    """A person's move takes no lease: the alias itself lets one of two movers win."""
