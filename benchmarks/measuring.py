"""Measuring all ranks of a database of codes: how long map[all] takes, and how much memory."""

from importlib.util import find_spec
from pathlib import Path

from benchmarks.result import Bar, Repeats, Result
from benchmarks.watch import watched

ENTRANT = "benchmarks.entrants.measured"


def measuring(quick: bool, work: Path, peers: bool) -> Result:
    """map[all] of 10,000 queries over 50,000 and 1,000,000 codes, against NumPy and faiss."""
    queries, few, many, rounds = (100, 1000, 20_000, 1) if quick else (10_000, 50_000, 1_000_000, 3)
    who = ["nightjar", "numpy", *(["faiss"] if find_spec("faiss") else [])]
    repeats, values = Repeats(), {}
    for _ in range(rounds):
        for one in who:
            seen = watched(ENTRANT, [one, queries, few])
            repeats.add(f"{one}: {few:,} codes", "s", seen.told["seconds"])
            repeats.add(f"{one}: {few:,} codes, peak memory", "MB", seen.peak_mb)
            values[one] = seen.told["value"]
    seen = watched(ENTRANT, ["nightjar", queries, many])  # minutes: once is enough for its memory
    repeats.add(f"nightjar: {many:,} codes", "s", seen.told["seconds"])
    repeats.add(f"nightjar: {many:,} codes, peak memory", "MB", seen.peak_mb)
    figures = repeats.figures
    told = ", ".join(f"{one} {value:.4f}" for one, value in values.items())
    notes = [
        "Seconds are those of measuring alone, in a process of its own; memory is that of the "
        "process, with the libraries that it imports.",
        f"map[all] by {told}: NumPy and faiss take ties in the order of the rows, Nightjar the "
        "mean over all their orders.",
    ]
    if "faiss" not in who:
        notes.append("faiss is not installed (pip install 'nightjar[bench]'): not measured.")
    return Result(
        name="measuring",
        work=f"map[all] of {queries:,} queries over {few:,} and {many:,} codes of 64 bits",
        baseline="NumPy that sorts every row for every query; faiss IndexBinaryFlat asked for all",
        quick=quick,
        load=repeats.load,
        figures=figures,
        ratios={
            f"seconds, {few:,} codes: nightjar / {one}": repeats.ratio(
                f"nightjar: {few:,} codes", f"{one}: {few:,} codes"
            )
            for one in who[1:]
        },
        bars=(
            Bar.most(
                f"s for map[all] over {few:,} codes",
                figures[f"nightjar: {few:,} codes"].median,
                5.0,
            ),
            Bar.most(
                f"MB while measuring over {many:,} codes",
                figures[f"nightjar: {many:,} codes, peak memory"].median,
                4000.0,
            ),
        ),
        notes=tuple(notes),
    )
