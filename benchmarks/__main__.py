"""The command of the benchmarks: `python -m benchmarks [NAME…] [--quick] [--peers]`."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.delta import delta
from benchmarks.kills import kills
from benchmarks.measuring import measuring
from benchmarks.memory import memory
from benchmarks.planning import planning
from benchmarks.reading import reading
from benchmarks.result import Result, against
from benchmarks.searching import searching
from benchmarks.table import page
from benchmarks.throughput import throughput
from benchmarks.training import training

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "performance.md"

BENCHMARKS: Final[Mapping[str, Callable[[bool, Path, bool], Result]]] = {
    "throughput": throughput,
    "training": training,
    "delta": delta,
    "planning": planning,
    "reading": reading,
    "searching": searching,
    "memory": memory,
    "measuring": measuring,
    "kills": kills,
}


def main(words: Sequence[str]) -> int:
    """Run the benchmarks that WORDS name; 1 where one does not come to what is promised."""
    asked = _parser().parse_args(words)
    if asked.docs:
        PAGE.write_text(page(_kept(asked.out)))
        print(f"{PAGE.relative_to(ROOT)} drawn anew from {asked.out}.")
        return 0
    if not asked.names:
        for name, benchmark in BENCHMARKS.items():
            print(f"{name:12}{(benchmark.__doc__ or '').splitlines()[0]}")
        print("\nRun some by name, or all of them: python -m benchmarks all")
        return 0
    names = list(BENCHMARKS) if "all" in asked.names else asked.names
    old = [Result.model_validate_json(path.read_text()) for path in asked.against]
    asked.work.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in names:
        result = BENCHMARKS[name](asked.quick, asked.work.absolute(), asked.peers)
        path = result.kept(asked.out)
        tell(result)
        for before in (one for one in old if one.name == name):
            print("  new / old:")
            for figure, ratio in against(result, before).items():
                print(f"    {figure:48} {ratio:.3g} ×")
        print(f"  kept in {path}\n")
        failed += not (asked.quick or all(bar.holds for bar in result.bars))
    return 1 if failed else 0


def tell(result: Result) -> None:
    """Print RESULT for people."""
    print(f"{result.name}: {result.work}\n  against {result.baseline}")
    for name, figure in (result.figures | result.ratios).items():
        print(f"    {name:48} {figure}")
    for bar in result.bars:
        print(f"  {'holds' if bar.holds else 'FAILS'}: {bar.value:.4g} {bar.says} ({bar.bound:g})")
    for note in result.notes:
        print(f"  {note}")
    print(f"  load {result.load[0]:g} before, {result.load[1]:g} after")


def _kept(folder: Path) -> list[Result]:
    """The results of FOLDER, in the order of the benchmarks."""
    paths = (folder / f"{name}.json" for name in BENCHMARKS)
    return [Result.model_validate_json(path.read_text()) for path in paths if path.exists()]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add(
        "names", nargs="*", choices=[[], *BENCHMARKS, "all"], metavar="NAME", help="none: list them"
    )
    add("--quick", action="store_true", help="sizes that only show that it runs")
    add("--peers", action="store_true", help="other systems too; installs Pixeltable under --work")
    add("--out", type=Path, default=RESULTS, help="folder of the results, JSON")
    add("--against", type=Path, action="append", default=[], help="an earlier result to compare to")
    add("--work", type=Path, default=ROOT / "build" / "benchmarks", help="for pictures and stores")
    add("--docs", action="store_true", help="run nothing; draw docs/performance.md from --out")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
