"""The benchmark of the taxonomy: every supervision, network and descriptor against its baseline.

Each entrant is a whole night of a recipe: trained, embedded, indexed and measured by the flow that
runs at night. What has run is not run again, so a benchmark that broke off goes on.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, Final, Self

from pydantic import Field

from data.lineage import code_revision, library_versions
from data.plan import Plan, digest_of
from data.store import Store
from data.taxonomy import Supervision
from flows.contest import BUDGETS, ROWS, SIDES, Budget, Row
from flows.hearsay import tagged
from flows.recipe import Recipe
from flows.reindex import reindex
from tasks.gates import GATES

QUERIES: Final = 1000
"""Of a protocol's queries so many are asked, the same ones of all entrants."""

Say = Callable[[str], None]


class Standing(Plan):
    """How an entrant came off.

    Args:
        value: of the metric.
        seconds: wall time of its training, of however many runs.
        encoder: digest of what was trained.
    """

    value: float
    seconds: float
    encoder: str


class Outcome(Plan):
    """A row on one dataset with one seed, and what it was held against.

    Args:
        row: its name.
        axis: of the taxonomy.
        word: of the taxonomy.
        dataset: that was learned from and searched.
        protocol: by which all were measured.
        metric: the protocol's headline.
        seed: of the trainings.
        must: the name of the one that it must beat.
        own: how it came off.
        against: how the others did, by name.
    """

    row: str
    axis: str
    word: str
    dataset: str
    protocol: str
    metric: str
    seed: int
    must: str
    own: Standing
    against: dict[str, Standing] = Field(default_factory=dict)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """The outcome that was KEPT with its verdict."""
        return cls.model_validate({name: of for name, of in kept.items() if name != "beats"})

    @property
    def beats(self) -> bool:
        """Whether it is better than the one that it must beat."""
        return self.own.value > self.against[self.must].value


def taxonomy(
    folder: Path,
    roots: Mapping[str, Path],
    *,
    rows: Sequence[str] = (),
    budget: Budget = "minutes",
    seeds: int = 1,
    settings: Mapping[str, Any] | None = None,
    say: Say = print,
) -> Iterator[Outcome]:
    """Put ROWS to the test, one outcome after the other.

    Args:
        folder: takes the store; a benchmark that broke off goes on there.
        roots: where the official files of each dataset lie, by its name.
        rows: names of `ROWS`; all where none is named.
        budget: what a training may take.
        seeds: trainings of each entrant, with the seeds 0, 1, …
        settings: words of `train` that all entrants get besides.
        say: told what runs.

    Raises:
        ValueError: an unknown row or dataset; names the choices.
    """
    arena = Arena(folder, roots, budget, settings or {}, say)
    for seed in range(seeds):
        for dataset in roots:
            for row in chosen(rows):
                yield arena.outcome(row, dataset, seed)


def chosen(names: Iterable[str]) -> list[Row]:
    """The rows of NAMES, by full name or by the word alone; all where there are none.

    Raises:
        ValueError: there is no such row; names the choices.
    """
    wanted = set(names)
    found = [row for row in ROWS if not wanted or wanted & {row.name, row.word}]
    missing = wanted - {name for row in ROWS for name in (row.name, row.word)}
    if missing:
        choices = ", ".join(row.name for row in ROWS)
        raise ValueError(f"The taxonomy has no row {min(missing)!r}: choose from {choices}.")
    return found


class Arena:
    """Where entrants run, each once.

    Args:
        folder: takes the store.
        roots: where the official files of each dataset lie.
        budget: what a training may take.
        settings: words of `train` that all entrants get besides.
        say: told what runs.

    Raises:
        ValueError: a dataset that the taxonomy is not tested on; names the choices.
    """

    def __init__(
        self,
        folder: Path,
        roots: Mapping[str, Path],
        budget: Budget,
        settings: Mapping[str, Any],
        say: Say,
    ) -> None:
        for dataset in roots:
            if dataset not in SIDES:
                raise ValueError(
                    f"The taxonomy is not tested on {dataset}: choose from {', '.join(SIDES)}."
                )
        self.folder, self.roots, self.say = folder, roots, say
        self.common = {**BUDGETS[budget], **settings}
        self.store = Store(str(folder / "store"))

    def outcome(self, row: Row, dataset: str, seed: int) -> Outcome:
        """How ROW and what it is held against come off on DATASET with SEED."""
        own, metric, protocol = self.standing(row, row.train, dataset, seed)
        against = {
            name: self.standing(row, words, dataset, seed)[0] for name, words in row.against.items()
        }
        outcome = Outcome(
            row=row.name,
            axis=row.axis,
            word=row.word,
            dataset=dataset,
            protocol=protocol,
            metric=metric,
            seed=seed,
            must=row.must,
            own=own,
            against=against,
        )
        beaten = ", ".join(f"{name} {one.value:.3f}" for name, one in against.items())
        verdict = "beats" if outcome.beats else "DOES NOT BEAT"
        self.say(
            f"{row.name} on {dataset}, seed {seed}: {protocol} {metric} {own.value:.3f} {verdict} "
            f"{row.must} ({beaten})"
        )
        return outcome

    def standing(
        self, row: Row, words: Mapping[str, Any], dataset: str, seed: int
    ) -> tuple[Standing, str, str]:
        """How a recipe that trains as WORDS say comes off; the metric and the protocol."""
        recipe = self.recipe(row, words, dataset, seed)
        if row.tags:
            copy = Path(recipe.source.root)
            tagged(dataset, self.roots[dataset], copy, lambda done, total: None)
        ledger = reindex(recipe, store=self.store, accept=GATES)
        card = json.loads(self.store.read(f"encoders/{ledger.encoder}/card.json"))
        standing = Standing(
            value=round(ledger.metrics[ledger.headline], 5),
            seconds=round(card["seconds"], 1),
            encoder=ledger.encoder,
        )
        return standing, ledger.headline, ledger.protocol

    def recipe(self, row: Row, words: Mapping[str, Any], dataset: str, seed: int) -> Recipe:
        """The recipe that trains as WORDS say, and is measured as ROW is, on DATASET with SEED."""
        train = {
            **self.common,
            "size": SIDES[dataset],
            "flip": dataset != "mnist",
            "split": "train",
            "seed": seed,
            **words,
        }
        if train.get("supervision") == Supervision.SUPERVISED:
            # a few labels alone: as many steps as they get who see all pictures beside them
            train["epochs"] = round(train["epochs"] / train.get("labelled", 1))
        evaluate: dict[str, Any] = {"protocol": row.protocol(dataset), "queries": QUERIES}
        source = {"dataset": dataset, "root": str(self.roots[dataset])}
        held = dataset
        if row.tags:
            held = f"{dataset}-tags"
            source = {"dataset": "tars", "root": str((self.folder / held).absolute())}
            evaluate = {"protocol": "labels", "split": "test", "queries": QUERIES, "k": 1000}
        elif row.unseen:
            train = {**train, "split": None, "protocol": row.protocol(dataset)}
        name = f"{held}-{digest_of([train, evaluate])[:12]}"
        return Recipe.model_validate(
            {
                "name": name,
                "dataset": held,
                "source": source,
                "train": train,
                "evaluate": evaluate,
                "pin": False,
            }
        )


def kept(outcomes: Sequence[Outcome], budget: Budget) -> dict[str, Any]:
    """OUTCOMES as they are written down, with the machine's words on what ran them."""
    return {
        "budget": budget,
        "settings": dict(BUDGETS[budget]),
        "queries": QUERIES,
        "code": code_revision(),
        "libraries": library_versions(),
        "outcomes": [one.model_dump(mode="json") | {"beats": one.beats} for one in outcomes],
    }


def table(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """OUTCOMES as lines: a row and dataset each, the mean over its seeds and their range."""
    lines = []
    for key in dict.fromkeys((one.row, one.dataset) for one in outcomes):
        mine = [one for one in outcomes if (one.row, one.dataset) == key]
        first = mine[0]
        wins = sum(one.beats for one in mine)
        lines.append(
            [
                first.axis,
                first.word,
                first.dataset,
                f"{first.protocol} {first.metric}",
                _span([one.own.value for one in mine]),
                first.must,
                _span([one.against[first.must].value for one in mine]),
                f"{wins} of {len(mine)}",
                "; ".join(
                    f"{name} {_span([one.against[name].value for one in mine])}"
                    for name in first.against
                    if name != first.must
                ),
                f"{mean(one.own.seconds for one in mine):.0f}",
            ]
        )
    return lines


HEAD: Final = (
    "axis", "word", "dataset", "measured by", "value", "must beat", "its value", "beats it",
    "beside it", "training, s",
)  # fmt: skip


def _span(values: Sequence[float]) -> str:
    """The mean of VALUES, and from where to where they go where there are several."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{mean(values):.3f} ({min(values):.3f}-{max(values):.3f})"
