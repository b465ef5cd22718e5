"""The benchmarks run, in sizes that tell nothing else, and write results that can be compared."""

import json
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.result import Bar, Figure, Repeats, Result, against
from benchmarks.table import page
from benchmarks.throughput import Pace
from benchmarks.watch import EntrantFailed, Watched, watched

KEPT = Path(__file__).parents[1] / "benchmarks" / "results"


def result(**changes: object) -> Result:
    """A result of nothing."""
    said = {
        "name": "delta",
        "work": "none",
        "baseline": "less",
        "quick": False,
        "load": (0.5, 0.7),
        "figures": {"night": Figure.of("s", [3.0, 1.0, 2.0])},
        "ratios": {"night / day": Figure.of("×", [2.0])},
        "bars": (Bar.most("s a night", 2.0, 1.0),),
    }
    return Result.model_validate(said | changes)


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_keeps_figures_ratios_and_bars(name: str, tmp_path: Path) -> None:
    words = [name, "--quick", "--work", str(tmp_path / "work"), "--out", str(tmp_path)]
    assert main(words) == 0
    found = Result.model_validate_json((tmp_path / f"{name}.json").read_text())
    assert found.quick
    assert found.figures
    assert found.ratios
    assert found.bars
    kept = KEPT / f"{name}.json"
    if kept.exists():
        assert set(json.loads(kept.read_text())) == set(found.model_dump())


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_kept_result_is_of_the_full_size_and_says_where_it_was_taken(name: str) -> None:
    kept = KEPT / f"{name}.json"
    if not kept.exists():
        pytest.skip(f"{name} has not been run in full")
    found = Result.model_validate_json(kept.read_text())
    assert not found.quick
    assert {"cpu", "cores", "libraries", "code"} <= found.machine.keys()


def test_the_page_shows_what_is_kept() -> None:
    kept = [
        Result.model_validate_json((KEPT / f"{name}.json").read_text())
        for name in BENCHMARKS
        if (KEPT / f"{name}.json").exists()
    ]
    assert (KEPT.parents[1] / "docs" / "performance.md").read_text() == page(kept)


def test_benchmarks_are_listed_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[: len(BENCHMARKS)]] == list(BENCHMARKS)
    assert all(len(line.split()) > 5 for line in lines[: len(BENCHMARKS)])


def test_a_figure_is_the_median_of_its_values_with_their_spread() -> None:
    figure = Figure.of("s", [3.0, 1.0, 2.0, 10.0])
    assert (figure.median, figure.min, figure.max) == (median([1, 2, 3, 10]), 1.0, 10.0)


def test_a_ratio_is_taken_within_each_repeat() -> None:
    repeats = Repeats()
    for night, day in ((2.0, 1.0), (30.0, 10.0), (4.0, 4.0)):
        repeats.add("night", "s", night)
        repeats.add("day", "s", day)
    assert repeats.ratio("night", "day").values == (2.0, 3.0, 1.0)


@pytest.mark.parametrize(("value", "holds"), [(0.94, False), (0.95, True), (0.96, True)])
def test_a_bar_holds_from_its_bound_on(value: float, holds: bool) -> None:
    assert Bar.least("of the limit", value, 0.95).holds is holds
    assert Bar.most("of the limit", -value, -0.95).holds is holds


def test_a_later_run_is_compared_median_by_median() -> None:
    later = result(figures={"night": Figure.of("s", [1.0]), "dawn": Figure.of("s", [1.0])})
    assert against(later, result()) == {"night": 0.5}


def test_runs_of_other_work_are_not_compared() -> None:
    with pytest.raises(ValueError, match="cannot be held against delta \\(more\\)"):
        against(result(), result(work="more"))


def test_the_steady_pace_does_not_count_the_start() -> None:
    completions = [(10.0 + n, 100) for n in range(11)]  # the first after ten seconds of starting
    at = [0.0, 10.0, 20.0]
    seen = Watched(
        told={"completions": completions},
        began=0.0,
        ended=20.0,
        at=_series(at),
        cpu=_series([0.0, 5.0, 7.0]),
        rss=_series([1.0] * 3),
        private=_series([1.0] * 3),
    )
    pace = Pace.of(seen)
    assert pace.steady == pytest.approx(100)
    assert pace.steady_ms == pytest.approx(2)  # 2 s of CPU while 1000 pictures went by
    assert pace.whole == pytest.approx(55)
    assert pace.whole_ms == pytest.approx(7000 / 1100)


def test_a_process_is_watched_with_all_that_it_starts(tmp_path: Path) -> None:
    (tmp_path / "spender.py").write_text(SPENDER)
    seen = watched("spender", [], environment={"PYTHONPATH": str(tmp_path)})
    assert seen.told == {"children": 1}
    assert seen.cpu_seconds > 0.3  # the child's; the parent waits
    assert seen.peak_mb > 200  # the child's again
    assert seen.seconds > 0.3


def test_a_process_is_killed_when_its_time_has_come() -> None:
    seen = watched("timeit", ["-n", "1", "import time; time.sleep(60)"], until=lambda: True)
    assert seen.told == {}
    assert seen.seconds < 30


def test_a_process_that_fails_tells_its_own_words() -> None:
    with pytest.raises(EntrantFailed, match="No module named nothing_of_this_name"):
        watched("nothing_of_this_name", [])


SPENDER = """
import json, subprocess, sys
work = (
    "import time; b = b'1' * 250_000_000; end = time.process_time() + 0.7\\n"
    "while time.process_time() < end: pass"
)
subprocess.run([sys.executable, "-c", work], check=True)
print(json.dumps({"children": 1}))
"""


def _series(values: list[float]) -> NDArray[np.float64]:
    return np.array(values, np.float64)
