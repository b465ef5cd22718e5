"""What a kill in the middle of extraction costs: images that are embedded twice."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.pictures import folder
from benchmarks.result import Bar, Repeats, Result
from benchmarks.stock import Stock, recipe_of, stocked
from benchmarks.watch import Watched, watched
from data.descriptors import DescriptorCache
from data.store import Store
from flows.trace import events
from tasks.crew import cores
from tasks.extract import ExtractPlan

SIDE: Final = 64


def kills(quick: bool, work: Path, peers: bool) -> Result:
    """SIGKILL of all processes of `nightjar reindex` half way through extraction, and once more."""
    plan = ExtractPlan()
    count, rounds, part = (240, 1, plan.batch) if quick else (5_000, 5, plan.part)
    pictures = folder(work / f"small-{count}", count, SIDE)
    small = 10**9 if quick else 0
    recipe = recipe_of(
        work / "kills.yaml",
        pictures,
        cluster={"small": small},
        pin=False,
    )
    crew = cores()
    repeats = Repeats()
    for _ in range(rounds):
        shutil.rmtree(work / "kills", ignore_errors=True)
        stock = stocked(Store(str(work / "kills")), recipe)
        kept, told = _killed(stock, work, count)
        repeats.add("Nightjar: kept of the killed run", "images", kept)
        repeats.add("Nightjar: embedded by the next", "images", told["embedded"])
        again = kept + told["embedded"] - count
        lost = again + min(crew * part, count - kept)
        repeats.add("Nightjar: finished and embedded again", "images", again)
        repeats.add("Nightjar: wasted at most", "images", lost)
        done, embedded = _killed_by_hand(stock, pictures, work, count)
        repeats.add("by hand: embedded by the killed run", "images", done)
        repeats.add("by hand: wasted", "images", done + embedded - count)
    figures = repeats.figures
    shard = recipe.shard.images
    return Result(
        name="kills",
        work=(
            f"{count:,} JPEGs of {SIDE} x {SIDE} pixels in shards of {shard:,}; every process is "
            "killed once half of them are embedded, then the run is begun again"
        ),
        baseline="a script of one transaction a night (peers/handwritten.py), killed the same way",
        quick=quick,
        load=repeats.load,
        figures=figures,
        ratios={
            "wasted, Nightjar at most / by hand": repeats.ratio(
                "Nightjar: wasted at most", "by hand: wasted"
            )
        },
        bars=(
            Bar.most(
                "images wasted by the worst kill", figures["Nightjar: wasted at most"].max, shard
            ),
            Bar.most(
                "images finished and yet embedded again",
                figures["Nightjar: finished and embedded again"].max,
                0,
            ),
        ),
        notes=(
            f"At most: each of {crew} workers may have held a part of {part} images unfinished.",
        ),
    )


def _killed(stock: Stock, work: Path, count: int) -> tuple[int, dict[str, Any]]:
    """Descriptors that a killed run of STOCK left, and what the run after it told."""
    trace = work / "kills.jsonl"
    trace.unlink(missing_ok=True)
    _reindex(stock, trace, partial(_half, trace, count))
    said = DescriptorCache(stock.store, stock.encoder).listing()
    kept = len({digest for batch in said for digest in batch["digest"].to_pylist()})
    return kept, _reindex(stock, trace).told


def _reindex(stock: Stock, trace: Path, until: Any = None) -> Watched:
    told = ["reindex", trace.with_suffix(".yaml"), "--here", "--json", "--trace", trace]
    return watched("flows.cli", told, environment={"NIGHTJAR_STORE": stock.store.root}, until=until)


def _half(trace: Path, count: int) -> bool:
    return any(one.stage == "extract" and 2 * one.done >= count for one in events(trace))


def _killed_by_hand(stock: Stock, pictures: Path, work: Path, count: int) -> tuple[int, int]:
    """Pictures that a killed night of the script had embedded, and those of the night after it."""
    home = work / "kills-by-hand"
    shutil.rmtree(home, ignore_errors=True)
    told = [stock.store.root, stock.encoder, pictures, home]
    done = home / "done"
    watched(
        "benchmarks.peers.handwritten",
        told,
        until=lambda: done.exists() and 2 * int(done.read_text() or 0) >= count,
    )
    before = int(done.read_text())
    return before, watched("benchmarks.peers.handwritten", told).told["full"]["embedded"]
