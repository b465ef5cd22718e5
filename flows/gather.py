"""What the report of a night says, gathered from its ledger and from the store."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from data.indexes import index_names, index_table
from data.lineage import Lineage, lineage_of, sealed_versions
from data.manifest import manifest, shard_name
from data.store import Store
from flows.night import RUNS
from flows.recipe import Recipe
from flows.report import (
    NO_PICTURE,
    Gate,
    Hit,
    Metric,
    Missing,
    Query,
    ReportData,
    Training,
    render,
    thumbnail,
)
from tasks.balance import Ledger

NAMED: Final = 100
"""Missing images that a page lists."""
CHANGES: Final = (
    "added",
    "changed",
    "moved",
    "duplicate",
    "touched",
    "relabelled",
    "removed",
    "unchanged",
    "embedded",
)


def report_name(ledger: Ledger) -> str:
    """Where the report of the night of LEDGER lies in a store."""
    return f"{RUNS}/{ledger.recipe}/{ledger.run}/report.html"


def write_report(store: Store, recipe: Recipe, ledger: Ledger) -> str:
    """Draw the report of the night of LEDGER; its name in the store."""
    name = report_name(ledger)
    store.write(name, render(gather(store, recipe, ledger)).encode())
    return name


def gather(store: Store, recipe: Recipe, ledger: Ledger) -> ReportData:
    """All that the report of LEDGER's night says, with the pictures of its examples."""
    lineage = _lineage(store, ledger)
    account = ledger.ledger
    return ReportData(
        recipe=ledger.recipe,
        run=ledger.run,
        created=ledger.ended.replace("T", " ").replace("+00:00", " UTC"),
        published=ledger.promoted,
        version=_named(ledger, _candidate(ledger)),
        production=_named(ledger, ledger.before),
        held_by=ledger.held_by,
        ledger={
            name: getattr(account, name)
            for name in ("listed", "indexed", "unchanged", "quarantined", "deferred")
        },
        coverage=account.coverage,
        missing=tuple(Missing(item.key, item.reason) for item in account.missing[:NAMED]),
        missing_count=account.missing_count,
        change={name: getattr(ledger, name) for name in CHANGES},
        protocol=ledger.protocol,
        metrics=_metrics(store, ledger),
        gates=tuple(
            Gate(
                figure.gate,
                figure.held,
                figure.value,
                figure.bound,
                figure.accepted,
                figure.sentence,
            )
            for figure in ledger.gates
        ),
        health_before=_figures(ledger.health.get("before")),
        health_after=_figures(ledger.health.get("after")),
        health_action=str(ledger.health.get("action", "")),
        lineage=_shown(lineage) if lineage else {},
        training=training_of(store, ledger.encoder),
        seconds=ledger.seconds,
        queries=_queries(store, recipe.dataset, ledger),
        next_steps=_next_steps(recipe, ledger),
    )


def _lineage(store: Store, ledger: Ledger) -> Lineage | None:
    if ledger.index_version is None:
        return None
    return lineage_of(index_table(store, ledger.table).open(ledger.index_version))


def _candidate(ledger: Ledger) -> str:
    """The night's index version as ``TABLE@VERSION``; empty where it made none."""
    return "" if ledger.index_version is None else f"{ledger.table}@{ledger.index_version}"


def _named(ledger: Ledger, pointer: str) -> str | None:
    """POINTER as short as it is clear: its number where the night stayed within one table."""
    table, _, version = pointer.rpartition("@")
    others = {other.rpartition("@")[0] for other in (_candidate(ledger), ledger.before) if other}
    return (version if others == {table} else pointer) or None


def _shown(lineage: Lineage) -> dict[str, object]:
    libraries = ", ".join(f"{name} {version}" for name, version in lineage.libraries.items())
    return {
        "index": f"{lineage.table}@{lineage.version}",
        "dataset": f"{lineage.dataset}@{lineage.dataset_version}",
        "bytes (DVC)": lineage.pin or "not pinned",
        "encoder": lineage.encoder,
        "recipe": f"{lineage.recipe} ({lineage.recipe_digest[:12]})",
        "run": lineage.run,
        "code": lineage.code,
        "libraries": libraries,
    }


def training_of(store: Store, encoder: str) -> Training | None:
    """How ENCODER was trained, by its card; None where it was not, or its card does not say."""
    name = f"encoders/{encoder}/card.json"
    card = json.loads(store.read(name)) if encoder and store.exists(name) else {}
    curves = card.get("curves") or ({"loss": card["loss"]} if card.get("loss") else {})
    if not any(curves.values()):
        return None
    epochs = max(map(len, curves.values()))
    return Training(encoder, curves, card.get("epoch", epochs), card.get("seconds", 0.0))


def _figures(found: Any) -> dict[str, Any]:
    """The figures of an index's health that a row of a table can hold."""
    return dict(found) if isinstance(found, Mapping) else {}


def _metrics(store: Store, ledger: Ledger) -> tuple[Metric, ...]:
    """The headline metric first, each with its history by the same protocol."""
    older = older_versions(store, ledger.recipe, ledger.protocol, ledger.run)
    names = sorted(ledger.metrics, key=lambda name: name != ledger.headline)
    return tuple(
        metric_of(name, ledger.metrics, ledger.production_metrics, ledger.intervals, older)
        for name in names
    )


def metric_of(
    name: str,
    ours: Mapping[str, float],
    theirs: Mapping[str, float] | None,
    intervals: Mapping[str, tuple[float, float]],
    older: Iterable[Lineage],
) -> Metric:
    """The metric NAME of OURS beside THEIRS, its interval, and what OLDER versions had."""
    low, high = intervals.get(name, (None, None))
    history = tuple(
        (line.created[5:16].replace("T", " "), line.metrics[name])
        for line in older
        if name in line.metrics
    )
    return Metric(name, ours[name], (theirs or {}).get(name), low, high, history)


def older_versions(store: Store, recipe: str, protocol: str, run: str) -> list[Lineage]:
    """The sealed versions of RECIPE from before RUN that PROTOCOL measured, oldest first."""
    found = (
        line
        for name in index_names(store, recipe)
        for line in sealed_versions(index_table(store, name))
        if line.run < run and line.protocol == protocol
    )
    return sorted(found, key=lambda line: line.run)


def _queries(store: Store, dataset: str, ledger: Ledger) -> tuple[Query, ...]:
    """The ledger's examples with their thumbnails, right answers told by a shared label."""
    wanted = {key for example in ledger.examples for key in (example.query, *example.candidate)}
    wanted |= {key for example in ledger.examples for key in example.production}
    rows = rows_of(store, dataset, ledger.dataset_version, wanted) if wanted else {}
    pictures = {key: thumbnail_of(store, dataset, row) for key, row in rows.items()}
    labels = {key: frozenset(row["labels"] or ()) for key, row in rows.items()}

    def hits(keys: Iterable[str], query: str) -> tuple[Hit, ...]:
        asked = labels.get(query, frozenset())
        return tuple(
            Hit(
                key,
                pictures.get(key, NO_PICTURE),
                right=bool(asked & labels.get(key, frozenset())) if asked else None,
            )
            for key in keys
        )

    return tuple(
        Query(
            example.query,
            pictures.get(example.query, NO_PICTURE),
            ", ".join(sorted(labels.get(example.query, ()))),
            hits(example.candidate, example.query),
            hits(example.production, example.query),
        )
        for example in ledger.examples
    )


def rows_of(store: Store, dataset: str, version: int, keys: set[str]) -> dict[str, dict[str, Any]]:
    """Where the images of KEYS lie and what they are labelled."""
    wanted = pc.field("key").isin(pa.array(sorted(keys)))
    found = manifest(store, dataset).open(version)
    columns = ["key", "shard", "offset", "length", "labels"]
    return {row["key"]: row for row in found.to_table(columns=columns, filter=wanted).to_pylist()}


def thumbnail_of(store: Store, dataset: str, row: Mapping[str, Any]) -> str:
    """The picture of ROW of the manifest, small; grey where there is none."""
    if not row["shard"]:
        return NO_PICTURE
    name = shard_name(dataset, row["shard"])
    return thumbnail(store.read_range(name, row["offset"], row["length"]))


def _next_steps(recipe: Recipe, ledger: Ledger) -> tuple[tuple[str, str], ...]:
    """What a reader of the report may want to type now."""
    name = recipe.name
    steps = [
        (f"nightjar search IMAGE --recipe {name}.yaml", "find the images most like yours"),
        (f"nightjar explain {name}.yaml KEY", "why one image is, or is not, there"),
        (f"nightjar versions {name}.yaml", "every version, with what made it"),
    ]
    if ledger.held_by:
        gates = " ".join(f"--accept {gate}" for gate in ledger.held_by)
        steps.insert(0, (f"nightjar reindex {name}.yaml {gates}", "publish it all the same"))
    else:
        steps.append((f"nightjar rollback {name}.yaml", "go back to the version before"))
    return tuple(steps)
