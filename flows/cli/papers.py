"""Verbs that show what a run left: report, explain; and how plan and ledger are told."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import show
from flows.cli.app import Json, RecipeWord, app, the_recipe, the_store
from flows.cli.exits import Misuse

if TYPE_CHECKING:
    from tasks.balance import Ledger

CHANGES = (
    "listed", "added", "changed", "moved", "duplicate", "touched", "relabelled", "removed",
    "unchanged", "quarantined", "deferred",
)  # fmt: skip
NAMED = 10
"""Missing images that the screen names; the ledger has all."""


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
    from flows.night import RUNS, last_paper
    from tasks.balance import Ledger

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
    tell_ledger(ledger)
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
    from data.aliases import Alias
    from tasks.explain import explain as account

    production = Alias(store, told.name).current()
    found = account(store, told.name, told.dataset, key, production).model_dump(mode="json")
    if json:
        show.machine(found)
        return
    typer.echo(f"{key}: {found['why']}")
    for part in ("manifest", "index"):
        if found[part]:
            typer.echo(f"\n{part}")
            show.facts(found[part])
    for what in ("same_bytes", "suggestions"):
        if found[what]:
            typer.echo(f"\n{what.replace('_', ' ')}: {', '.join(found[what][:10])}")


def tell_plan(found: dict[str, Any]) -> None:
    """Print what `preview` found: the counts with the first keys of each, and what it will take."""
    examples = found["examples"]
    counted = [name for name in CHANGES if name in found]
    show.table([[name, found[name], ", ".join(examples.get(name, [])[:3])] for name in counted])
    seconds = found["seconds"]
    typer.echo("")
    show.facts(
        {
            "embeds": found["embeds"],
            "new bytes": show.amount(found["bytes"]),
            "trains first": found["train"],
            "time": "not measured yet" if seconds is None else show.duration(seconds),
            "would be held by": found["held_by"],
        }
    )


def _headline(ledger: "Ledger") -> str:
    """The headline with its interval, and whether chance explains how far production is."""
    if ledger.headline not in ledger.intervals:
        return ""
    low, high = ledger.intervals[ledger.headline]
    told = f"{ledger.headline} {low:.3f} to {high:.3f} at 95 %"
    if ledger.interval is None or ledger.p is None:
        return told
    apart = "{:+.3f} to {:+.3f}".format(*ledger.interval)
    return f"{told}; against production {apart}, p = {ledger.p:.2g}"


def tell_ledger(ledger: "Ledger") -> None:
    """Print the ledger in words: what changed, what it came to, who is missing, what holds it."""
    found = show.plain(ledger)
    show.table([[name, found[name]] for name in CHANGES])
    typer.echo("")
    show.facts(
        {
            "run": ledger.run,
            "embedded": ledger.embedded,
            "dataset version": ledger.dataset_version,
            "index version": f"{ledger.table}@{ledger.index_version}" if ledger.table else "",
            "encoder": ledger.encoder[:12],
            "protocol": ledger.protocol,
            "metrics": "  ".join(f"{name} {value:.3f}" for name, value in ledger.metrics.items()),
            "headline": _headline(ledger),
            "coverage": f"{ledger.ledger.coverage:.2%}",
            "took": show.duration(sum(ledger.seconds.values())),
        }
    )
    missing = ledger.ledger.missing
    if missing:
        typer.echo(f"\nnot found by search: {ledger.ledger.missing_count:,}")
        show.table([["  " + item.key, item.state, item.reason] for item in missing[:NAMED]])
    typer.echo("")
    for gate in ledger.gates:
        if gate.held or gate.accepted:
            typer.echo(f"{'HELD' if gate.held else 'accepted'}: {gate.sentence}")
    typer.echo(f"search uses {ledger.production or 'nothing yet'}")
