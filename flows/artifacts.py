"""What a person reads of a night in Prefect: plan, progress, ledger, answers, metrics by night."""

import time
from typing import TYPE_CHECKING, Any, Final

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from data.indexes import index_names, index_table
from data.lineage import sealed_versions
from data.store import Store
from flows.night import RUNS, Progress
from tasks.balance import Ledger

if TYPE_CHECKING:
    from tasks.plan import Change

EVERY: Final = 5.0
"""Seconds between two updates of the progress: each is a request to the server."""
NIGHTS: Final = 30
"""Nights whose metrics the history shows."""


class ProgressArtifact:
    """Progress that Prefect shows as a bar, handed on to whoever else watches.

    Args:
        recipe: names the artifact.
        beside: told everything as well.
    """

    def __init__(self, recipe: str, beside: Progress) -> None:
        self.key = key(recipe, "progress")
        self.beside = beside
        self._artifact: Any = None
        self._said = 0.0

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        """Take note; the server is told every few seconds, and when a stage is through."""
        self.beside(stage, done, total, note)
        now = time.monotonic()
        if now - self._said < EVERY and done != total:
            return
        self._said = now
        share = 100.0 * done / total if total else 0.0
        text = f"{stage} {done:,}{f' of {total:,}' if total else ''} {note}".rstrip()
        if self._artifact is None:
            self._artifact = create_progress_artifact(share, key=self.key, description=text)
        else:
            update_progress_artifact(self._artifact, progress=share, description=text)


def publish_plan(recipe: str, change: "Change") -> None:
    """Show what tonight's listing changed, before anything is done about it."""
    rows = [
        {"what": name, "images": count, "first": ", ".join(change.examples.get(name, []))}
        for name, count in change.counts.items()
    ]
    create_table_artifact(rows, key=key(recipe, "plan"), description=f"{recipe}: the plan")


def publish_ledger(store: Store, ledger: Ledger) -> None:
    """Show the ledger, the gates, some answers, the report's place and the history of metrics."""
    name = ledger.recipe
    create_markdown_artifact(
        markdown(ledger), key=key(name, "ledger"), description=f"{name}: ledger"
    )
    answers = [
        {
            "query": example.query,
            "tonight": ", ".join(example.candidate),
            "production": ", ".join(example.production),
        }
        for example in ledger.examples
    ]
    if answers:
        create_table_artifact(answers, key=key(name, "answers"), description=f"{name}: answers")
    page = f"{RUNS}/{name}/{ledger.run}/report.html"
    if store.exists(page):
        link = store.uri(page) if "://" in store.root else f"file://{store.uri(page)}"
        create_link_artifact(link, link_text="Report with pictures", key=key(name, "report"))
    if rows := history(store, name):
        create_table_artifact(
            rows, key=key(name, "metrics"), description=f"{name}: metrics by night"
        )


def markdown(ledger: Ledger) -> str:
    """The LEDGER as a page of Markdown."""
    balance = ledger.ledger
    verdict = f"**Held by {', '.join(ledger.held_by)}.**" if ledger.held_by else "**Published.**"
    lines = [
        f"# {ledger.recipe}, run {ledger.run}",
        f"{verdict} Search uses {ledger.production or 'nothing'}.",
        "",
        "| listed | indexed | unchanged | quarantined | deferred | coverage |",
        "|---|---|---|---|---|---|",
        f"| {balance.listed:,} | {balance.indexed:,} | {balance.unchanged:,} "
        f"| {balance.quarantined:,} | {balance.deferred:,} | {balance.coverage:.2%} |",
        "",
        *(f"- {gate.sentence}" for gate in ledger.gates if gate.held or gate.accepted),
        *(f"- {ledger.protocol} {name} {value:.4f}" for name, value in ledger.metrics.items()),
        f"- embedded {ledger.embedded:,} images, dataset version {ledger.dataset_version}, "
        f"encoder {ledger.encoder[:12]}",
    ]
    if balance.missing:
        lines += ["", f"## {balance.missing_count:,} not found by search", ""]
        lines += [
            f"- `{_code(item.key)}`: {item.state}, {item.reason}" for item in balance.missing[:50]
        ]
    return "\n".join(lines)


def history(store: Store, recipe: str) -> list[dict[str, Any]]:
    """The metrics of the last sealed versions of RECIPE, one row a night, newest first."""
    lines = [
        line
        for name in index_names(store, recipe)
        for line in sealed_versions(index_table(store, name))
    ]
    lines.sort(key=lambda line: line.created, reverse=True)
    return [
        {
            "created": line.created[:16],
            "version": f"{line.table}@{line.version}",
            "rows": line.rows,
            "protocol": line.protocol,
        }
        | line.metrics
        for line in lines[:NIGHTS]
    ]


def key(recipe: str, what: str) -> str:
    """An artifact's key, in which Prefect allows lower case letters, digits and dashes."""
    return f"{recipe}-{what}".replace("_", "-")


def _code(text: str) -> str:
    """TEXT with what would end Markdown's code span left out."""
    return text.replace("`", "'").replace("\n", " ")
