"""The health of an index: its figures, what they call for, and doing that within a budget."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import lance
import numpy as np
from pydantic import Field

from data.indexes import ANN, VECTOR, indexable, metric_of, vector_bytes
from data.plan import Plan
from data.probing import Probing
from data.tables import Table
from tasks.measuring.probe import K, exact_probe, recall

Action = Literal["none", "append", "compact", "retrain"]
TRAIN_SECONDS: Final = 3.3e-7
COPY_SECONDS: Final = 2e-8
SCAN_SECONDS: Final = 5e-9
"""Seconds a stored number to train IVF_SQ (measured: 200,000 × 256 in 17 s, 1,000,000 × 128 in
39 s), and seconds a byte to rewrite fragments and to compare with the probe queries. The budget is
kept by these estimates: a job that was begun is not cut off."""

SAMPLE: Final = 256
"""Rows a partition on which Lance trains the partitions' centres."""

# Lance otherwise hands over every centre with the statistics, and warns that it will not for long
os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")


class TooAlike(Exception):
    """The descriptors of an index are too alike to be parted for an ANN index."""


class HealthPlan(Plan):
    """When an index is repaired, and how much that may cost."""

    exact_below: int = Field(default=20_000, ge=1, description="rows under which search is exact")
    fragment_mb: int = Field(default=64, ge=1, description="MB of descriptors in a full fragment")
    unindexed: int = Field(default=5000, ge=0, description="rows outside the ANN index, tolerated")
    fragments: int = Field(default=16, ge=1, description="fragments not half full, tolerated")
    deleted: float = Field(default=0.2, ge=0, le=1, description="share of deleted rows, tolerated")
    balance: float = Field(default=12.0, ge=1, description="largest partition / mean, tolerated")
    grew: float = Field(default=2.0, ge=1, description="growth since training that is tolerated")
    recall: float = Field(default=0.95, ge=0, le=1, description="recall@10 against exact, at least")
    probe: int = Field(default=64, ge=0, description="queries that measure recall; 0: none")
    budget_minutes: float = Field(default=30.0, gt=0, description="minutes that repairing may take")
    budget_mb: int = Field(default=4096, ge=64, description="MB of memory that repairing may take")
    threads: int = Field(default=2, ge=1, description="threads that rewrite fragments")


@dataclass(frozen=True)
class Figures:
    """The state of an index version.

    Args:
        rows: images in it.
        fragments: pieces it is stored in.
        small: fragments not half full.
        deleted: share of the stored rows that are deleted.
        partitions: of its ANN index; 0 where search is exact.
        unindexed: rows outside the ANN index, which every search compares one by one.
        balance: the largest partition over the mean; 0 without an ANN index.
        recall: recall@10 against exact search; None where it was not measured.
    """

    rows: int
    fragments: int
    small: int
    deleted: float
    partitions: int = 0
    unindexed: int = 0
    balance: float = 0.0
    recall: float | None = None


def maintain(
    table: Table,
    plan: HealthPlan,
    check: Callable[[], None],
    last: dict[str, Any] | None = None,
    probing: Probing | None = None,
) -> tuple[lance.LanceDataset, dict[str, Any]]:
    """The version of TABLE after one repair, if it needs one, and what was found and done.

    At most three table versions are made (a compaction makes two, an index change one).

    Args:
        table: the index; its newest version is repaired.
        plan: what is tolerated, and the budget.
        check: raises if this run may no longer write; called right before each commit.
        last: what this function said of the version before; it remembers a recall that
            retraining could not lift, and rows too alike to be parted, lest every night trains
            again for nothing.
        probing: how the ANN index is asked, where that was tuned.

    Returns:
        The dataset, and ``before`` and ``after`` (fields of `Figures`), ``action``, ``why``,
        ``postponed`` (what was needed and is over the budget; empty where nothing), ``seconds``
        and ``trained_recall`` (recall right after the last training) and ``too_alike`` (rows that
        could not be parted).
    """
    started = time.perf_counter()
    dataset = table.open()
    before = measure(dataset, plan)
    postponed: list[str] = []
    probe = None
    if before.partitions and plan.probe:
        cost = before.rows * vector_bytes(dataset.schema) * SCAN_SECONDS
        if over := _over(cost, 0, plan):
            postponed.append(f"measuring recall ({over})")
        else:
            probe = exact_probe(dataset, plan.probe)
            before = replace(before, recall=recall(dataset, probe, probing))
    reached, alike = (last or {}).get("trained_recall"), int((last or {}).get("too_alike", 0))
    action: Action = "none"
    why = "nothing is beyond what is tolerated"
    for wanted, reason in needs(before, plan, reached):
        if wanted == "retrain" and not indexable(dataset.schema):
            continue
        if wanted == "retrain" and before.rows < plan.grew * alike:
            why = f"at {alike} rows the descriptors were too alike to be parted for an ANN index"
            continue
        if over := _over(*_cost(wanted, before, dataset), plan):
            postponed.append(f"{wanted}: {reason} ({over})")
            continue
        action, why = wanted, reason
        break
    after = before
    if action != "none":
        try:
            dataset = _act(table, dataset, action, before, plan, check)
        except TooAlike as error:
            action, why, alike = "none", str(error), before.rows
        after = measure(dataset, plan)
        if after.partitions and plan.probe:
            probe = probe or exact_probe(dataset, plan.probe)
            after = replace(after, recall=recall(dataset, probe, probing))
    return dataset, {
        "before": asdict(before),
        "after": asdict(after),
        "action": action,
        "why": why,
        "postponed": "; ".join(postponed),
        "seconds": round(time.perf_counter() - started, 3),
        "trained_recall": after.recall if action == "retrain" else reached,
        "too_alike": alike,
    }


def measure(dataset: lance.LanceDataset, plan: HealthPlan) -> Figures:
    """The figures of DATASET that its metadata knows: all but the recall, and no row is read."""
    fragments = [fragment.metadata for fragment in dataset.get_fragments()]
    stored = sum(fragment.physical_rows for fragment in fragments)
    full = fragment_rows(dataset, plan)
    figures = Figures(
        rows=dataset.count_rows(),
        fragments=len(fragments),
        small=sum(fragment.physical_rows < full // 2 for fragment in fragments),
        deleted=round(1 - dataset.count_rows() / stored, 4) if stored else 0.0,
    )
    if not has_ann(dataset):
        return figures
    stats = dataset.stats.index_stats(ANN)
    sizes = np.sum(
        [[part["size"] for part in index["partitions"]] for index in stats["indices"]], axis=0
    )
    return replace(
        figures,
        partitions=len(sizes),
        unindexed=int(stats["num_unindexed_rows"]),
        balance=round(float(sizes.max() / max(sizes.mean(), 1e-9)), 3),
    )


def needs(figures: Figures, plan: HealthPlan, reached: float | None) -> list[tuple[Action, str]]:
    """What FIGURES call for, the most thorough first, each with its reason.

    Args:
        figures: of the index as it is.
        plan: what is tolerated.
        reached: the recall right after the last training, which training again would not better.
    """
    found: list[tuple[Action, str]] = []
    trained = figures.partitions**2  # training makes one partition a square root of the rows
    if not figures.partitions:
        if figures.rows >= plan.exact_below:
            found.append(("retrain", f"{figures.rows} rows and no ANN index"))
    elif figures.rows > plan.grew * trained:
        found.append(("retrain", f"{figures.rows} rows, trained for {trained}"))
    elif figures.balance > plan.balance:
        found.append(("retrain", f"largest partition {figures.balance} times the mean"))
    elif figures.recall is not None and figures.recall < min(plan.recall, _better_than(reached)):
        found.append(("retrain", f"recall@{K} of {figures.recall:.3f}"))
    if figures.deleted > plan.deleted:
        found.append(("compact", f"{figures.deleted:.0%} of the stored rows are deleted"))
    elif figures.small > plan.fragments:
        found.append(("compact", f"{figures.small} small fragments"))
    if figures.partitions and figures.unindexed > plan.unindexed:
        found.append(("append", f"{figures.unindexed} rows outside the ANN index"))
    return found


def has_ann(dataset: lance.LanceDataset) -> bool:
    """Whether DATASET has an approximate index; else every search of it is exact."""
    return any(index.name == ANN for index in dataset.describe_indices())


def fragment_rows(dataset: lance.LanceDataset, plan: HealthPlan) -> int:
    """Rows that make a full fragment of DATASET."""
    return rows_in(plan.fragment_mb, vector_bytes(dataset.schema))


def rows_in(megabytes: int, row_bytes: int) -> int:
    """Rows of ROW_BYTES that fill MEGABYTES, at least a thousand and at most a million."""
    return min(max(megabytes * 2**20 // row_bytes, 1000), 2**20)


def _act(
    table: Table,
    dataset: lance.LanceDataset,
    action: Action,
    figures: Figures,
    plan: HealthPlan,
    check: Callable[[], None],
) -> lance.LanceDataset:
    """Do ACTION; the version it makes. A compaction also takes the unindexed tail up."""
    check()
    if action == "retrain":
        _train(dataset, figures.rows)
    if action == "compact":
        dataset.optimize.compact_files(
            target_rows_per_fragment=fragment_rows(dataset, plan),
            materialize_deletions_threshold=plan.deleted / 2,
            num_threads=plan.threads,
            batch_size=8192,
        )
        dataset = table.open()
        check()
    if action != "retrain" and figures.unindexed:
        # merging one index keeps its partitions; the defaults would collapse them to a few
        dataset.optimize.optimize_indices(num_indices_to_merge=1, index_names=[ANN])
    return table.open()


def _train(dataset: lance.LanceDataset, rows: int) -> None:
    """Give DATASET an ANN index made anew: IVF_SQ for real descriptors, IVF_FLAT for bits.

    Raises:
        TooAlike: codes that were learned from a few classes may be a few hundred different ones.
    """
    metric = metric_of(dataset.schema)
    partitions = max(1, round(rows**0.5))
    try:
        dataset.create_index(
            VECTOR,
            index_type="IVF_FLAT" if metric == "hamming" else "IVF_SQ",
            name=ANN,
            metric=metric,
            num_partitions=partitions,
            replace=True,
        )
    except RuntimeError as error:
        if "non-empty clusters" not in str(error):
            raise
        raise TooAlike(
            f"{rows} descriptors are too alike to be parted into {partitions} for an ANN index: "
            "search stays as it is"
        ) from error


def _cost(action: Action, figures: Figures, dataset: lance.LanceDataset) -> tuple[float, float]:
    """Estimated seconds and bytes of memory of doing ACTION."""
    width = dataset.schema.field(VECTOR).type.list_size
    stored = figures.rows * vector_bytes(dataset.schema)
    merged = COPY_SECONDS * stored + TRAIN_SECONDS * width * figures.unindexed
    if action == "retrain":
        sample = SAMPLE * figures.rows**0.5 * width * 4
        return TRAIN_SECONDS * width * figures.rows, 2 * sample
    return (2 * merged if action == "compact" else merged), stored / max(figures.partitions, 1)


def _over(cost: float, memory: float, plan: HealthPlan) -> str:
    """By what COST (seconds) or MEMORY (bytes) is over the budget; empty where neither is."""
    if cost > plan.budget_minutes * 60:
        return f"needs about {cost / 60:.1f} minutes, the budget is {plan.budget_minutes:g}"
    if memory > plan.budget_mb * 2**20:
        return f"needs about {memory / 2**20:.0f} MB, the budget is {plan.budget_mb}"
    return ""


def _better_than(reached: float | None) -> float:
    """The recall under which training again is worth it, as it once reached REACHED."""
    return 1.0 if reached is None else reached - 0.02
