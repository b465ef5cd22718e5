"""The verb about protocols: what there is, and the sets that one takes from a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import show
from flows.cli.app import DryRun, Json, app, the_recipe, the_store
from flows.cli.exits import Misuse

if TYPE_CHECKING:
    from data.protocols import Protocol


@app.command()
def protocols(
    name: Annotated[str, typer.Argument(help="Show this protocol.")] = "",
    sets: Annotated[
        str,
        typer.Option(
            "--sets",
            metavar="RECIPE",
            help="Take its sets from the dataset of RECIPE as it stands in the store; without "
            "NAME, those of the protocol that the recipe measures by.",
        ),
    ] = "",
    out: Annotated[Path | None, typer.Option(help="Write the sets to this CSV file.")] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the page docs/protocols.md.")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """List the ways in which papers measure, show one, or write down the sets that it takes."""
    from flows import protocols as words

    if markdown:
        typer.echo(words.page(), nl=False)
        return
    if sets:
        _write(name, sets, out, dry_run, json)
        return
    if out or dry_run:
        raise Misuse("Sets are taken from a dataset: say whose by --sets RECIPE.")
    if name:
        told = _named(name)
        show.machine(words.facts_of(name, told)) if json else show.facts(words.told_of(name, told))
        return
    from data.protocols import PROTOCOLS

    if json:
        show.machine([words.facts_of(name, told) for name, told in PROTOCOLS.items()])
    else:
        show.table(words.rows(), head=words.HEAD)


def _write(name: str, recipe: str, out: Path | None, dry_run: bool, json: bool) -> None:
    """Write the sets of the protocol NAME, taken from the dataset of RECIPE, to OUT."""
    told, store = the_recipe(recipe), the_store()
    protocol = _named(name) if name else told.evaluate.named
    if protocol is None:
        raise Misuse(
            f"{recipe} measures by {told.evaluate.name}, which takes no sets: say a protocol's "
            "name before --sets."
        )
    if protocol.dataset != told.source.dataset:
        raise Misuse(
            f"{name or told.evaluate.name} measures on {protocol.dataset}, and the source of "
            f"{recipe} is {told.source.dataset}."
        )
    if not out and not dry_run:
        raise Misuse("Say by --out FILE where the sets are to be written, or --dry-run.")
    from data.manifest import manifest
    from data.protocols.kept import digest_of_sets, written
    from tasks.measuring.sets import drawn

    table = manifest(store, told.dataset)
    if not table.exists():
        raise FileNotFoundError(
            f"Dataset {told.dataset} is not in {store.root} yet. "
            f"Run first: nightjar reindex {recipe}"
        )
    version = int(table.open().version)
    found, _ = drawn(store, told.dataset, version, protocol)
    if out and not dry_run:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(written(found))
    facts = {
        "protocol": name or told.evaluate.name,
        "dataset": f"{told.dataset}@{version}",
        "queries": len(found.queries),
        "database": len(found.database),
        "train": len(found.train),
        "digest": digest_of_sets(found),
        "written to": str(out) if out and not dry_run else "",
    }
    show.machine(facts | {"dry_run": dry_run}) if json else show.facts(facts)


def _named(name: str) -> "Protocol":
    """The protocol NAME.

    Raises:
        Misuse: there is none; names the choices.
    """
    from data.protocols import named

    try:
        return named(name)
    except ValueError as error:
        raise Misuse(str(error)) from error
