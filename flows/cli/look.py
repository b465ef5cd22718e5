"""Verbs that look into an index: versions, diff, duplicates."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import show
from flows.cli.app import Json, RecipeWord, app, the_recipe, the_store

if TYPE_CHECKING:
    from data.lineage import Lineage
    from data.store import Store
    from tasks.duplicates import Duplicates


@app.command()
def versions(recipe: RecipeWord, json: Json = False) -> None:
    """List the sealed versions of RECIPE's index, newest first, with what made them."""
    name, store = the_recipe(recipe).name, the_store()
    from data.aliases import Alias

    production = Alias(store, name).current()
    place = production.place if production else None
    lines = sealed(store, name)
    if json:
        show.machine(
            [
                line.model_dump(mode="json") | {"production": (line.table, line.version) == place}
                for line in lines
            ]
        )
        return
    if not lines:
        typer.echo(f"{name} has no version yet: nightjar reindex {recipe}")
    show.table(
        [
            [
                "*" if (line.table, line.version) == place else "",
                f"{line.table}@{line.version}",
                line.created[:16].replace("T", " "),
                line.rows,
                line.dataset_version,
                line.run,
                _headline(line.protocol, line.metrics),
            ]
            for line in lines
        ],
        head=("", "version", "created (UTC)", "rows", "dataset", "run", "metrics") if lines else (),
    )


@app.command()
def diff(
    recipe: RecipeWord,
    a: Annotated[str, typer.Argument(help="An index version, a run, @prev or production.")],
    b: Annotated[str, typer.Argument(help="The same.")] = "production",
    json: Json = False,
) -> None:
    """Say what changed from index version A to B: images, metrics, encoder, code."""
    name, store = the_recipe(recipe).name, the_store()
    from tasks.searching.versions import resolve

    places = [resolve(store, name, word) for word in (a, b)]
    found = difference(store, places[0], places[1])
    if json:
        show.machine(found)
        return
    for what in ("added", "removed", "changed"):
        keys = found[what]
        shown = ", ".join(keys[:5]) + (", …" if len(keys) > 5 else "")
        show.table([[what, len(keys), shown]])
    show.table(
        [[field, before, after] for field, (before, after) in found["lineage"].items()],
        head=("", f"{places[0][0]}@{places[0][1]}", f"{places[1][0]}@{places[1][1]}"),
    )


@app.command()
def duplicates(
    recipe: RecipeWord,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0, help="Greatest distance of near images, 1 - cos or bits; measured if left out."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many groups to show.")] = 20,
    at: Annotated[
        str, typer.Option(help="An index version, a run, or @prev; production if left out.")
    ] = "production",
    exact: Annotated[bool, typer.Option("--exact", help="Compare every pair of rows.")] = False,
    json: Json = False,
) -> None:
    """Find images of RECIPE's index that are there more than once, the same or nearly so."""
    name, store = the_recipe(recipe).name, the_store()
    from tasks.duplicates import duplicates as found_in
    from tasks.searching.versions import resolve

    progress = show.ProgressLine(quiet=json)
    found = found_in(
        store, *resolve(store, name, at), threshold, limit, exact=exact, progress=progress
    )
    progress.close()
    if json:
        show.machine(show.plain(found))
        return
    _tell_duplicates(found)


def sealed(store: "Store", recipe: str) -> "list[Lineage]":
    """The lineages of all sealed index versions of RECIPE, newest first."""
    from data.indexes import index_names, index_table
    from data.lineage import sealed_versions

    found = [
        line
        for name in index_names(store, recipe)
        for line in sealed_versions(index_table(store, name))
    ]
    return sorted(found, key=lambda line: (line.created, line.version), reverse=True)


def difference(store: "Store", before: tuple[str, int], after: tuple[str, int]) -> dict[str, Any]:
    """The keys added, removed and changed from BEFORE to AFTER, and how their lineages differ."""
    from data.indexes import index_table
    from data.lineage import lineage_of

    tables = [index_table(store, name).open(version) for name, version in (before, after)]
    old, new = (
        dict(zip(rows["key"].to_pylist(), rows["digest"].to_pylist(), strict=True))
        for rows in (each.to_table(columns=["key", "digest"]) for each in tables)
    )
    lineages = [lineage_of(each) for each in tables]
    said = [line.model_dump(mode="json") if line else {} for line in lineages]
    fields = ("encoder", "dataset_version", "rows", "recipe_digest", "code", "run", "protocol")
    pairs = {field: (said[0].get(field), said[1].get(field)) for field in fields}
    metrics = [each.get("metrics", {}) for each in said]
    pairs |= {
        name: (metrics[0].get(name), metrics[1].get(name))
        for name in sorted({*metrics[0], *metrics[1]})
    }
    return {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "changed": sorted(key for key in old.keys() & new.keys() if old[key] != new[key]),
        "lineage": {name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
    }


def _headline(protocol: str, metrics: dict[str, float]) -> str:
    """The first few METRICS in words, the name of the PROTOCOL before them."""
    told = [f"{name} {value:.3f}" for name, value in list(metrics.items())[:3]]
    return "  ".join([protocol, *told] if protocol else told)


def _tell_duplicates(found: "Duplicates") -> None:
    """Print FOUND for people."""
    unit = {"cosine": "1 - cos", "hamming": "bits", "asmk": "1 - score"}[found.metric]
    how = "every pair compared" if found.exact else "as the ANN index finds them"
    show.table(
        [
            ["images", found.images, f"{found.table}@{found.version}"],
            ["same bytes", found.same_images, f"in {found.same_groups:,} groups"],
            [
                "near",
                found.near_images,
                f"in {found.near_groups:,} groups, up to {found.threshold:g} apart ({unit}), {how}",
            ],
        ]
    )
    if 2 * found.near_images > found.images:
        typer.echo(
            "More than half of the images are near to another: this encoder does not tell them "
            "apart at that distance. Take a smaller --threshold."
        )
    for one in found.crossings:
        typer.echo(
            f"{one.near:,} of {one.images:,} images of split {one.split or '(none)'} "
            f"({one.near / one.images:.1%}) have a copy in {one.other or '(none)'}, {one.same:,} "
            "of them the same bytes."
        )
    for group in found.groups:
        more = f", and {group.size - len(group.keys):,} more" * (group.size > len(group.keys))
        what = "same bytes" if group.contents == 1 else f"up to {group.apart:.3g} apart"
        splits = f" in {', '.join(one or '(none)' for one in group.splits)}"
        typer.echo(f"\n{group.size:,} images{splits if any(group.splits) else ''}, {what}{more}")
        for key in group.keys:
            typer.echo(f"  {key}")
