"""Training images a second: against a bare PyTorch loop, and two workers against one."""

import shutil
from pathlib import Path
from typing import Any, Final

from benchmarks.pictures import FAMILIES, folder
from benchmarks.result import Bar, Repeats, Result
from benchmarks.stock import Stock, macs, recipe_of, stocked
from benchmarks.throughput import Pace
from benchmarks.watch import Watched, watched
from data.store import Store
from tasks.training.train import TrainPlan

PLAN: Final[dict[str, Any]] = {
    "supervision": "supervised",
    "descriptor": "binary",
    "dimensions": 48,
    "size": 32,
    "device": "cpu",
}
KINDS: Final = ("steady", "steady CPU")
WORKERS: Final = (1, 2)


def training(quick: bool, work: Path, peers: bool) -> Result:
    """Learning from 4,000 JPEGs against a bare loop, and by two workers against one."""
    count, epochs, width, rounds = (400, 2, 8, 1) if quick else (4_000, 4, 32, 3)
    plan = TrainPlan.model_validate(
        PLAN | {"epochs": epochs, "width": width, "batch": 20 if quick else 128}
    )
    pictures = folder(work / f"small-{count}", count, 64)
    recipe = recipe_of(work / "training.yaml", pictures)
    shutil.rmtree(work / "training", ignore_errors=True)
    stock = stocked(Store(str(work / "training")), recipe)
    repeats = Repeats()
    for _ in range(rounds):
        bare = watched("benchmarks.entrants.bare", [pictures, plan.model_dump_json()])
        _into(repeats, "bare loop", bare)
        _into(repeats, "Nightjar", _trained(stock, plan))
        for workers in WORKERS:
            told = _trained(stock, plan.model_copy(update={"workers": workers})).told
            name = f"Ray Train, {workers} worker{'s' * (workers > 1)}"
            repeats.add(name, "images/s", told["images"] / told["seconds"])
    ratios = {
        f"Nightjar / bare loop, {kind}": repeats.ratio(f"Nightjar: {kind}", f"bare loop: {kind}")
        for kind in KINDS
    }
    ratios["2 workers / 1 worker"] = repeats.ratio("Ray Train, 2 workers", "Ray Train, 1 worker")
    pace, cost = (ratios[f"Nightjar / bare loop, {kind}"].median for kind in KINDS)
    return Result(
        name="training",
        work=(
            f"learn {plan.dimensions} bits from {count:,} JPEGs of {min(FAMILIES, count)} classes, "
            f"{plan.size} x {plan.size} pixels, {macs(plan.spec()) / 1e6:.1f} MMAC an image and "
            f"pass, {epochs} epochs of batches of {plan.batch}, one torch thread a worker"
        ),
        baseline="a loop with the same network, views, loss and optimiser (entrants/bare.py)",
        quick=quick,
        load=repeats.load,
        figures=repeats.figures,
        ratios=ratios,
        bars=(
            Bar.least("of the bare loop's images/s, steady", pace, 0.95),
            Bar.most("times the bare loop's CPU an image, steady", cost, 1 / 0.95),
        ),
        notes=(
            "Steady: without starting up and decoding, which both do first. Two workers share each "
            "batch, average their gradients at every step and keep one state together; they are on "
            "one machine, over Gloo, and share its cores with Ray's own processes.",
        ),
    )


def _trained(stock: Stock, plan: TrainPlan) -> Watched:
    """Nightjar's training by PLAN."""
    told = [stock.store.root, stock.recipe.dataset, stock.version, plan.model_dump_json()]
    return watched("benchmarks.entrants.trainer", told)


def _into(repeats: Repeats, who: str, seen: Watched) -> None:
    """Add the pace of WHO, once it was up, to REPEATS."""
    pace = Pace.of(seen)
    repeats.add(f"{who}: steady", "images/s", pace.steady)
    repeats.add(f"{who}: steady CPU", "ms/image", pace.steady_ms)
    repeats.add(f"{who}: loss at the end", "", seen.told["loss"][-1])
