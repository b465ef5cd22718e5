"""Planning a night of millions of listed rows: how long it takes, and that memory stays flat."""

from pathlib import Path

from benchmarks.listed import listed
from benchmarks.result import Bar, Repeats, Result
from benchmarks.watch import watched
from data.manifest import manifest


def planning(quick: bool, work: Path, peers: bool) -> Result:
    """`nightjar plan` of 1 and 5 million listed rows, 1 % of them changed, against a dictionary."""
    few, many, rounds = (2_000, 10_000, 1) if quick else (1_000_000, 5_000_000, 2)
    stocks = {rows: listed(work, rows) for rows in (few, many)}
    repeats = Repeats()
    for _ in range(rounds):
        for rows, stock in stocks.items():
            root, recipe = stock.store.root, stock.recipe
            ours = watched("benchmarks.entrants.previewed", [work / f"listed-{rows}.yaml", root])
            table = manifest(stock.store, recipe.dataset).uri
            script = watched("benchmarks.peers.dictionary", [recipe.source.root, table])
            for who, seen in (("Nightjar", ours), ("dictionary", script)):
                repeats.add(f"{who}: {rows:,} rows", "s", seen.told["seconds"])
                repeats.add(f"{who}: {rows:,} rows, peak memory", "MB", seen.peak_mb)
            repeats.add(f"Nightjar: {rows:,} rows, changed", "rows", ours.told["changed"])
    growth = {
        f"memory, {many:,} / {few:,} rows: {who}": repeats.ratio(
            f"{who}: {many:,} rows, peak memory", f"{who}: {few:,} rows, peak memory"
        )
        for who in ("Nightjar", "dictionary")
    }
    times = {
        f"seconds, {rows:,} rows: Nightjar / dictionary": repeats.ratio(
            f"Nightjar: {rows:,} rows", f"dictionary: {rows:,} rows"
        )
        for rows in stocks
    }
    ours_grows = growth[f"memory, {many:,} / {few:,} rows: Nightjar"].median
    return Result(
        name="planning",
        work=(
            f"preview of {few:,} and {many:,} listed rows, the manifest and the cache as large, "
            "1 % with a new time stamp, whose bytes are read"
        ),
        baseline="a script with the manifest in a dictionary (peers/dictionary.py)",
        quick=quick,
        load=repeats.load,
        figures=repeats.figures,
        ratios=growth | times,
        bars=(Bar.most("times the memory for five times the rows", ours_grows, 1.3),),
        notes=("All rows point at 50 files of 64 x 64 pixels: reading them is nearly free.",),
    )
