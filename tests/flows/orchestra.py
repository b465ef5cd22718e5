"""A real Prefect server and worker on loopback, with a home of their own, for tests."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

from flows.orchestration import SILENT, answers

T = TypeVar("T")
HOME = Path(__file__).parents[2]


class Orchestra:
    """A Prefect server, the workers started with it, and what one asks of it.

    Args:
        home: Prefect's home, logs, and the folder in which deployments are made.
        more: environment of server, workers and flow runs.
    """

    def __init__(self, home: Path, more: dict[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.home = home
        self.url = f"http://127.0.0.1:{port}/api"
        self.port = port
        inherited = {name: value for name, value in os.environ.items() if "PREFECT" not in name}
        self.environment = (
            inherited
            | SILENT
            | {
                "PREFECT_HOME": str(home / "prefect"),
                "PREFECT_API_URL": self.url,
                "PREFECT_CLI_PROMPT": "false",
                "PREFECT_CLI_COLORS": "false",
                "PREFECT_WORKER_QUERY_SECONDS": "3",
                "PYTHONPATH": str(HOME),
            }
            | more
        )
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._spawn("server", "start", "--host", "127.0.0.1", "--port", str(self.port), "--no-ui")
        wait(lambda: answers(self.url), 120, "the server to answer")
        self.say("work-pool", "create", "nightjar", "--type", "process")

    def worker(self) -> "subprocess.Popen[bytes]":
        """Start a worker of the pool."""
        return self._spawn("worker", "start", "--pool", "nightjar")

    def stop(self, process: "subprocess.Popen[bytes] | None" = None) -> None:
        """Kill PROCESS and its children, or all that was started."""
        for each in [process] if process else self._running[::-1]:
            if each.poll() is None:
                os.killpg(each.pid, signal.SIGKILL)
            each.wait()
            self._running.remove(each)

    def say(self, *words: str, folder: Path | None = None) -> str:
        """What the `prefect` command answers to WORDS, said in FOLDER."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *words],
            cwd=folder or self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, path: str, **body: Any) -> Any:
        """What the API answers to BODY posted to PATH; asked again while its database is locked."""
        request = urllib.request.Request(
            f"{self.url}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )

        def answer() -> bytes:
            try:
                # longer than its database waits for a lock
                with urllib.request.urlopen(request, timeout=120) as reply:
                    return reply.read() or b"null"
            except urllib.error.HTTPError as error:
                if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
                    raise
                return b""

        return json.loads(wait(answer, 150, f"an answer to {path}"))

    def runs(self, deployment: str) -> list[dict[str, Any]]:
        """The flow runs of DEPLOYMENT, oldest first."""
        wanted = {"deployments": {"name": {"any_": [deployment]}}}
        found: list[dict[str, Any]] = self.ask("flow_runs/filter", **wanted, limit=200)
        return sorted(found, key=lambda run: str(run["expected_start_time"]))

    def states(self, deployment: str, *names: str) -> list[dict[str, Any]]:
        """The flow runs of DEPLOYMENT whose state has one of NAMES."""
        return [run for run in self.runs(deployment) if run["state_name"] in names]

    def unfinished(self, deployment: str) -> list[dict[str, Any]]:
        """The flow runs of DEPLOYMENT that are still to end."""
        ended = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")
        return [run for run in self.runs(deployment) if run["state_type"] not in ended]

    def _spawn(self, *words: str) -> "subprocess.Popen[bytes]":
        log = (self.home / f"{words[0]}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *words],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        self._running.append(process)
        return process


def wait(for_: Callable[[], T], seconds: float, what: str) -> T:
    """The first answer of FOR_ that is true, within SECONDS."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := for_():
            return found
        time.sleep(0.5)
    raise TimeoutError(f"waited {seconds:g} s for {what}")
