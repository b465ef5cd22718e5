"""What a benchmark found: figures with their spread, ratios within a repeat, bars, as JSON."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Self

from pydantic import Field

from benchmarks.machine import load, machine
from data.plan import Plan


class Figure(Plan):
    """One quantity over all repeats.

    Args:
        unit: of the values; "×" for a ratio.
        values: one a repeat, in their order.
    """

    unit: str
    values: tuple[float, ...] = Field(min_length=1)
    median: float
    min: float
    max: float

    @classmethod
    def of(cls, unit: str, values: Sequence[float]) -> Self:
        """The figure of VALUES."""
        kept = tuple(float(f"{value:.5g}") for value in values)
        return cls(unit=unit, values=kept, median=median(kept), min=min(kept), max=max(kept))

    def __str__(self) -> str:
        spread = f" ({self.min:.4g}–{self.max:.4g})" if len(self.values) > 1 else ""
        return f"{self.median:.4g} {self.unit}{spread}"


class Bar(Plan):
    """What a figure should come to, and whether it does."""

    says: str
    value: float
    bound: float
    holds: bool

    @classmethod
    def least(cls, says: str, value: float, bound: float) -> Self:
        """VALUE is to be BOUND or more."""
        return cls(says=says, value=value, bound=bound, holds=value >= bound)

    @classmethod
    def most(cls, says: str, value: float, bound: float) -> Self:
        """VALUE is to be BOUND or less."""
        return cls(says=says, value=value, bound=bound, holds=value <= bound)


class Result(Plan):
    """What one benchmark found.

    Args:
        name: of the benchmark.
        work: what was done, with sizes.
        baseline: what it is held against.
        quick: whether the sizes were those that only show that it runs.
        machine: where; see `benchmarks.machine`.
        load: processes that wanted a core, before and after: the figures of a busy machine differ.
        figures: by name.
        ratios: by name; each is taken within a repeat, between neighbours in time.
        bars: what the project promises.
        notes: what could not be measured, and what else to know.
    """

    name: str
    work: str
    baseline: str
    quick: bool
    machine: dict[str, Any] = Field(default_factory=machine)
    load: tuple[float, float]
    figures: dict[str, Figure]
    ratios: dict[str, Figure]
    bars: tuple[Bar, ...]
    notes: tuple[str, ...] = ()

    def kept(self, folder: Path) -> Path:
        """The JSON file of FOLDER that this result was written to."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(self.model_dump_json(indent=1) + "\n")
        return path


class Repeats:
    """Collects a benchmark's values, repeat by repeat; remembers the load it began under."""

    def __init__(self) -> None:
        self.before = load()
        self._values: dict[str, tuple[str, list[float]]] = {}

    def add(self, name: str, unit: str, value: float) -> None:
        """Add VALUE, which repeat after repeat is called NAME."""
        self._values.setdefault(name, (unit, []))[1].append(value)

    def __getitem__(self, name: str) -> list[float]:
        return self._values[name][1]

    @property
    def figures(self) -> dict[str, Figure]:
        """All that was added."""
        return {name: Figure.of(unit, values) for name, (unit, values) in self._values.items()}

    def ratio(self, above: str, below: str) -> Figure:
        """ABOVE by BELOW, repeat by repeat; a baseline taken once serves all repeats."""
        one, other = self[above], self[below]
        others = other * len(one) if len(other) == 1 else other
        return Figure.of("×", [a / b for a, b in zip(one, others, strict=True)])

    @property
    def load(self) -> tuple[float, float]:
        """The load before the first repeat and now."""
        return self.before, load()


def against(new: Result, old: Result) -> Mapping[str, float]:
    """NEW by OLD, median by median, for the figures that both have.

    Raises:
        ValueError: they are of different benchmarks or sizes.
    """
    if (new.name, new.work) != (old.name, old.work):
        raise ValueError(f"{new.name} ({new.work}) cannot be held against {old.name} ({old.work}).")
    both = [name for name in new.figures if name in old.figures and old.figures[name].median]
    return {name: new.figures[name].median / old.figures[name].median for name in both}
