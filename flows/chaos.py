"""Break it and prove it: runs killed at random instants must end as an undisturbed run does."""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from data.descriptors import DescriptorCache
from data.manifest import LIVE, manifest
from data.store import Store
from flows.imprint import Imprint, differences, imprint
from flows.night import Progress
from flows.recipe import Recipe
from flows.trace import Event
from flows.victim import Run
from tasks.crew import cores


@dataclass(frozen=True)
class Trial:
    """One run that was killed, and the run that took over.

    Args:
        stage: in which it was killed; empty where it ended before.
        after: seconds into that stage.
        kept: descriptors that the killed run had finished.
        embedded: images that the run after it embedded.
        again: of these, how many had a finished descriptor already; must be none.
        in_flight: images at most whose embedding the kill cut off.
        differs: what is not as the undisturbed run left it.
    """

    stage: str
    after: float
    kept: int
    embedded: int
    again: int
    in_flight: int
    differs: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of all trials, and how many images there were to embed."""

    HEAD: ClassVar[Sequence[str]] = (
        "killed in", "after s", "kept", "embedded then", "again", "in flight", "differs",
    )  # fmt: skip

    needed: int
    trials: tuple[Trial, ...]

    @property
    def rows(self) -> list[list[Any]]:
        """A row a trial, in the columns of `HEAD`."""
        return [
            [
                trial.stage or "(had ended)",
                round(trial.after, 3),
                trial.kept,
                trial.embedded,
                trial.again,
                trial.in_flight,
                "; ".join(trial.differs) or "nothing",
            ]
            for trial in self.trials
        ]

    @property
    def differences(self) -> int:
        """Trials that did not end as the undisturbed run."""
        return sum(bool(trial.differs) for trial in self.trials)

    @property
    def wasted(self) -> int:
        """Images at most that were embedded in vain, in all trials."""
        return sum(trial.again + trial.in_flight for trial in self.trials)

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        killed = sum(bool(trial.stage) for trial in self.trials)
        ending = (
            f"{self.differences} ended otherwise than the undisturbed run"
            if self.differences
            else "each ended bit for bit as the undisturbed run"
        )
        return (
            f"{killed} of {len(self.trials)} runs killed: {ending}; of {self.needed} embeddings a "
            f"run at most {self.wasted} in all were wasted."
        )

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        figures = {"needed": self.needed, "wasted": self.wasted, "differences": self.differences}
        return figures | {"trials": [asdict(trial) for trial in self.trials]}


def chaos(word: str, *, kills: int, seed: int, progress: Progress) -> Outcome:
    """What becomes of KILLS runs of recipe WORD, each killed once and run again to its end.

    All happens in throw-away stores of a temporary folder; the source is only read. A stage is
    drawn for each kill, every one in its turn, and an instant within the time it took undisturbed.

    Raises:
        RuntimeError: the undisturbed run, or one that should have taken over, failed.
    """
    recipe = Recipe.named(word)
    with tempfile.TemporaryDirectory(prefix="nightjar-chaos-") as folder:
        calm = Run(word, Path(folder) / "calm")
        told = calm.to_the_end()
        wanted = imprint(calm.store, recipe, told)
        stages = durations(calm.events)
        trials = []
        for number, (stage, delay) in enumerate(instants(stages, kills, seed), 1):
            run = Run(word, Path(folder) / str(number))
            trials.append(_trial(run, recipe, stage, delay, told.embedded, wanted))
            progress("chaos", number, kills, f"killed in {trials[-1].stage or 'nothing'}")
    return Outcome(told.embedded, tuple(trials))


def durations(trace: Sequence[Event]) -> dict[str, float]:
    """The seconds of each stage of TRACE, the first time it ran, in their order."""
    found: dict[str, float] = {}
    begun: dict[str, float] = {}
    for event in trace:
        if event.what == "begin":
            begun[event.stage] = event.at
        elif event.what == "end":
            found.setdefault(event.stage, event.at - begun[event.stage])
    return found


def instants(stages: Mapping[str, float], kills: int, seed: int) -> Iterator[tuple[str, float]]:
    """KILLS pairs of a stage and seconds after its begin; no stage twice before each had one."""
    draw = random.Random(seed)
    names: list[str] = []
    for _ in range(kills):
        names = names or draw.sample(sorted(stages), len(stages))
        stage = names.pop()
        yield stage, draw.random() * stages[stage]


def _trial(
    run: Run, recipe: Recipe, stage: str, delay: float, needed: int, wanted: Imprint
) -> Trial:
    """What comes of killing RUN DELAY seconds into STAGE, and running it again to its end."""
    killed = run.killed(stage, delay)
    where = _where(run.events) if killed else ""
    kept = _kept(run.store, recipe)
    told = run.to_the_end()
    if recipe.cluster.here(needed):
        held = recipe.extract.batch * recipe.cluster.threads()
    else:
        held = recipe.extract.part * (recipe.cluster.workers or cores())
    cut_off = min(held, needed - kept)
    return Trial(
        stage=where,
        after=delay,
        kept=kept,
        embedded=told.embedded,
        again=max(0, kept + told.embedded - needed) if killed else 0,
        in_flight=cut_off if where == "extract" else 0,
        differs=differences(wanted, imprint(run.store, recipe, told)),
    )


def _where(trace: Sequence[Event]) -> str:
    """The stage that had begun and not ended."""
    open_stages: list[str] = []
    for event in trace:
        if event.what == "begin":
            open_stages.append(event.stage)
        elif event.what == "end":
            open_stages.remove(event.stage)
    return open_stages[-1] if open_stages else "between stages"


def _kept(store: Store, recipe: Recipe) -> int:
    """The good descriptors of live images that are in STORE, of whatever encoder."""
    table = manifest(store, recipe.dataset).latest()
    if table is None:
        return 0
    digests = table.to_table(columns=["digest"], filter=f"state = '{LIVE}'")["digest"].unique()
    counts = [0]
    for encoder in store.names("descriptors"):
        known = DescriptorCache(store, encoder).known(digests)
        counts.append(sum(reason == "" for reason in known["reason"].to_pylist()))
    return max(counts)
