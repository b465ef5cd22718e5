"""What a night costs that has little to do: 1 % added, 1 % changed, 1 % deleted; and nothing."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.pictures import delta as change
from benchmarks.pictures import folder
from benchmarks.result import Bar, Repeats, Result
from benchmarks.stock import recipe_of
from benchmarks.watch import Watched, watched
from data.store import Store

NIGHTS: Final = {"none": "no change", "delta": "1 % changed"}


def delta(quick: bool, work: Path, peers: bool) -> Result:
    """Nights with 3 % of the pictures touched, and with none, against indexing all of them."""
    count, rounds, nights = (100, 1, 1) if quick else (5000, 3, 3)
    pictures = folder(work / f"pictures-{count}", count)
    repeats = Repeats()
    embedded: set[int] = set()
    for _ in range(rounds):
        told, encoder = _ours(repeats, pictures, work, count, nights)
        embedded |= {night["embedded"] for night in told["delta"]}
        _by_hand(repeats, encoder, pictures, work, count, nights)
        _commands(repeats, work, count, nights)
    figures = repeats.figures
    needed = 2 * max(1, count // 100)
    ratios = {
        f"{kind} / all images": repeats.ratio(f"Nightjar: {kind}", "Nightjar: all images")
        for kind in NIGHTS.values()
    } | {
        f"Nightjar / by hand, {kind}": repeats.ratio(f"Nightjar: {kind}", f"by hand: {kind}")
        for kind in NIGHTS.values()
    }
    return Result(
        name="delta",
        work=(
            f"{count:,} JPEGs of 256 x 256 pixels indexed; then, {nights} times, nothing, and "
            f"{needed // 2} added, {needed // 2} changed, {needed // 2} deleted"
        ),
        baseline="indexing all of them; a hand-written SQLite manifest (peers/handwritten.py)",
        quick=quick,
        load=repeats.load,
        figures=figures,
        ratios=ratios,
        bars=(
            Bar.most(
                "s inside the flow, 1 % changed", figures["Nightjar: 1 % changed"].median, 0.5
            ),
            Bar.most("s inside the flow, no change", figures["Nightjar: no change"].median, 0.15),
            Bar.most("embeds for the change", max(embedded), needed),
            Bar.least("embeds for the change", min(embedded), needed),
        ),
        notes=(
            "Inside the flow: from the call of `reindex` to its return, pinning by DVC and the "
            "evaluation of the new index included, in a process that has run a night before.",
            "Command: `nightjar reindex` as a process of its own, imports included.",
        ),
    )


def _ours(
    repeats: Repeats, pictures: Path, work: Path, count: int, nights: int
) -> tuple[dict[str, Any], str]:
    """What Nightjar's nights told, and the encoder they used; the store stays for `_commands`."""
    source, store = _copied(pictures, work / "delta-pictures"), work / "delta-store"
    shutil.rmtree(store, ignore_errors=True)
    recipe_of(work / "delta.yaml", source)
    seen = watched(
        "benchmarks.entrants.nights", [work / "delta.yaml", store, source, count, nights]
    )
    _into(repeats, "Nightjar", seen)
    for name, kind in NIGHTS.items():
        for stage in seen.told[name][0]["stages"]:
            spent = [night["stages"].get(stage, 0.0) for night in seen.told[name]]
            repeats.add(f"Nightjar: {kind}, {stage}", "s", sorted(spent)[len(spent) // 2])
    (encoder,) = (one for one in Store(str(store)).names("encoders") if one != "plans")
    return seen.told, encoder


def _by_hand(
    repeats: Repeats, encoder: str, pictures: Path, work: Path, count: int, nights: int
) -> None:
    source, home = _copied(pictures, work / "by-hand-pictures"), work / "by-hand"
    shutil.rmtree(home, ignore_errors=True)
    told = [work / "delta-store", encoder, source, home, count, nights]
    _into(repeats, "by hand", watched("benchmarks.peers.handwritten", told))


def _into(repeats: Repeats, who: str, seen: Watched) -> None:
    """Add to REPEATS what the nights of WHO took, the median of each kind."""
    repeats.add(f"{who}: all images", "s", seen.told["full"]["seconds"])
    for name, kind in NIGHTS.items():
        seconds = sorted(night["seconds"] for night in seen.told[name])
        repeats.add(f"{who}: {kind}", "s", seconds[len(seconds) // 2])
    repeats.add(f"{who}: peak memory", "MB", seen.peak_mb)


def _commands(repeats: Repeats, work: Path, count: int, turns: int) -> None:
    """Add what the command takes from its start to its end, and its flow of that."""
    for kind in NIGHTS.values():
        if kind == NIGHTS["delta"]:
            change(work / "delta-pictures", count, turns)
        command = [sys.executable, "-m", "flows.cli", "reindex", str(work / "delta.yaml")]
        began = time.monotonic()
        ran = subprocess.run(
            [*command, "--here", "--json"],
            env=os.environ | {"NIGHTJAR_STORE": str(work / "delta-store")},
            capture_output=True,
            check=False,
        )
        repeats.add(f"command: {kind}", "s", time.monotonic() - began)
        stages = json.loads(ran.stdout)["seconds"]
        repeats.add(f"command: {kind}, its stages", "s", sum(stages.values()))


def _copied(pictures: Path, to: Path) -> Path:
    """TO as a fresh copy of PICTURES."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(pictures, to)
    return to
