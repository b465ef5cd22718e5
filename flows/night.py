"""What the stages of one night share: run, lease, workspace, clock and bounds."""

import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from data.aliases import Alias
from data.lease import Lease, dataset_lease
from data.store import Store
from flows.recipe import Recipe
from tasks.balance import Ledger
from tasks.extract import Extraction, Limits

R = TypeVar("R")

RUNS: Final = "runs"
TELLING: Final = 50
"""Images from which on a rate is worth remembering."""


class Progress(Protocol):
    """Told how far a stage is: its name, items done, items in all (0: unknown), a word more."""

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        """Take note."""


class Stage(Protocol):
    """How a stage is run: called as it is, or as a task of an orchestrator."""

    def __call__(self, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """What ``work(*args, **kwargs)`` returns."""


def call(work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
    """Run WORK as it is, in this process."""
    return work(*args, **kwargs)


def quiet(stage: str, done: int, total: int, note: str) -> None:
    """Progress that nobody watches."""


@dataclass
class Night:
    """One run of a recipe, from taking its leases to letting them go.

    Args:
        run: names the run; sorts by time.
        recipe: what is run.
        store: where.
        leases: the right to write, to the recipe's index and to the dataset it may share.
        workspace: a temporary folder through which stages hand tables on.
        limits: bounds of the night.
        progress: who watches.
        stage: how stages are run.
        seconds: wall time by stage, filled as they run.
        rates: images a second, "read" and "embed", of stages large enough to tell.
    """

    run: str
    recipe: Recipe
    store: Store
    leases: tuple[Lease, ...]
    workspace: Path
    limits: Limits
    progress: Progress
    stage: Stage
    seconds: dict[str, float] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """Return if this run may still write; called right before every commit.

        Raises:
            LeaseLost: another run took over while this one was silent.
        """
        for lease in self.leases:
            lease.check()

    @property
    def alias(self) -> Alias:
        """The production alias of the recipe."""
        return Alias(self.store, self.recipe.name)

    @property
    def deadline(self) -> float | None:
        """When no more work is begun, by `time.monotonic`; None for a night without bound."""
        minutes = self.limits.max_minutes
        return None if minutes is None else self.started + 60 * minutes

    def left(self, embedded: int) -> Limits:
        """What is left of the limits after EMBEDDED images."""
        images, deadline = self.limits.max_embeds, self.deadline
        return Limits(
            max_embeds=None if images is None else max(0, images - embedded),
            max_minutes=None if deadline is None else max(0.0, deadline - time.monotonic()) / 60,
        )

    def __call__(self, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Run one stage and add its wall time under the function's name."""
        begun = time.monotonic()
        try:
            return self.stage(work, *args, **kwargs)
        finally:
            name = work.__name__
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begun

    @property
    def papers(self) -> str:
        """The folder of the store for what this run leaves to be read."""
        return f"{RUNS}/{self.recipe.name}/{self.run}"

    def took_in(self, images: int) -> None:
        """Learn the rate of reading from IMAGES that `shard` has read by now."""
        if images >= TELLING:
            self.rates["read"] = images / self.seconds["shard"]

    def embedded(self, extraction: Extraction) -> None:
        """Learn the rate of embedding from EXTRACTION."""
        if extraction.embedded >= TELLING:
            self.rates["embed"] = extraction.rate

    def keep(self, ledger: Ledger) -> Ledger:
        """LEDGER, kept among the papers of this run."""
        self.record("ledger.json", ledger.model_dump_json(indent=1))
        return ledger

    def record(self, name: str, content: str) -> None:
        """Keep CONTENT as NAME among the papers of this run."""
        self.store.write(f"{self.papers}/{name}", content.encode())


@contextmanager
def night(
    recipe: Recipe,
    store: Store,
    limits: Limits,
    progress: Progress,
    stage: Stage,
) -> Iterator[Night]:
    """The night of RECIPE: alone in the store for it, with a workspace that goes when it ends.

    A run that fails leaves ``failed.json`` with the reason among its papers.

    Raises:
        LeaseHeld: another run of the recipe, or over the same dataset, is at work.
    """
    workspace = Path(tempfile.mkdtemp(prefix="nightjar-"))
    try:
        with (
            Lease(store, recipe.name) as index,
            Lease(store, dataset_lease(recipe.dataset)) as ground,
        ):
            leases = (index, ground)
            this = Night(new_run(), recipe, store, leases, workspace, limits, progress, stage)
            try:
                yield this
            except BaseException as error:
                reason = {"run": this.run, "error": type(error).__name__, "message": str(error)}
                this.record("failed.json", json.dumps(reason | {"seconds": this.seconds}, indent=1))
                raise
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def new_run() -> str:
    """A name for a run that starts now: UTC to the microsecond, then a few random letters.

    Names sort by time, also those of two runs within a second.
    """
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}Z-{secrets.token_hex(3)}"


def runs(store: Store, recipe: str) -> list[str]:
    """The runs of RECIPE that left papers, oldest first."""
    return store.names(f"{RUNS}/{recipe}")


def last_paper(store: Store, recipe: str, name: str, among: Sequence[str] | None = None) -> bytes:
    """The newest NAME (``ledger.json``) among the papers of RECIPE's runs, or of those AMONG them.

    Raises:
        FileNotFoundError: none of them has left such a paper; names the newest that have.
    """
    for run in reversed(among if among is not None else runs(store, recipe)):
        paper = f"{RUNS}/{recipe}/{run}/{name}"
        if store.exists(paper):
            return store.read(paper)
    if among is not None:
        others = reversed(runs(store, recipe))
        left = (run for run in others if store.exists(f"{RUNS}/{recipe}/{run}/{name}"))
        if newest := list(islice(left, 5)):
            raise FileNotFoundError(
                f"Run {', '.join(among)} of {recipe} has left no {name} in {store.root}: choose "
                f"from {', '.join(newest)}."
            )
    raise FileNotFoundError(
        f"No run of {recipe} has left a {name} in {store.root}. Run it first: `nightjar reindex` "
        "with its recipe."
    )
