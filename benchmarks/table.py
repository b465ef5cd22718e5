"""The page of performance, drawn from results."""

from collections.abc import Sequence

from benchmarks.result import Bar, Figure, Result

HEAD = """\
# Performance

What Nightjar costs, each figure beside a baseline taken in the same run. Median (least–greatest) of
the repeats; the figures of a machine that was busy with other things, as its load tells, are worse
and spread wider, ratios within a repeat less so. This page is drawn from `benchmarks/results`:

    make bench                           # or: python -m benchmarks all [--peers]
    python -m benchmarks --docs          # draws this page anew
    python -m benchmarks delta --against benchmarks/results/delta.json    # new by old
"""


def page(results: Sequence[Result]) -> str:
    """RESULTS as Markdown."""
    return "\n".join([HEAD, *(_section(result) for result in results)])


def _section(result: Result) -> str:
    machine = result.machine
    lines = [
        f"## {result.name.capitalize()}",
        "",
        f"- Work: {result.work}.",
        f"- Baseline: {result.baseline}.",
        f"- Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB; load "
        f"{result.load[0]:g} before and {result.load[1]:g} after. Code {machine['code'][:12]}"
        f"{', quick sizes: the figures tell nothing' if result.quick else ''}.",
        "",
        "| promised | bound | measured | |",
        "|---|---|---|---|",
        *(
            f"| {bar.says} | {bar.bound:g} | {bar.value:.4g} | {_verdict(bar)} |"
            for bar in result.bars
        ),
        "",
        *_table("ratio", result.ratios),
        *_table("figure", result.figures),
        *(f"{note}\n" for note in result.notes),
    ]
    return "\n".join(lines)


def _verdict(bar: Bar) -> str:
    return "holds" if bar.holds else "fails"


def _table(head: str, figures: dict[str, Figure]) -> list[str]:
    rows = [f"| {name} | {figure} |" for name, figure in figures.items()]
    return [f"| {head} | median (range) |", "|---|---|", *rows, ""] if rows else []
