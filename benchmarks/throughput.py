"""Images a second and CPU a picture: extraction against the limit, and against its peers."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from benchmarks.pictures import folder
from benchmarks.result import Bar, Figure, Repeats, Result
from benchmarks.stock import Stock, macs, recipe_of, stocked
from benchmarks.watch import EntrantFailed, Watched, watched
from data.store import Store
from tasks.crew import cores
from tasks.extract import ExtractPlan

PEERS: Final = {"ray_data": "Ray Data", "pixeltable": "Pixeltable"}
WAYS: Final = {"here": "Nightjar", "ray": "Nightjar on Ray"}
"""Where so few pictures are embedded, and where more would be."""
LIMITS: Final = {"": "limit", "keep": "limit, memory kept"}
"""The loop as one writes it, and with the allocator's settings of our workers."""
KINDS: Final = ("steady", "steady CPU", "whole", "whole CPU")


@dataclass(frozen=True)
class Pace:
    """How fast a process worked, once it was up and from its start to its end.

    Args:
        steady: images a second while all workers worked: the slope of the line through (instant,
            images done), which a part that is only half done at either end does not bend.
        steady_ms: CPU-ms of the whole tree an image in that time.
        whole: images a second from the start of the process to its end.
        whole_ms: CPU-ms of the whole tree an image, all included.
    """

    steady: float
    steady_ms: float
    whole: float
    whole_ms: float

    @classmethod
    def of(cls, seen: Watched) -> Self:
        """The pace of a process that told its completions: instants and numbers of images."""
        at, images = np.array(sorted(seen.told["completions"]), np.float64).T
        done = images.cumsum()
        steady = float(np.polyfit(at - at[0], done, 1)[0])
        span = float(at[-1] - at[0])
        return cls(
            steady=steady,
            steady_ms=1e3 * seen.cpu_between(at[0], at[-1]) / (steady * span),
            whole=float(done[-1]) / seen.seconds,
            whole_ms=1e3 * seen.cpu_seconds / float(done[-1]),
        )

    def into(self, repeats: Repeats, who: str) -> None:
        """Add these figures to REPEATS under the name WHO."""
        repeats.add(f"{who}: steady", "images/s", self.steady)
        repeats.add(f"{who}: steady CPU", "ms/image", self.steady_ms)
        repeats.add(f"{who}: whole", "images/s", self.whole)
        repeats.add(f"{who}: whole CPU", "ms/image", self.whole_ms)


def throughput(quick: bool, work: Path, peers: bool) -> Result:
    """Extraction of 5,000 JPEGs against bare decoding and encoding on all cores, and its peers."""
    count, rounds, part = (192, 1, 16) if quick else (5000, 3, ExtractPlan().part)
    pictures = folder(work / f"pictures-{count}", count)
    recipe = recipe_of(work / "throughput.yaml", pictures, shard={"images": 96 if quick else 1000})
    shutil.rmtree(work / "throughput", ignore_errors=True)
    stock = stocked(Store(str(work / "throughput")), recipe)
    repeats, notes = Repeats(), []
    asked = dict(PEERS) if peers else {}
    for _ in range(rounds):
        for how, name in LIMITS.items():
            told = [stock.store.root, stock.encoder, pictures, part, how]
            _into(repeats, name, watched("benchmarks.entrants.limit", told))
        for where, name in WAYS.items():
            _into(repeats, name, _extraction(stock, part, where))
        for peer, name in list(asked.items()):
            try:
                _into(repeats, name, _peer(peer, stock, pictures, work))
            except (EntrantFailed, subprocess.CalledProcessError) as error:
                notes.append(f"{name} was left out: {str(error).strip().splitlines()[-1]}")
                del asked[peer]
    done = [*WAYS.values(), *asked.values()]
    if "Pixeltable" in done:
        notes.append(
            "Pixeltable's Postgres server is a daemon: its CPU and memory are not counted."
        )
    notes.append(
        "Nightjar: in the threads of one process, as it embeds up to 20,000 pictures where no "
        "cluster is named. Limit: the loop as one writes it; memory kept: the same loop, told as "
        "our workers are to keep freed memory (data/memory.py)."
    )
    notes.append(
        "Images/s of processes that share cores with others depend on how many they are; CPU an "
        "image does not: trust it where the load is not that of an idle machine."
    )
    if not peers:
        notes.append("Ray Data and Pixeltable were not asked for (--peers).")
    ratios = {
        f"{name} / limit, {kind}": repeats.ratio(f"{name}: {kind}", f"limit: {kind}")
        for name in (LIMITS["keep"], *done)
        for kind in KINDS
    }
    bars: list[Bar] = []
    for name in WAYS.values():
        pace, cost = (ratios[f"{name} / limit, {kind}"].median for kind in KINDS[:2])
        bars.append(Bar.least(f"{name}, of the limit's images/s, steady", pace, 0.95))
        bars.append(Bar.most(f"{name}, times the limit's CPU an image, steady", cost, 1 / 0.95))
        spent = repeats.figures[f"{name}: steady CPU"].median
        bars.append(Bar.most(f"{name}, CPU-ms an image, steady", spent, 2.2))
    for name in asked.values():
        for kind in KINDS:
            mine, theirs = (repeats.figures[f"{who}: {kind}"].median for who in ("Nightjar", name))
            ratios[f"Nightjar / {name}, {kind}"] = Figure.of("×", [mine / theirs])
        for kind in ("steady", "whole"):
            ahead = ratios[f"Nightjar / {name}, {kind}"].median
            bars.append(Bar.least(f"of the images/s of {name}, {kind}", ahead, 1.0))
    return Result(
        name="throughput",
        work=(
            f"extract {count:,} JPEGs of 256 x 256 pixels, "
            f"{macs(stock.recipe.train.spec()) / 1e6:.1f} MMAC, 128 float32, one torch thread a "
            "worker"
        ),
        baseline=f"{cores()} processes that only read files, decode and encode (entrants/limit.py)",
        quick=quick,
        load=repeats.load,
        figures=repeats.figures,
        ratios=ratios,
        bars=tuple(bars),
        notes=tuple(notes),
    )


def _into(repeats: Repeats, who: str, seen: Watched) -> None:
    """Add pace and memory of WHO to REPEATS."""
    Pace.of(seen).into(repeats, who)
    repeats.add(f"{who}: peak memory", "MB", seen.peak_mb)


def _extraction(stock: Stock, part: int, where: str) -> Watched:
    """Nightjar's extraction into an empty cache, WHERE ("here", "ray")."""
    shutil.rmtree(stock.store.uri(f"descriptors/{stock.encoder}"), ignore_errors=True)
    told = [stock.store.root, stock.recipe.dataset, stock.version, stock.encoder, part, where]
    return watched("benchmarks.entrants.extraction", told)


def _peer(peer: str, stock: Stock, pictures: Path, work: Path) -> Watched:
    """PEER on the same pictures, from nothing.

    Raises:
        EntrantFailed: it did not come to its end.
        CalledProcessError: it could not be installed.
    """
    home = work / peer
    shutil.rmtree(home, ignore_errors=True)
    if peer == "ray_data":
        told = [stock.store.root, stock.encoder, pictures, home]
        return watched("benchmarks.peers.ray_data", told)
    environment = {
        "PIXELTABLE_HOME": str(home),
        "PIXELTABLE_DISABLE_TELEMETRY": "1",
        "NIGHTJAR_STORE": stock.store.root,
        "BENCHMARK_ENCODER": stock.encoder,
    }
    python = str(installed("pixeltable>=0.7", work / "peers" / peer))
    module = "benchmarks.peers.pixeltable"
    try:
        return watched(module, [pictures], python=python, environment=environment)
    finally:
        _end_postgres(home / "pgdata" / "postmaster.pid")


def _end_postgres(told: Path) -> None:
    """Stop the server that Pixeltable leaves behind, whose process id is the first line of TOLD."""
    if told.exists():
        with suppress(ProcessLookupError):
            os.kill(int(told.read_text().split()[0]), signal.SIGINT)  # Postgres: at once, cleanly


def installed(requirement: str, home: Path) -> Path:
    """The interpreter of environment HOME, in which REQUIREMENT stands above what we have here.

    Raises:
        CalledProcessError: pip could not install it.
    """
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        paths = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
        inherited = Path(paths["purelib"]) / "inherited.pth"
        inherited.write_text(sysconfig.get_paths()["purelib"] + os.linesep)
        pip = [str(python), "-m", "pip", "install", "--quiet", requirement]
        try:
            subprocess.run(pip, check=True, stdout=sys.stderr)
        except subprocess.CalledProcessError:
            shutil.rmtree(home)
            raise
    return python
