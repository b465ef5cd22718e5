"""What made an index version, written into the version itself, so that it can explain itself."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from math import inf
from pathlib import Path
from typing import Any, Final

import lance
from pydantic import Field

from data.plan import Plan
from data.tables import Table

KEY: Final = "nightjar.lineage"
"""The table's metadata key under which a sealed version tells its lineage, as JSON."""

RUN_TAG: Final = "run-"
"""A sealed version is tagged `run-RUN`, so that it outlives cleaning until retention lets it go."""

LIBRARIES: Final = (
    "torch",
    "numpy",
    "pyarrow",
    "pylance",
    "lancedb",
    "duckdb",
    "ray",
    "prefect",
    "dvc",
    "simplejpeg",
    "pillow",
    "safetensors",
)


class Lineage(Plan):
    """Where an index version comes from and how it came out.

    Args:
        table: the index table's name.
        version: the sealed version, which carries this lineage.
        recipe: the recipe's name.
        recipe_digest: SHA-256 of all that the recipe says.
        dataset: the dataset's name.
        dataset_version: the manifest version whose live images are in it.
        pin: the hash under which DVC holds the dataset version's bytes; empty where not pinned.
        encoder: the digest of the encoder.
        run: the run that made it.
        code: git revision (with ``-dirty`` where the tree was changed) or the wheel's version.
        libraries: versions of what it was made with.
        counts: the change: added, changed, ... and what the index took up.
        protocol: names how the metrics were taken; empty where nothing could be asked.
        headline: the metric that the gate looked at.
        metrics: retrieval metrics by that protocol.
        intervals: of the metrics, at 95 %.
        sets: where in the store the protocol's drawn sets are kept; empty where nothing was drawn.
        sets_digest: SHA-256 of the protocol's sets, as they are written.
        health: figures of the index ``before`` and ``after``, and the ``action`` taken.
        seconds: wall time by stage.
        rows: images that can be found in it.
        deferred: live images of the dataset version that are not in it yet.
        created: ISO 8601, UTC.
    """

    table: str
    version: int
    recipe: str
    recipe_digest: str = ""
    dataset: str
    dataset_version: int
    pin: str = ""
    encoder: str
    run: str
    code: str = ""
    libraries: dict[str, str] = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict)
    protocol: str = ""
    headline: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = Field(default_factory=dict)
    sets: str = ""
    sets_digest: str = ""
    health: dict[str, Any] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)
    rows: int
    deferred: int = 0
    created: str = ""


def last_lineage(dataset: lance.LanceDataset) -> Lineage | None:
    """The lineage of the newest sealed version at or before DATASET's; None where none was sealed.

    A version inherits the metadata of the one before, so an unsealed version tells its ancestor's.
    """
    text = dataset.metadata.get(KEY)
    return Lineage.model_validate_json(text) if text else None


def lineage_of(dataset: lance.LanceDataset) -> Lineage | None:
    """The lineage of exactly this version; None where it is not a sealed one."""
    lineage = last_lineage(dataset)
    return lineage if lineage and lineage.version == dataset.version else None


def run_tags(dataset: lance.LanceDataset) -> dict[str, int]:
    """The version that each run sealed, by the run."""
    return {
        tag.removeprefix(RUN_TAG): int(found["version"])
        for tag, found in dataset.tags.list().items()
        if tag.startswith(RUN_TAG)
    }


def sealed_versions(table: Table) -> list[Lineage]:
    """The lineages of all sealed versions of TABLE that are kept, newest first."""
    return list(_sealed(table)) if table.exists() else []


def sealed_before(table: Table, version: int) -> Lineage | None:
    """The lineage of the newest sealed version of TABLE before VERSION; None for none."""
    return next(_sealed(table, version), None)


def _sealed(table: Table, before: float = inf) -> Iterator[Lineage]:
    """The lineages of the sealed versions BEFORE one, newest first, each read in its turn."""
    versions = sorted(set(run_tags(table.open()).values()), reverse=True)
    for version in versions:
        lineage = lineage_of(table.open(version)) if version < before else None
        if lineage:
            yield lineage


@cache
def code_revision() -> str:
    """The git revision of the checkout this runs from (``-dirty`` if changed), else the version."""
    root = Path(__file__).parents[1]
    if (root / ".git").exists():
        command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        try:
            answer = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return _installed("nightjar")
        if answer.returncode == 0:
            return answer.stdout.strip()
    return _installed("nightjar")


@cache
def library_versions() -> dict[str, str]:
    """The versions of Python and of the libraries an index is made with; imports none of them."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    return {"python": python} | {name: _installed(name) for name in LIBRARIES}


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
