"""A process and all that it starts, watched from outside: its CPU time and memory as they grow."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from numpy.typing import NDArray

EVERY: Final = 0.2
"""Seconds between two looks: what a process uses in its last moment is not seen."""
ASKED: Final = 0.01
"""Seconds between two questions whether the process has ended or is to be killed."""


class EntrantFailed(RuntimeError):
    """A process that was to be measured ended with an error; carries what it said."""


@dataclass(frozen=True)
class Watched:
    """What a process told and used.

    Args:
        told: the JSON it printed.
        began: by `time.monotonic`, which all processes of the machine share.
        ended: the same.
        at: (n,) when it was looked at.
        cpu: (n,) CPU seconds of the tree by then.
        rss: (n,) resident bytes of the tree; what processes share counts for each.
        private: (n,) resident bytes of the tree that are not shared.
    """

    told: dict[str, Any]
    began: float
    ended: float
    at: NDArray[np.float64]
    cpu: NDArray[np.float64]
    rss: NDArray[np.float64]
    private: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        """Wall time from its start to its end."""
        return self.ended - self.began

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the whole tree."""
        return float(self.cpu[-1])

    def cpu_between(self, first: float, last: float) -> float:
        """CPU seconds of the tree between two instants."""
        return float(np.interp(last, self.at, self.cpu) - np.interp(first, self.at, self.cpu))

    @property
    def peak_mb(self) -> float:
        """The most resident memory at any look, MB."""
        return float(self.rss.max() / 1e6)

    @property
    def peak_private_mb(self) -> float:
        """The same without what is shared, MB."""
        return float(self.private.max() / 1e6)


def watched(
    module: str,
    arguments: Sequence[object],
    *,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    until: Callable[[], bool] | None = None,
) -> Watched:
    """What ``python -m MODULE ARGUMENTS`` told and used, or used until it was killed.

    Args:
        module: prints one JSON object and nothing else.
        arguments: turned into text.
        python: the interpreter.
        environment: variables besides this process's own.
        until: asked at every look; once true, the whole tree is killed.

    Raises:
        EntrantFailed: it ended with an error of its own.
    """
    command = [python, "-m", module, *map(str, arguments)]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as complaints:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=Path(__file__).parents[1],
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=complaints,
            start_new_session=True,
        )
        tree = _Tree(process.pid)
        killed = False
        while process.poll() is None:
            tree.look()
            due = time.monotonic() + EVERY
            while process.poll() is None and (left := due - time.monotonic()) > 0:
                if until and not killed and until():
                    killed = True
                    tree.kill()
                time.sleep(min(left, ASKED))
        ended = time.monotonic()
        tree.kill()  # what it left behind
        out.seek(0)
        complaints.seek(0)
        said = out.read().strip()
        if not killed and (process.returncode or not said):
            raise EntrantFailed(
                f"{' '.join(command[1:])} ended with {process.returncode}: "
                f"{complaints.read().strip()[-2000:]}"
            )
        told = {} if killed else json.loads(said)
    series = np.array(tree.seen, np.float64)  # (n, 4)
    return Watched(told, began, ended, *series.T)


class _Tree:
    """The processes that descend from one, and what they were last seen to have used."""

    def __init__(self, root: int) -> None:
        self._members = {root: psutil.Process(root)}
        self._root = self._members[root]
        self._cpu: dict[int, float] = {}
        self.seen: list[tuple[float, float, float, float]] = []

    def look(self) -> None:
        """Add when, CPU seconds, resident and private bytes to what was seen."""
        with suppress(psutil.NoSuchProcess):
            for child in self._root.children(recursive=True):
                self._members.setdefault(child.pid, child)
        rss = private = 0
        for pid, member in list(self._members.items()):
            try:
                with member.oneshot():
                    times, memory = member.cpu_times(), member.memory_info()
            except psutil.NoSuchProcess:
                continue
            self._cpu[pid] = times.user + times.system
            rss += memory.rss
            private += memory.rss - memory.shared
        self.seen.append((time.monotonic(), sum(self._cpu.values()), rss, private))

    def kill(self) -> None:
        """SIGKILL all of them, the first one first."""
        with suppress(psutil.NoSuchProcess):
            self._members |= {one.pid: one for one in self._root.children(recursive=True)}
        for member in self._members.values():
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs([one for one in self._members.values() if one != self._root], timeout=10)
