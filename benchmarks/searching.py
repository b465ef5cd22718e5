"""How long an answer takes and how many of the nearest it finds, beside LanceDB and faiss."""

import importlib.util
import shutil
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from benchmarks.result import Bar, Figure, Repeats, Result
from benchmarks.watch import Watched, watched

WIDTH: Final = 128
SPREAD: Final = 0.7
"""Length of what separates a vector from the centre it belongs to, whose own is 1: neighbours are
of one centre mostly, and nearly as far from each other as from some of the next."""

WHO: Final = {
    "nightjar": "Nightjar",
    "lancedb": "LanceDB",
    "lancedb_tuned": "LanceDB, as Nightjar asks it",
    "faiss_ivf": "faiss IVF",
    "faiss_hnsw": "faiss HNSW",
    "exact": "every row",
}
MOST: Final = {"faiss_hnsw": 200_000}
"""Rows of which an index is built in minutes."""


def searching(quick: bool, work: Path, peers: bool) -> Result:
    """Ten nearest of 200,000 and 1,000,000 vectors: latency and recall, with faiss where it is."""
    sizes, queries = ((30_000,), 20) if quick else ((200_000, 1_000_000), 300)
    faiss = importlib.util.find_spec("faiss") is not None
    repeats = Repeats()
    for count in sizes:
        files = _drawn(work, count, queries)
        truth = _asked("exact", files, work)
        _into(repeats, f"{count:,} rows, {WHO['exact']}", truth, truth.told["found"])
        for who in WHO:
            there = faiss or not who.startswith("faiss")
            if who != "exact" and there and count <= MOST.get(who, count):
                seen = _asked(who, files, work)
                _into(repeats, f"{count:,} rows, {WHO[who]}", seen, truth.told["found"])
    ratios, bars = {}, []
    for count in sizes:
        ours = f"{count:,} rows, Nightjar"
        others = (name for who, name in WHO.items() if who != "nightjar")
        for other in others:
            theirs = f"{count:,} rows, {other}"
            if f"{theirs}: answer" in repeats.figures:
                ratio = repeats.ratio(f"{ours}: answer", f"{theirs}: answer")
                ratios[f"{count:,} rows, Nightjar / {other}, answer"] = ratio
        recall = Figure.of("", repeats[f"{ours}: recall@10"]).median
        bars.append(Bar.least(f"recall@10 of {count:,} rows", recall, 0.9 if quick else 0.95))
        same = ratios[f"{count:,} rows, Nightjar / {WHO['lancedb_tuned']}, answer"].median
        bars.append(Bar.most(f"times bare LanceDB's answer of {count:,} rows", same, 1.5))
    return Result(
        name="searching",
        work=f"{queries} queries, one after another, for the 10 nearest of "
        f"{' and '.join(f'{count:,}' for count in sizes)} unit vectors of {WIDTH} float32 about "
        "centres drawn by lot",
        baseline="LanceDB by itself, faiss in memory, and every row",
        quick=quick,
        load=repeats.load,
        figures=repeats.figures,
        ratios=ratios,
        bars=tuple(bars),
        notes=(
            "LanceDB by itself compares products of quantised parts and looks at no stored vector "
            "again, which neighbours of one centre do not stand; its refine_factor mends it.",
            *([] if faiss else ["faiss is not installed: pip install 'nightjar[bench]'."]),
        ),
    )


def _drawn(work: Path, count: int, queries: int) -> tuple[Path, Path]:
    """Files of COUNT vectors and of QUERIES, in WORK; drawn once."""
    rows, asked = work / f"vectors-{count}.npy", work / f"queries-{count}-{queries}.npy"
    if not (rows.exists() and asked.exists()):
        lots = np.random.default_rng(count)
        centres = _unit(lots.standard_normal((max(1, count // 200), WIDTH), np.float32))
        for path, many in ((asked, queries), (rows, count)):
            which = lots.integers(len(centres), size=many)
            noise = _unit(lots.standard_normal((many, WIDTH), np.float32))
            np.save(path, _unit(centres[which] + np.float32(SPREAD) * noise))
    return rows, asked


def _unit(vectors: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / norms, np.float32)


def _asked(who: str, files: tuple[Path, Path], work: Path) -> Watched:
    """WHO, built anew from FILES and asked."""
    folder = work / f"asked-{who}"
    shutil.rmtree(folder, ignore_errors=True)
    return watched("benchmarks.entrants.asked", [who, *files, folder])


def _into(repeats: Repeats, name: str, seen: Watched, truth: list[list[int]]) -> None:
    """Add to REPEATS what was SEEN of NAME, whose TRUTH is told by comparing every row."""
    shared = [
        len(set(one) & set(other)) for one, other in zip(seen.told["found"], truth, strict=True)
    ]
    repeats.add(f"{name}: answer", "ms", 1e3 * median(seen.told["seconds"]))
    repeats.add(
        f"{name}: slowest of 20", "ms", 1e3 * float(np.quantile(seen.told["seconds"], 0.95))
    )
    repeats.add(f"{name}: recall@10", "", sum(shared) / sum(map(len, truth)))
    repeats.add(f"{name}: building", "s", seen.told["built"])
    repeats.add(f"{name}: peak", "MB", seen.peak_mb)
