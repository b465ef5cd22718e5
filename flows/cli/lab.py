"""Verbs of the laboratory: train an encoder, measure an index version."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli import show
from flows.cli.app import DryRun, Json, RecipeWord, app, the_recipe, the_store


@app.command()
def train(
    recipe: RecipeWord,
    again: Annotated[
        bool, typer.Option("--again", help="Train anew although the plan has been trained.")
    ] = False,
    metrics: Annotated[
        Path | None, typer.Option(help="Write the encoder's card to this JSON file, for DVC.")
    ] = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Train the encoder of RECIPE on the dataset as it stands; the next run will use it.

    An encoder that its plan has made before is not trained again.
    """
    told, store = the_recipe(recipe), the_store()
    from data.lease import Lease, dataset_lease
    from data.manifest import manifest
    from tasks.train import load_encoder, trained
    from tasks.train import train as teach

    table = manifest(store, told.dataset)
    if not table.exists():
        raise FileNotFoundError(
            f"Dataset {told.dataset} is not in {store.root} yet: there is nothing to learn from. "
            f"The first run trains by itself: nightjar reindex {recipe}"
        )
    version = int(table.open().version)
    known = None if again else trained(store, told.dataset, told.train)
    if dry_run:
        found = {"dataset_version": version, "encoder": known, "trains": known is None}
        show.machine(found) if json else show.facts(found)
        return
    progress = show.ProgressLine()
    try:
        with Lease(store, told.name), Lease(store, dataset_lease(told.dataset)):
            encoder = teach(
                store, told.dataset, version, told.train, told.cluster, progress, again=again
            )
    finally:
        progress.close()
    card = load_encoder(store, encoder).card
    if metrics:
        show.to_file(metrics, card)
    found = {"dataset_version": version, "encoder": encoder, "trained": known is None}
    show.machine(found | {"card": card}) if json else show.facts(found)


@app.command()
def evaluate(
    recipe: RecipeWord,
    at: Annotated[str, typer.Option(help="An index version or run.")] = "production",
    metrics: Annotated[
        Path | None, typer.Option(help="Write the metrics to this JSON file, for DVC.")
    ] = None,
    json: Json = False,
) -> None:
    """Measure how well an index version searches, and production on the same queries."""
    told, store = the_recipe(recipe), the_store()
    from data.aliases import Alias
    from data.indexes import index_table
    from data.lineage import lineage_of
    from tasks.evaluate import evaluate as measure
    from tasks.seal import Candidate
    from tasks.search import resolve

    table, version = resolve(store, told.name, at)
    rows = index_table(store, table).open(version)
    lineage = lineage_of(rows)
    candidate = Candidate(
        table, version, rows.count_rows(), 0, 0, lineage.deferred if lineage else 0
    )
    production = Alias(store, told.name).current()
    if production and production.place == (table, version):
        production = None  # with itself there is nothing to compare
    scores = measure(store, candidate, production, told.dataset, told.evaluate)
    if metrics:
        show.to_file(metrics, scores.candidate)
    if json:
        show.machine(show.plain(scores) | {"table": table, "version": version})
        return
    beside = scores.production or {}
    show.table(
        [[name, value, beside.get(name)] for name, value in scores.candidate.items()],
        head=("metric", f"{table}@{version}", str(production or "")),
    )
    for note in scores.notes:
        typer.echo(note)
