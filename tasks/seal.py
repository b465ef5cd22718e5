"""Seal an index version with its lineage: from then on it can be searched and gone back to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import lance

from data.indexes import index_table
from data.lineage import (
    KEY,
    RUN_TAG,
    Lineage,
    code_revision,
    library_versions,
    lineage_of,
)
from data.manifest import manifest
from data.probing import Probing
from data.store import Store

DATASET_TAG: Final = "dataset-"
"""A manifest version that a sealed index version names is tagged `dataset-VERSION`."""


@dataclass(frozen=True)
class Candidate:
    """An index version that holds a dataset version, not sealed and not judged yet.

    Args:
        table: the index table's name.
        version: the Lance version of it.
        rows: images in it.
        upserted: rows this run wrote.
        deleted: rows this run took out and did not replace.
        deferred: live images that have no descriptor, and so are not in it.
        health: what `maintain` found and did.
        dataset: the dataset's name.
        dataset_version: the manifest version it holds.
        encoder: the encoder's digest.
        run: the run that asked for it.
        waiting: keys of the deferred images, the first thousand.
        probing: how its ANN index is asked, where that was tuned.
    """

    table: str
    version: int
    rows: int
    upserted: int
    deleted: int
    deferred: int
    health: dict[str, Any] = field(default_factory=dict)
    dataset: str = ""
    dataset_version: int = 0
    encoder: str = ""
    run: str = ""
    waiting: tuple[str, ...] = ()
    probing: Probing | None = None


def seal(
    store: Store, candidate: Candidate, fields: Mapping[str, Any], check: Callable[[], None]
) -> Lineage:
    """The lineage of CANDIDATE, written into its table; what this makes is the index version.

    Sealing again answers the same: a run seals one version, and a version that is sealed and holds
    the same dataset version stays as it is. The manifest version it names is tagged first, so that
    cleaning leaves it.

    Args:
        store: where it lies.
        candidate: what `index` returned.
        fields: of `Lineage`, what the candidate does not know: at least ``recipe``.
        check: raises if this run may no longer write; called right before the commit.

    Raises:
        RuntimeError: the table changed since the candidate was made, or while it was sealed.
    """
    table = index_table(store, candidate.table)
    newest = table.open()
    sealed = lineage_of(newest)
    if sealed and (sealed.run == candidate.run or _same(sealed, candidate)):
        _tag(newest, RUN_TAG + sealed.run, sealed.version)
        return sealed
    if newest.version != candidate.version:
        raise RuntimeError(_overtaken(candidate, newest.version))
    lineage = Lineage.model_validate(
        {
            "code": code_revision(),
            "libraries": library_versions(),
            "created": datetime.now(UTC).isoformat(),
            **fields,
            "dataset": candidate.dataset,
            "dataset_version": candidate.dataset_version,
            "encoder": candidate.encoder,
            "run": candidate.run,
            "table": candidate.table,
            "version": candidate.version + 1,
            "rows": candidate.rows,
            "deferred": candidate.deferred,
            "health": candidate.health,
        }
    )
    dataset_version = lineage.dataset_version
    _tag(
        manifest(store, lineage.dataset).open(), f"{DATASET_TAG}{dataset_version}", dataset_version
    )
    check()
    newest.update_metadata({KEY: lineage.model_dump_json()})
    if newest.version != lineage.version:
        raise RuntimeError(_overtaken(candidate, newest.version))
    _tag(newest, RUN_TAG + lineage.run, lineage.version)
    return lineage


def _same(sealed: Lineage, candidate: Candidate) -> bool:
    """Whether SEALED says already what sealing CANDIDATE would."""
    return (sealed.version, sealed.dataset, sealed.dataset_version) == (
        candidate.version,
        candidate.dataset,
        candidate.dataset_version,
    )


def _tag(dataset: lance.LanceDataset, tag: str, version: int) -> None:
    """Let DATASET's VERSION be called TAG, whether or not it is already."""
    try:  # to list all tags is to read a file for each night there ever was
        dataset.tags.create(tag, version)
    except ValueError:
        if dataset.tags.get_version(tag) != version:
            dataset.tags.update(tag, version)  # the same run, called again, found more to do


def _overtaken(candidate: Candidate, version: int) -> str:
    return (
        f"Index {candidate.table} is at version {version}, and run {candidate.run} left it at "
        f"{candidate.version}: somebody else wrote meanwhile. Run again."
    )
