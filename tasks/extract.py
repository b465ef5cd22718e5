"""Extraction: a descriptor for every image that lacks one, each embedded once in its life."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import takewhile
from math import floor
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from data.descriptors import SAID, DescriptorCache
from data.plan import Plan
from data.store import Store
from models.pixels import DECODER
from tasks.cluster import ClusterPlan, spread
from tasks.pictures import distinct, missing, parts_of, pictures_in, refused_in

if TYPE_CHECKING:
    from tasks.describe import Described

__all__ = [
    "ExtractPlan",
    "Extraction",
    "FailureBudgetExceeded",
    "Limits",
    "extract",
    "missing",
    "pictures_in",
    "refused_in",
]

STAGE: Final = "extract"
Progress = Callable[[str, int, int, str], None]
"""Told how far it is: stage, pictures done, pictures in all, and a word more."""

CACHE_PARTS: Final = 32
"""Parts of the cache beyond which the small ones are folded together: every lookup opens each."""
NAMED: Final = 10
"""Bad pictures that an error names."""


class ExtractPlan(Plan):
    """How pictures become descriptors, and how many may fail to."""

    batch: int = Field(default=64, gt=0, description="pictures a forward pass")
    part: int = Field(default=256, gt=0, description="pictures a worker takes at once")
    device: str = Field(default="auto", description="a torch device; auto: a GPU if there is one")
    precision: Literal["float32", "float16", "bfloat16"] = Field(
        default="float32",
        description="of the arithmetic; descriptors are stored as the encoder says",
    )
    decode_threads: int = Field(
        default=0, ge=0, description="threads a worker that decode ahead, to feed a GPU"
    )
    failure_budget: float = Field(
        default=0.02, ge=0, le=1, description="share of the pictures that may be bad"
    )
    min_failures: int = Field(
        default=10, ge=0, description="bad pictures that are always allowed, however few there are"
    )

    def allowed(self, pictures: int) -> int:
        """How many of PICTURES may be bad."""
        return max(self.min_failures, floor(self.failure_budget * pictures + 1e-9))


class Limits(Plan):
    """Bounds of a night: what does not fit waits, counted, for the next."""

    max_embeds: int | None = Field(default=None, ge=0, description="pictures")
    max_minutes: float | None = Field(default=None, ge=0, description="minutes of wall time")


@dataclass(frozen=True)
class Extraction:
    """What an extraction came to.

    Args:
        embedded: pictures that were really encoded now.
        cached: pictures that had a descriptor already.
        bad: (digest, reason, decoder) of those that can have none.
        deferred: pictures that a limit leaves to the next run.
        seconds: wall time.
        rate: pictures embedded a second, torch once loaded; 0 where none was.
    """

    embedded: int
    cached: int
    bad: pa.Table
    deferred: int
    seconds: float
    rate: float


class FailureBudgetExceeded(RuntimeError):
    """More pictures are bad than the recipe allows; what was embedded stays in the cache."""


def extract(
    store: Store,
    dataset: str,
    pictures: pa.Table,
    encoder: str,
    plan: ExtractPlan,
    cluster: ClusterPlan,
    limits: Limits,
    progress: Progress,
    refused: pa.Table | None = None,
) -> Extraction:
    """Give each of PICTURES that lacks one a descriptor by ENCODER, in the cache.

    Every part that is finished stays, whatever becomes of the run; the next one embeds the rest.
    The failure budget is a share of PICTURES, those that were known before included.

    Args:
        store: where the shards are and the cache is.
        dataset: whose shards they are.
        pictures: `PICTURES` columns; duplicates of a digest count once.
        encoder: digest of the encoder.
        plan: batches, device, failure budget.
        cluster: where to work; a few pictures in this process.
        limits: what may be done now.
        progress: told after every part.
        refused: pictures that were found bad when their bytes were read (`SAID`); they are not
            among PICTURES, and count against the budget as if they were.

    Raises:
        FailureBudgetExceeded: more pictures are bad than allowed.
        CanaryMismatch: a worker's encoder does not see what it should.
        WorkFailed: a part could not be done; caused by CorruptShard where a shard is damaged.
    """
    begun = time.monotonic()
    cache = DescriptorCache(store, encoder)
    pictures = distinct(pictures)
    known = cache.known(pictures["digest"], DECODER)
    fresh = pc.invert(pc.is_in(pictures["digest"], value_set=known["digest"].combine_chunks()))
    todo = pictures.filter(fresh).sort_by([("shard", "ascending"), ("offset", "ascending")])
    now = todo.slice(0, limits.max_embeds)
    deadline = np.inf if limits.max_minutes is None else begun + 60 * limits.max_minutes
    tally = Tally(plan, len(pictures), known, progress, refused)
    tally.check(len(pictures))
    if len(now):
        from tasks.describe import describer  # deferred: it brings torch along

        tally.begun = time.monotonic()
        work = partial(
            describer, store, encoder, plan.batch, plan.device, plan.precision, plan.decode_threads
        )
        here = cluster.here(len(now))
        size = plan.batch if here else plan.part  # a thread costs nothing to come back to
        parts = takewhile(lambda _: time.monotonic() < deadline, parts_of(now, dataset, size))
        with closing(
            spread(work, parts, cluster, here=here, name=lambda part: part.name)
        ) as answers:
            for described in answers:
                tally.add(described)
        cache.merge(CACHE_PARTS)
    tally.check(len(known) + tally.done)
    ended = time.monotonic()
    return Extraction(
        embedded=tally.embedded,
        cached=tally.cached,
        bad=tally.bad(),
        deferred=len(todo) - tally.done,
        seconds=ended - begun,
        rate=tally.embedded / (ended - tally.begun),
    )


def check_refused(plan: ExtractPlan, read: int, refused: pa.Table) -> None:
    """Return if of READ files no more are REFUSED (`SAID`) than PLAN allows.

    Raises:
        FailureBudgetExceeded: more are.
    """
    others = read - len(refused)
    Tally(plan, others, SAID.empty_table(), lambda *_: None, refused).check(others)


class Tally:
    """Counts what becomes of the pictures, tells whoever watches, and holds the failure budget.

    Args:
        plan: the budget.
        pictures: how many there are in all.
        known: what the cache knew of them (`SAID`).
        progress: told after every part.
        earlier: what was refused before it came here (`SAID`); weighs on the budget alone.
    """

    def __init__(
        self,
        plan: ExtractPlan,
        pictures: int,
        known: pa.Table,
        progress: Progress,
        earlier: pa.Table | None = None,
    ) -> None:
        self._plan, self._pictures, self._progress = plan, pictures, progress
        self._earlier = SAID.empty_table() if earlier is None else earlier
        self._known_bad = known.filter(pc.not_equal(known["reason"], ""))
        self._refused: list[tuple[str, str]] = []
        self.begun = time.monotonic()
        self._waiting = pictures - len(known)
        self.cached = len(known) - len(self._known_bad)
        self.embedded = 0

    @property
    def done(self) -> int:
        """Pictures that were tried now, good and bad."""
        return self.embedded + len(self._refused)

    def add(self, described: "Described") -> None:
        """Count DESCRIBED.

        Raises:
            FailureBudgetExceeded: so many are bad that no good ones to come can make up for them.
        """
        self.embedded += described.embedded
        self._refused += described.bad
        self._progress(STAGE, self.done, self._waiting, self._note())
        self.check(self._pictures)

    def bad(self) -> pa.Table:
        """The digest, reason and decoder of all bad pictures, those known before first."""
        digests, reasons = zip(*self._refused, strict=True) if self._refused else ((), ())
        decoders = [DECODER] * len(digests)
        refused = pa.table([pa.array(c, pa.string()) for c in (digests, reasons, decoders)], SAID)
        return pa.concat_tables([self._known_bad, refused])

    def check(self, pictures: int) -> None:
        """Return if of PICTURES no more are bad than the plan allows.

        Raises:
            FailureBudgetExceeded: more are; says how many, of what, and which.
        """
        pictures += len(self._earlier)
        bad = len(self._earlier) + len(self._known_bad) + len(self._refused)
        if bad <= self._plan.allowed(pictures):
            return
        found = pa.concat_tables([self._earlier, self.bad()])
        reasons = Counter(found["reason"].to_pylist()).most_common()
        raise FailureBudgetExceeded(
            f"{bad} of {pictures} pictures are bad, {self._plan.allowed(pictures)} are allowed "
            f"(extract.failure_budget {self._plan.failure_budget:g}, extract.min_failures "
            f"{self._plan.min_failures}): {', '.join(f'{n} {reason}' for reason, n in reasons)}. "
            f"The first: {', '.join(found['digest'].to_pylist()[:NAMED])}. What was embedded "
            "is kept. Mend the source, or allow more in the recipe."
        )

    def _note(self) -> str:
        """Speed, time left and failures, for people."""
        rate = self.done / max(time.monotonic() - self.begun, 1e-9)
        left = timedelta(seconds=round((self._waiting - self.done) / rate))
        return f"{rate:.0f} images/s, {left} left, {len(self._refused)} failed"
