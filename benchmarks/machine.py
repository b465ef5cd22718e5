"""The machine a benchmark ran on, and how busy it was with other things."""

import os
import platform
from pathlib import Path
from typing import Any

import psutil

from data.lineage import code_revision, library_versions
from tasks.crew import cores


def machine() -> dict[str, Any]:
    """The processor, memory, libraries and code revision that figures hold for."""
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "libraries": library_versions(),
        "code": code_revision(),
    }


def load() -> float:
    """Processes that wanted a core, on average over the last minute."""
    return round(os.getloadavg()[0], 2)


def _cpu() -> str:
    """The processor's name as the kernel gives it."""
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
