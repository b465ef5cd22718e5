"""Verbs of the laboratory: train an encoder, export it, measure an index version."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from data.taxonomy import unknown
from flows.cli import show
from flows.cli.app import DryRun, Json, RecipeWord, app, the_recipe, the_store
from flows.cli.exits import Misuse

if TYPE_CHECKING:
    from data.aliases import Pointer
    from data.store import Store
    from models.portable import Word


SUFFIXES: Final[Mapping["Word", str]] = {
    "onnx": ".onnx",
    "torchscript": ".pt",
    "torch-export": ".pt2",
}
"""What an encoder can be exported to, with the suffix of the file."""


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
    from tasks.training.train import load_encoder, trained
    from tasks.training.train import train as teach

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
def export(
    encoder: Annotated[
        str,
        typer.Argument(
            metavar="ENCODER",
            help="The digest of an encoder or the beginning of one, or a recipe: the encoder of "
            "its production.",
        ),
    ],
    to: Annotated[
        str, typer.Option(metavar="FORMAT", help=f"The kind of file: {', '.join(SUFFIXES)}.")
    ] = "onnx",
    out: Annotated[
        Path | None, typer.Option(help="The file; encoder-DIGEST with a suffix, if left out.")
    ] = None,
    batch: Annotated[
        str, typer.Option(help='Pictures a time: a number, or "dynamic" for any.')
    ] = "dynamic",
    at: Annotated[str, typer.Option(help="An index version or run of the recipe.")] = "production",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Write an encoder to a file that runs without Nightjar, and show that it computes the same.

    Ends with exit code 1, and leaves no file, where it does not.
    """
    if batch != "dynamic" and not re.fullmatch("[1-9][0-9]{0,4}", batch):
        raise Misuse(f'--batch takes "dynamic" or a number from 1 to 99999, not {batch!r}.')
    if to not in SUFFIXES:
        raise Misuse(unknown("format", to, SUFFIXES))
    store = the_store()
    digest = _encoder(store, encoder, at)
    word = cast("Word", to)
    path = out or Path(f"encoder-{digest[:12]}{SUFFIXES[word]}")
    found = {"encoder": digest, "to": to, "file": str(path), "batch": batch}
    if not dry_run:
        from tasks.export import export as write

        agreed = write(store, digest, word, path, None if batch == "dynamic" else int(batch))
        found |= {"bytes": path.stat().st_size} | show.plain(agreed)
    show.machine(found | {"dry_run": dry_run}) if json else show.facts(found)


@app.command()
def evaluate(
    recipe: RecipeWord,
    at: Annotated[str, typer.Option(help="An index version or run.")] = "production",
    against: Annotated[
        str, typer.Option(help="An index version, run or @prev to compare it with.")
    ] = "production",
    html: Annotated[
        Path | None, typer.Option(help="Draw curves, classes and queries to this HTML file.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="Write the metrics to this JSON file, for DVC.")
    ] = None,
    rerank: Annotated[
        str,
        typer.Option(metavar="WORDS", help="Re-rank as search does, and not as RECIPE says; none."),
    ] = "",
    depth: Annotated[int | None, typer.Option(min=1, help="How many are re-ranked.")] = None,
    scales: Annotated[
        str, typer.Option(metavar="S,S,…", help="Ask with the mean of these sizes: 1,0.7,0.5.")
    ] = "",
    queries: Annotated[int | None, typer.Option(min=1, help="Ask with so many at most.")] = None,
    json: Json = False,
) -> None:
    """Measure how well an index version searches, and another on the same queries."""
    told, store = the_recipe(recipe), the_store()
    if rerank or depth or scales or queries:
        from flows.otherwise import otherwise

        try:
            told = otherwise(told, rerank, depth, scales, queries)
        except ValueError as error:
            raise Misuse(_first_line(error)) from error
    from data.aliases import Alias
    from data.indexes import index_table
    from data.lineage import lineage_of
    from data.manifest import manifest
    from tasks.measuring.evaluate import evaluate as measure
    from tasks.seal import Candidate
    from tasks.searching.versions import resolve

    table, version = resolve(store, told.name, at)
    rows = index_table(store, table).open(version)
    lineage = lineage_of(rows)
    held = lineage.dataset_version if lineage else manifest(store, told.dataset).open().version
    deferred = lineage.deferred if lineage else 0
    candidate = Candidate(
        table,
        version,
        rows.count_rows(),
        0,
        0,
        deferred,
        dataset_version=held,
        probing=Alias(store, told.name).probing((table, version)),
    )
    other = _other(store, told.name, against, (table, version))
    if html:
        from flows.evaluation import BESIDE, gather, page, told_of

        if lineage is None:
            raise Misuse(f"{table}@{version} was never sealed: nothing says what it holds.")
    wanted = BESIDE if html else None
    scores = measure(store, candidate, other, told.dataset, told.evaluate, beside=wanted)
    if html and lineage:
        html.write_text(page(gather(store, told, lineage, scores, other)))
    names = told_of(told.evaluate, scores) if html else [*scores.candidate]
    found = {name: scores.candidate[name] for name in names}
    if metrics:
        show.to_file(metrics, show.with_protocol(scores.protocol, found))
    if json:
        ends = {name: pair for name, pair in scores.intervals.items() if name in found}
        said = show.plain(replace(scores, candidate=found, intervals=ends, each=None))
        show.machine(said | {"table": table, "version": version, "html": html})
        return
    beside = scores.production or {}
    told_ends = {name: f"{low:.3f} to {high:.3f}" for name, (low, high) in scores.intervals.items()}
    show.table(
        [[name, value, told_ends.get(name, ""), beside.get(name)] for name, value in found.items()],
        head=(scores.protocol, f"{table}@{version}", "95 %", str(other or "")),
    )
    for line in (scores.comparison(str(other)), *scores.notes, f"page: {html}" if html else ""):
        if line:
            typer.echo(line)


def _first_line(error: ValueError) -> str:
    """What ERROR says, without what pydantic says around it."""
    from pydantic import ValidationError

    if isinstance(error, ValidationError):
        return error.errors()[0]["msg"].removeprefix("Value error, ")
    return str(error)


def _other(store: "Store", recipe: str, word: str, place: tuple[str, int]) -> "Pointer | None":
    """The index version that WORD means, to compare PLACE with; None where it is PLACE itself."""
    from data.aliases import Alias, Pointer
    from tasks.promote import now
    from tasks.searching.versions import resolve

    alias = Alias(store, recipe)
    if word == "production":
        pointer = alias.current()
        return pointer if pointer and pointer.place != place else None
    table, version = resolve(store, recipe, word)
    if (table, version) == place:
        return None
    probing = alias.probing((table, version))
    return Pointer(
        table=table, version=version, run="", moved=now(), why="by hand", probing=probing
    )


def _encoder(store: "Store", word: str, at: str) -> str:
    """The digest of the encoder that WORD means: its own beginning, or a recipe at version AT."""
    from tasks.training.train import kept_encoders

    if re.fullmatch("[0-9a-f]{4,64}", word):
        known = kept_encoders(store, word)
        if len(known) > 1:
            several = ", ".join(digest[:16] for digest in known[:10])
            raise Misuse(f"{word} begins several encoders: {several}. Write more of it.")
        if known:
            return known[0]
    try:
        name = the_recipe(word).name
    except Misuse as error:
        there = ", ".join(digest[:12] for digest in kept_encoders(store)[:10])
        raise Misuse(
            f"{word} is no encoder in {store.root} (there are: {there or 'none'}), nor a recipe. "
            f"{error}"
        ) from error
    from data.indexes import encoder_of, index_table
    from tasks.searching.versions import resolve

    table, version = resolve(store, name, at)
    return encoder_of(index_table(store, table).open(version).schema)
