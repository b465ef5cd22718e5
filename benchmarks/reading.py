"""Reading pictures out of each form of source, and listing millions of them from a CSV."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.containers import containers
from benchmarks.landmarks import landmarks
from benchmarks.result import Bar, Figure, Repeats, Result
from benchmarks.watch import watched
from data.adapters import DATASETS

FILES: Final = ("folder", "tars", "zip", "tar in tar")
"""The containers whose pictures are handed out as they lie."""

LISTINGS: Final[Mapping[str, dict[str, Any]]] = {
    "list": {
        "columns": {"key": "id", "uri": "url", "labels": "landmark_id"},
        "stat": False,
    },
    "gldv2": {"splits": ["train"]},
}
"""The sources that the landmarks can be listed as, each with its options."""

NOTES: Final = (
    "All is in the page cache. Speeds are of the bytes handed out, shares of pictures a second. Of "
    "idx, MATLAB and pickles Nightjar makes PNG files, raw reading nothing.",
    '"gldv2" reads the headers of its tars too, one a picture, and finds each in the list. These '
    "tars are headers alone; real ones are 500 GB, a header every 120 kB.",
)


def reading(quick: bool, work: Path, peers: bool) -> Result:
    """Reading each form of source as a share of raw reading; listing 4.1 million CSV rows."""
    pictures, arrays, rounds = (40, 60, 1) if quick else (4_000, 60_000, 5)
    few, many, turns = (500, 5_000, 1) if quick else (413_291, 4_132_914, 2)
    repeats = Repeats()
    shares = _read(repeats, containers(work, pictures, arrays), rounds)
    times = _listed(repeats, {rows: landmarks(work, rows) for rows in (few, many)}, turns)
    growth = {
        f"memory, {many:,} / {few:,} rows: {who}": repeats.ratio(
            f"{who}: {many:,} rows, peak memory", f"{who}: {few:,} rows, peak memory"
        )
        for who in (*_adapters(), "pyarrow.csv")
    }
    least = min(shares[f"{name}: Nightjar / raw"].median for name in FILES)
    return Result(
        name="reading",
        work=(
            f"list and read {pictures:,} JPEGs of 256 x 256 pixels in each container, or "
            f"{arrays:,} pictures in each file format of arrays; list {few:,} and {many:,} "
            f"landmarks as {' and '.join(_adapters())}, from a CSV of ids, URLs and landmarks"
        ),
        baseline=(
            "open and read, tarfile, zipfile, numpy.frombuffer and pickle (peers/raw.py), the "
            "container's files read from start to end, and pyarrow.csv (peers/csv_alone.py)"
        ),
        quick=quick,
        load=repeats.load,
        figures=repeats.figures,
        ratios=shares | growth | times,
        bars=(
            Bar.least("of raw reading, the slowest of files, tars, zip, tar in tar", least, 0.5),
            *(
                Bar.most(f"times the memory for ten times the rows, {who}", grows.median, 1.3)
                for who, grows in zip(_adapters(), growth.values(), strict=False)
            ),
        ),
        notes=NOTES[: 1 + ("gldv2" in DATASETS)],
    )


def _adapters() -> dict[str, dict[str, Any]]:
    """Those of `LISTINGS` that there is an adapter for, with their options."""
    return {name: options for name, options in LISTINGS.items() if name in DATASETS}


def _read(repeats: Repeats, places: dict[str, Path], rounds: int) -> dict[str, Figure]:
    """The shares of raw reading, by name, of the containers at PLACES."""
    words = [f"{name}={root}" for name, root in places.items()]
    for _ in range(rounds):
        told = watched("benchmarks.entrants.reader", words).told
        for name, seen in told.items():
            for who in ("Nightjar", "raw"):
                found, seconds = seen[who], seen[who]["seconds"]
                repeats.add(f"{name}: {who}", "pictures/s", found["pictures"] / seconds)
                repeats.add(f"{name}: {who}, bytes", "MB/s", found["bytes"] / seconds / 1e6)
            whole = seen["sequence"]
            speed = whole["bytes"] / whole["seconds"] / 1e6
            repeats.add(f"{name}: its files from start to end", "MB/s", speed)
    shares = {}
    for name in places:
        ours = f"{name}: Nightjar"
        shares[f"{ours} / raw"] = repeats.ratio(ours, f"{name}: raw")
        if name in FILES:
            whole = f"{name}: its files from start to end"
            shares[f"{ours} / start to end"] = repeats.ratio(f"{ours}, bytes", whole)
    return shares


def _listed(repeats: Repeats, places: dict[int, Path], turns: int) -> dict[str, Figure]:
    """The ratios of the seconds that listing takes, by name; by number of rows at PLACES."""
    for _ in range(turns):
        for rows, root in places.items():
            path = root / "train.csv"
            roots = {"list": path, "gldv2": root}
            entrants = {
                name: ("benchmarks.entrants.lister", [name, roots[name], json.dumps(options)])
                for name, options in _adapters().items()
            }
            entrants["pyarrow.csv"] = ("benchmarks.peers.csv_alone", [path])
            for who, (module, arguments) in entrants.items():
                seen = watched(module, arguments)
                if seen.told["rows"] != rows:
                    raise ValueError(f"{who} lists {seen.told['rows']} rows of {rows}.")
                repeats.add(f"{who}: {rows:,} rows", "s", seen.told["seconds"])
                repeats.add(f"{who}: {rows:,} rows, peak memory", "MB", seen.peak_mb)
    return {
        f"seconds, {rows:,} rows: {who} / pyarrow.csv": repeats.ratio(
            f"{who}: {rows:,} rows", f"pyarrow.csv: {rows:,} rows"
        )
        for rows in places
        for who in _adapters()
    }
