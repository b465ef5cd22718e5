"""Peak memory while indexing N pictures and ten times as many."""

import shutil
from pathlib import Path

from benchmarks.pictures import folder
from benchmarks.result import Bar, Repeats, Result
from benchmarks.stock import recipe_of
from benchmarks.watch import watched

SIDE = 64


def memory(quick: bool, work: Path, peers: bool) -> Result:
    """Indexing 2,000 and 20,000 pictures on workers: the memory of all processes."""
    few, many, rounds = (40, 400, 1) if quick else (2_000, 20_000, 3)
    repeats = Repeats()
    for _ in range(rounds):
        for count in (few, many):
            pictures = folder(work / f"small-{count}", count, SIDE)
            word, store = work / f"memory-{count}.yaml", work / "memory"
            fields = {} if quick else {"cluster": {"small": 0}}  # Ray for both, or for none
            recipe_of(word, pictures, **fields)
            shutil.rmtree(store, ignore_errors=True)
            seen = watched("benchmarks.entrants.nights", [word, store, pictures, count, 0])
            repeats.add(f"{count:,} pictures, peak", "MB", seen.peak_mb)
            repeats.add(f"{count:,} pictures, peak not shared", "MB", seen.peak_private_mb)
            repeats.add(f"{count:,} pictures", "s", seen.told["full"]["seconds"])
    ratios = {
        f"{many:,} / {few:,} pictures, {what}": repeats.ratio(
            f"{many:,} pictures, {what}", f"{few:,} pictures, {what}"
        )
        for what in ("peak", "peak not shared")
    }
    grows = ratios[f"{many:,} / {few:,} pictures, peak"].median
    return Result(
        name="memory",
        work=f"index {few:,} and {many:,} JPEGs of {SIDE} x {SIDE} pixels, 128 float32 each",
        baseline=f"the {few:,} pictures",
        quick=quick,
        load=repeats.load,
        figures=repeats.figures,
        ratios=ratios,
        bars=(Bar.most("times the memory for ten times the pictures", grows, 1.1),),
        notes=(
            "Resident bytes of the whole tree of processes, added up every 0.2 s; memory that "
            'processes share counts for each of them in "peak".',
        ),
    )
