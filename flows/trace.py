"""What a run does, line by line in a file, for whoever watches it from outside or kills it."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from data.plan import Plan
from flows.night import Progress

R = TypeVar("R")


class Event(Plan):
    """One line of a trace.

    Args:
        at: seconds by `time.monotonic`, which all processes of a machine share.
        stage: the stage's name.
        what: whether it begins, ends, or tells how far it is.
        done: items through.
        total: items in all; 0 where that is not known.
    """

    at: float
    stage: str
    what: str
    done: int = 0
    total: int = 0


class Trace:
    """Writes an event a line to PATH; each is on its way before the work goes on.

    Args:
        path: the file, begun anew.
        beside: told of progress as well.
    """

    def __init__(self, path: Path, beside: Progress) -> None:
        self.beside = beside
        self._out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._out)

    def stage(self, work: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """What ``work(*args, **kwargs)`` returns, with an event before and one after it."""
        self._write(Event(at=time.monotonic(), stage=work.__name__, what="begin"))
        result = work(*args, **kwargs)
        self._write(Event(at=time.monotonic(), stage=work.__name__, what="end"))
        return result

    def progress(self, stage: str, done: int, total: int, note: str) -> None:
        """Take note of progress."""
        event = Event(at=time.monotonic(), stage=stage, what="progress", done=done, total=total)
        self._write(event)
        self.beside(stage, done, total, note)

    def _write(self, event: Event) -> None:
        os.write(self._out, event.model_dump_json().encode() + b"\n")


def begins(path: Path, stage: str) -> bool:
    """Whether PATH tells already that STAGE has begun; quick, for who must not come too late."""
    return path.exists() and f'"stage":"{stage}","what":"begin"'.encode() in path.read_bytes()


def events(path: Path) -> list[Event]:
    """The events in PATH so far; a line that is being written is left out."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [Event.model_validate(json.loads(line)) for line in whole.splitlines()]
