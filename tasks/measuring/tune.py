"""Tune: the cheapest way to ask an ANN index that still finds as many of the nearest as wanted."""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final

import lance

from data.aliases import Alias, Pointer
from data.indexes import NPROBES, REFINE, indexable, metric_of, nearest, quantised
from data.probing import Probing
from data.store import Store
from tasks.health import HealthPlan, measure
from tasks.measuring.probe import K, Probe, exact_probe, recall
from tasks.promote import now

QUERIES: Final = 200
"""Rows that ask."""
REFINES: Final = (1, 2, 4, 8, 16)
"""Candidates per answer that are tried."""
TIMED: Final = 25
"""Queries that are asked one by one, as a search asks, to see what a setting costs."""


class OutOfReach(ValueError):
    """No setting finds as many of the nearest rows as is wanted; the message names the best."""


@dataclass(frozen=True)
class Tried:
    """A setting, what it finds and what it costs.

    Args:
        nprobes: partitions visited.
        refine: candidates per answer compared again; 1 where descriptors are bits.
        recall: share of the nearest rows that it finds.
        milliseconds: of one query, the median; None where it was not timed.
    """

    nprobes: int
    refine: int
    recall: float
    milliseconds: float | None = None

    def __str__(self) -> str:
        return f"nprobes {self.nprobes}, refine {self.refine}: recall {self.recall:.4f}"


@dataclass(frozen=True)
class Tuning:
    """What a tuning found.

    Args:
        k: nearest rows among which recall is measured.
        wanted: the recall that was asked for.
        queries: rows that asked.
        rows: of the index.
        partitions: of its ANN index.
        before: the setting that search uses now.
        chosen: the fastest of those that reach what is wanted.
        enough: those, each with the fewest partitions for its candidates; the one in use too, if it
            does.
        exact: milliseconds of a query that is compared with every row.
        tried: every setting whose recall was measured.
    """

    k: int
    wanted: float
    queries: int
    rows: int
    partitions: int
    before: Tried
    chosen: Tried
    enough: tuple[Tried, ...]
    exact: float
    tried: tuple[Tried, ...]

    @property
    def probing(self) -> Probing:
        """The chosen setting, as an alias keeps it."""
        one = self.chosen
        return Probing(
            nprobes=one.nprobes, refine=one.refine, k=self.k, wanted=self.wanted, recall=one.recall
        )


def tune(
    dataset: lance.LanceDataset,
    wanted: float,
    k: int = K,
    queries: int = QUERIES,
    used: Probing | None = None,
    most: int | None = None,
) -> Tuning:
    """The cheapest setting with which the ANN index of DATASET finds WANTED of the K nearest rows.

    Rows of the index ask; what they find is held against comparing with every row. For each number
    of candidates the fewest partitions that suffice are found by bisection, for more of them find
    no less; of what suffices the fastest is chosen, a query at a time as a search asks.

    Args:
        dataset: an index version.
        wanted: the recall.
        k: nearest rows among which it is measured.
        queries: rows that ask, the same every time.
        used: the setting that search uses now; None for the one it begins with.
        most: partitions that a query may visit at most; all of them where None.

    Raises:
        ValueError: there is no ANN index.
        OutOfReach: the best setting finds less.
    """
    figures = measure(dataset, HealthPlan())
    if not indexable(dataset.schema):
        raise ValueError(
            "The index has no ANN index and gets none, for Lance cannot compare its rows, which "
            f"are {'codes' if quantised(dataset.schema) else 'visual words'}: its {figures.rows:,} "
            "rows are all compared, which finds all that there is, and nothing is to be tuned."
        )
    if not figures.partitions:
        raise ValueError(
            f"The index has no ANN index: its {figures.rows:,} rows are all compared, which finds "
            "all that there is. It gets one from index.exact_below rows on."
        )
    bits = metric_of(dataset.schema) == "hamming"
    probe = exact_probe(dataset, queries, k)
    tried: dict[tuple[int, int], Tried] = {}

    def trial(nprobes: int, refine: int) -> Tried:
        if (nprobes, refine) not in tried:
            found = recall(dataset, probe, _probing(nprobes, refine, k, wanted))
            tried[nprobes, refine] = Tried(nprobes, refine, round(found, 4))
        return tried[nprobes, refine]

    before = trial(used.nprobes if used else NPROBES, used.refine if used else REFINE)
    steps = _steps(min(figures.partitions, most or figures.partitions))
    fewest = [_fewest(steps, wanted, refine, trial) for refine in ((1,) if bits else REFINES)]
    enough = [one for one in fewest if one]
    if not enough:
        best = max(tried.values(), key=lambda one: one.recall)
        raise OutOfReach(
            f"No setting finds {wanted:g} of the {k} nearest rows: the best of {len(tried)} is "
            f"{best}, of {figures.partitions} partitions. Ask for no more than that"
            + (f", or let a query visit more than {most}." if most else ".")
        )
    if before.recall >= wanted:
        enough.append(before)
    *spent, used_now, exact = _timed(dataset, probe, [*enough, before, None], k)
    timed = [replace(one, milliseconds=of) for one, of in zip(enough, spent, strict=True)]
    return Tuning(
        k=k,
        wanted=wanted,
        queries=len(probe.queries),
        rows=figures.rows,
        partitions=figures.partitions,
        before=replace(before, milliseconds=used_now),
        chosen=min(timed, key=lambda one: (one.milliseconds, one.nprobes)),
        enough=tuple(timed),
        exact=exact,
        tried=tuple(tried.values()),
    )


def keep(store: Store, alias: str, pointer: Pointer, probing: Probing | None) -> Pointer:
    """Let searches of where ALIAS points ask by PROBING, or by default; the pointer then in force.

    Raises:
        AliasMoved: it no longer is POINTER, which was tuned: nothing was changed.
    """
    tuned = pointer.model_copy(
        update={"moved": now(), "why": "tuned", "accepted": (), "probing": probing}
    )
    Alias(store, alias).move(tuned, after=pointer)
    return tuned


def _fewest(
    steps: Sequence[int], wanted: float, refine: int, trial: Callable[[int, int], Tried]
) -> Tried | None:
    """The TRIAL of the fewest partitions that reaches WANTED with REFINE; None for none."""
    if trial(steps[-1], refine).recall < wanted:
        return None
    place = bisect_left(steps, True, key=lambda nprobes: trial(nprobes, refine).recall >= wanted)
    return trial(steps[place], refine)


def _steps(partitions: int) -> list[int]:
    """Numbers of partitions that are tried: 1, 2, 3, 4, 6, 8, 12, 16, ... up to all."""
    powers = [2**n for n in range(partitions.bit_length())]
    between = [3 * power // 2 for power in powers[1:]]
    return sorted({*(step for step in powers + between if step < partitions), partitions})


def _probing(nprobes: int, refine: int, k: int, wanted: float) -> Probing:
    """A setting whose recall is yet to be measured."""
    return Probing(nprobes=nprobes, refine=refine, k=k, wanted=wanted, recall=0)


def _timed(
    dataset: lance.LanceDataset, probe: Probe, settings: Sequence[Tried | None], k: int
) -> list[float]:
    """Milliseconds of one query by each of SETTINGS, the median of some; None compares all rows.

    Each query is asked by all of them in turn, so that what else the machine does slows all alike.
    """
    spent: list[list[float]] = [[] for _ in settings]
    for number, query in enumerate(probe.queries[: TIMED + 1]):
        for one, setting in zip(spent, settings, strict=True):
            probing = _probing(setting.nprobes, setting.refine, k, 1.0) if setting else None
            asked = nearest(dataset, query, k, exact=setting is None, probing=probing)
            began = time.perf_counter()
            dataset.scanner(["key", "_distance"], nearest=asked).to_table()
            if number or len(probe.queries) == 1:  # the first finds cold caches
                one.append(1000 * (time.perf_counter() - began))
    return [round(median(one), 3) for one in spent]
