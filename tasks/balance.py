"""The ledger: what a night did, and where every listed image is, checked before it may end."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field

from data.aliases import Pointer
from data.lineage import Lineage
from data.plan import Plan
from data.store import Store
from tasks.account import account
from tasks.gates import Figure, Verdict
from tasks.ledger import Account
from tasks.measuring.evaluate import Example, Scores

if TYPE_CHECKING:
    from tasks.plan import Change


class Ledger(Plan):
    """What a night did: the counts of its change, what came of it, and the balance.

    Args:
        recipe: the recipe's name.
        run: names the run.
        ended: ISO 8601, UTC.
        listed: keys the source lists; each is in one of the next nine classes.
        added: keys with bytes not seen before.
        changed: keys with other bytes than before.
        moved: bytes under a new key, whose old one is gone.
        duplicate: further keys of bytes that are there already.
        touched: another stamp, the same bytes.
        relabelled: the same bytes, of which something else is said.
        unchanged: as before.
        quarantined: bad images found by this night's reading.
        deferred: not read tonight.
        removed: keys the source no longer lists.
        embeds: images that needed a descriptor.
        embedded: images that were really encoded for the index.
        table: the index table.
        index_version: the sealed version; None where the night was held before it wrote anything.
        dataset_version: the manifest version in it.
        encoder: its encoder's digest.
        promoted: whether search now uses it.
        production: what search uses after the night, ``TABLE@VERSION``; empty for nothing.
        before: what it used before.
        held_by: the gates that held it back.
        accepted: the gates that a person waved through.
        gates: what each gate measured.
        metrics: of the candidate; `production_metrics` on the same queries.
        intervals: of the metrics, 95 %.
        interval: of the headline's difference to production, 95 %.
        p: the probability of such a difference by chance.
        headline: the metric the gate looks at.
        protocol: names how the metrics were taken.
        notes: what could not be measured.
        examples: queries with the keys of their nearest images.
        health: of the index, before and after.
        ledger: the balance.
        rates: images a second, of stages large enough to tell; the next plan estimates by them.
        seconds: wall time by stage.
    """

    recipe: str
    run: str
    ended: str
    listed: int
    added: int = 0
    changed: int = 0
    moved: int = 0
    duplicate: int = 0
    touched: int = 0
    relabelled: int = 0
    unchanged: int = 0
    quarantined: int = 0
    deferred: int = 0
    removed: int = 0
    embeds: int = 0
    embedded: int = 0
    table: str = ""
    index_version: int | None = None
    dataset_version: int
    encoder: str = ""
    promoted: bool
    production: str = ""
    before: str = ""
    held_by: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    gates: tuple[Figure, ...] = ()
    headline: str = ""
    protocol: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)
    production_metrics: dict[str, float] | None = None
    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict)
    interval: tuple[float, float] | None = None
    p: float | None = None
    notes: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    health: dict[str, Any] = Field(default_factory=dict)
    ledger: Account
    rates: dict[str, float] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)


class UnbalancedLedger(RuntimeError):
    """A listed image is neither indexed nor accounted for; `ledger` says what is known."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        faults = [item.key for item in ledger.ledger.missing if item.state == "missing"][:5]
        named = f" Among them: {', '.join(map(repr, faults))}." if faults else ""
        super().__init__(
            f"The ledger of run {ledger.run} does not balance: {ledger.ledger.sentence}.{named} "
            f"Production stays at {ledger.before or 'nothing'}; `nightjar verify {ledger.recipe}` "
            f"names every image that is not as it should be."
        )


def balance(
    store: Store,
    recipe: str,
    change: "Change",
    lineage: Lineage,
    scores: Scores,
    verdict: Verdict,
    *,
    run: str,
    embedded: int,
    waiting: int = 0,
    production: Pointer | None,
    before: Pointer | None,
    papers: str,
    rates: Mapping[str, float],
    seconds: Mapping[str, float],
) -> Ledger:
    """The ledger of a night that ended with the index version of LINEAGE, proved from the tables.

    Args:
        store: where they lie.
        recipe: the recipe's name.
        change: what the listing changed.
        lineage: of the sealed version.
        scores: what `evaluate` measured.
        verdict: what the gates said.
        run: names the run.
        embedded: images encoded for the index.
        waiting: images that needed a descriptor and got none tonight.
        production: where the alias will point after the night.
        before: where it points now.
        papers: the folder of the run's papers.
        rates: images a second that were read and embedded.
        seconds: wall time by stage.

    Raises:
        UnbalancedLedger: an image is lost, or the index holds rows that nothing stands behind. The
            exception carries the ledger.
    """
    counts: dict[str, Any] = {**change.counts}
    ledger = Ledger(
        recipe=recipe,
        run=run,
        ended=_now(),
        **counts,
        embeds=embedded + waiting,
        embedded=embedded,
        table=lineage.table,
        index_version=lineage.version,
        dataset_version=lineage.dataset_version,
        encoder=lineage.encoder,
        promoted=verdict.promote,
        production=str(production or ""),
        before=str(before or ""),
        held_by=verdict.held_by,
        accepted=verdict.accepted,
        gates=verdict.figures,
        headline=scores.headline,
        protocol=scores.protocol,
        metrics=scores.candidate,
        production_metrics=scores.production,
        intervals=scores.intervals,
        interval=scores.interval,
        p=scores.p,
        notes=scores.notes,
        examples=scores.examples,
        health=lineage.health,
        ledger=account(store, change, lineage, papers, run),
        rates=dict(rates),
        seconds=dict(seconds),
    )
    if not ledger.ledger.ok:
        raise UnbalancedLedger(ledger)
    return ledger


def held_ledger(
    recipe: str,
    change: "Change",
    verdict: Verdict,
    *,
    run: str,
    production: Pointer | None,
    seconds: Mapping[str, float],
) -> Ledger:
    """The ledger of a night that a gate held before it wrote anything: all that is new waits."""
    counts: dict[str, Any] = {**change.counts}
    kept = counts.get("unchanged", 0)
    waiting = counts["listed"] - kept
    return Ledger(
        recipe=recipe,
        run=run,
        ended=_now(),
        **counts,
        dataset_version=change.base,
        promoted=False,
        production=str(production or ""),
        before=str(production or ""),
        held_by=verdict.held_by,
        accepted=verdict.accepted,
        gates=verdict.figures,
        ledger=Account(
            listed=counts["listed"],
            indexed=0,
            unchanged=kept,
            quarantined=0,
            deferred=waiting,
            reasons={"deferred": {f"held by {gate}": waiting for gate in verdict.held_by}},
            coverage=kept / counts["listed"] if counts["listed"] else 1.0,
            ok=True,
        ),
        seconds=dict(seconds),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
