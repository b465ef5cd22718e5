"""A `nightjar reindex` as a process of its own, to be watched and killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from data.store import Store
from flows.trace import Event, begins, events
from tasks.balance import Ledger

POLL: Final = 0.001
"""Seconds between two looks at what a run has got to."""
PATIENCE: Final = 3600.0
"""Seconds after which a run that shows no end is given up."""


class Run:
    """One `nightjar reindex` after another in a store of their own, each a process to be killed.

    Args:
        word: names the recipe, as on the command line.
        folder: holds the store, the trace and the runs' temporary files.
    """

    def __init__(self, word: str, folder: Path) -> None:
        self.word, self.folder = word, folder
        self.store = Store(str(folder / "store"))
        self.trace = folder / "trace.jsonl"
        (folder / "tmp").mkdir(parents=True)

    @property
    def events(self) -> list[Event]:
        """What the latest run has told so far."""
        return events(self.trace)

    def to_the_end(self) -> Ledger:
        """The ledger of a run that is left alone.

        Raises:
            RuntimeError: it failed; says with what words.
        """
        process = self._start()
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            end(process)
        if not out.strip():
            raise RuntimeError(f"`nightjar reindex {self.word}` failed: {err.strip()[-2000:]}")
        return Ledger.model_validate(json.loads(out))

    def killed(self, stage: str, delay: float) -> bool:
        """Whether a run was there to be killed DELAY seconds after it began STAGE."""
        process = self._start()
        try:
            deadline = time.monotonic() + PATIENCE
            while process.poll() is None and time.monotonic() < deadline:
                if begins(self.trace, stage):
                    time.sleep(delay)
                    return process.poll() is None
                time.sleep(POLL)
            return False
        finally:
            end(process)

    def _start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "flows.cli", "reindex", self.word, "--here", "--json"]
        self.trace.unlink(missing_ok=True)
        return subprocess.Popen(
            [*command, "--trace", str(self.trace)],
            env=os.environ
            | {"NIGHTJAR_STORE": self.store.root, "TMPDIR": str(self.folder / "tmp")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def end(process: "subprocess.Popen[str]") -> None:
    """SIGKILL PROCESS, which does no more, and all that it started, a cluster's workers too."""
    try:
        # finding the family takes a while: what is to be killed at this instant must not go on
        process.send_signal(signal.SIGSTOP)
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.kill()
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=10)
    process.communicate()
