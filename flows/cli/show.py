"""What a command says: JSON or aligned tables on stdout, progress on stderr."""

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TextIO

import typer


def machine(value: Any) -> None:
    """Print VALUE as JSON, the only thing a ``--json`` command writes to stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def plain(value: Any) -> dict[str, Any]:
    """The fields of VALUE, a plan or a dataclass, by name."""
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    fields: dict[str, Any] = value.model_dump(mode="json")
    return fields


def to_file(path: Path, value: Any) -> None:
    """Write VALUE as JSON to PATH, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, default=str) + "\n")


def with_protocol(protocol: str, metrics: Mapping[str, float]) -> dict[str, Any]:
    """METRICS under the name of the PROTOCOL that they were taken by; nothing where there are none.

    So a comparison of two commits never sets numbers of two protocols against each other.
    """
    return {protocol: dict(metrics)} if metrics else {}


def table(rows: Iterable[Sequence[Any]], head: Sequence[str] = ()) -> None:
    """Print ROWS in aligned columns under HEAD; numbers flush right."""
    rows = list(rows)
    lines = [list(head)] if head else []
    lines += [[_cell(value) for value in row] for row in rows]
    if not lines:
        return
    right = [
        all(isinstance(row[column], int | float) for row in rows) and bool(rows)
        for column in range(len(lines[0]))
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = (
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(line, widths, right, strict=True)
        )
        typer.echo("  ".join(cells).rstrip())


def facts(pairs: Mapping[str, Any]) -> None:
    """Print name and value a line; what is empty is left out."""
    shown = [
        (name, _cell(value)) for name, value in pairs.items() if value not in (None, "", {}, [])
    ]
    table(shown)


def number(value: float | None) -> str:
    """VALUE with thousands set apart, or with three significant digits where it is a fraction."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def duration(seconds: float) -> str:
    """SECONDS as a person says them: ``0.3 s``, ``42 s``, ``3:05 min``, ``2:10 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"


def amount(count: float) -> str:
    """COUNT bytes in the largest unit that leaves at least one."""
    units = ("B", "KiB", "MiB", "GiB")
    for unit in units:
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


class ProgressLine:
    """One line on stderr: stage, done/total, rate, time left; plain lines without a terminal.

    Args:
        out: where it goes.
        every: seconds between two lines on a terminal; elsewhere lines come 50 times as seldom.
        quiet: say nothing.
    """

    def __init__(self, out: TextIO | None = None, every: float = 0.2, quiet: bool = False) -> None:
        self.out = out or sys.stderr
        self.live = self.out.isatty()
        self.every = every if self.live else every * 50
        self.quiet = quiet
        self._stage = ""
        self._began = 0.0
        self._said = 0.0
        self._open = False

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        """Take note that DONE of TOTAL (0: not known) of STAGE are through; NOTE says more."""
        now = time.monotonic()
        if stage != self._stage:
            self.close()
            self._stage, self._began, self._said = stage, now, now
        if self.quiet or (now - self._said < self.every and done != total):
            return
        self._said = now
        text = line(stage, done, total, note, now - self._began)
        self.out.write(f"\r\x1b[K{text}" if self.live else f"{text}\n")
        self.out.flush()
        self._open = self.live

    def close(self) -> None:
        """End the line that is being rewritten."""
        if self._open:
            self.out.write("\n")
            self.out.flush()
        self._open = False


def line(stage: str, done: int, total: int, note: str, seconds: float) -> str:
    """The progress line's words: ``extract  640/2,000  212 images/s  6 s left  1 failed``."""
    words = [f"{stage:<8}", f"{done:,}/{total:,}" if total else f"{done:,}"]
    rate = done / seconds if seconds > 0 else 0.0
    if rate and not note:
        words.append(f"{rate:,.0f} images/s")
        if total > done:
            words.append(f"{duration((total - done) / rate)} left")
    if note:
        words.append(note)
    return "  ".join(words)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)
