"""Scan: what a source lists, streamed into the workspace in waves; no image is read."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field, field_validator

from data.adapters import open_dataset
from data.adapters.base import Dataset
from data.adapters.regions import Objects
from data.database import asking
from data.plan import Plan
from data.sample import LISTING
from data.workspace import LISTED, save

FEW: Final = 100_000
"""Listed rows whose keys are counted in memory: asking a database takes milliseconds."""


class SourcePlan(Plan):
    """Where the images come from."""

    dataset: str = Field(description="the adapter: folder, list, tars, cifar10, …")
    root: str = Field(description="a path or URL")
    options: dict[str, Any] = Field(default={}, description="what else the adapter takes")
    objects: Objects | None = Field(
        default=None,
        description="rows are parts of the pictures: boxes, grid, or {of: boxes, least: 32}",
    )

    later: ClassVar[Mapping[str, Any]] = {"objects": None}

    @field_validator("objects", mode="before")
    @classmethod
    def _in_a_word(cls, told: Any) -> Any:
        return {"of": told} if isinstance(told, str) else told

    def opened(self) -> Dataset:
        """The source itself; nothing is read before it is asked.

        Raises:
            ValueError: an unknown dataset, option or split; names the choices.
        """
        return open_dataset(self.dataset, self.root, self.options, self.objects)


class ScanPlan(Plan):
    """How a listing is taken and compared."""

    wave: int = Field(
        default=1_000_000, gt=0, description="listed rows after which their images may be read"
    )
    memory: int = Field(
        default=512, ge=64, description="MB that comparing listing and manifest may take"
    )


def scan(source: SourcePlan, plan: ScanPlan, workspace: Path) -> Iterator[Path]:
    """The listing of SOURCE as Parquet files of `LISTED` columns, each handed out once it is full.

    Args:
        source: what is listed.
        plan: how many rows a wave has.
        workspace: the files go to its folder ``listing``.

    Raises:
        ValueError: a key is missing, or comes twice; names it.
    """
    folder = workspace / "listing"
    folder.mkdir(parents=True, exist_ok=True)
    listing = source.opened().listing()
    waves: list[Path] = []
    for batches in _waves(_checked(listing), plan.wave):
        path = folder / f"wave-{len(waves):06d}.parquet"
        save(path, LISTED, batches)
        _refuse_twice([path], plan)
        waves.append(path)
        yield path
    if len(waves) > 1:
        _refuse_twice(waves, plan)


def _checked(listing: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches of LISTING with the `LISTED` columns; every row has a key."""
    position = 0
    for batch in listing:
        table = pa.Table.from_batches([batch]).select(LISTING.names)
        keys = table["key"]
        if keys.null_count or pc.any(pc.equal(keys, "")).as_py():
            raise ValueError(
                f"A picture of the listing, between its rows {position} and "
                f"{position + len(keys) - 1}, has no key: give every picture a name of its own."
            )
        places = pa.array(np.arange(position, position + len(keys)))
        position += len(keys)
        rows = table.cast(LISTING).append_column(LISTED.field("position"), places)
        yield from rows.combine_chunks().to_batches()


def _waves(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[Iterator[pa.RecordBatch]]:
    """BATCHES cut into waves of ROWS rows, each to be used up before the next is asked for."""
    stream = iter(batches)
    rest = next(stream, None)

    def wave() -> Iterator[pa.RecordBatch]:
        nonlocal rest
        room = rows
        while rest is not None and room:
            taken, left = rest.slice(0, room), rest.slice(room)
            room -= taken.num_rows
            yield taken
            rest = left if left.num_rows else next(stream, None)

    while rest is not None:
        yield wave()


def _refuse_twice(waves: list[Path], plan: ScanPlan) -> None:
    """Raise where a key comes twice in WAVES: two pictures of one name cannot be told apart."""
    if sum(pq.read_metadata(wave).num_rows for wave in waves) <= FEW:
        keys = pa.concat_tables([pq.read_table(wave, columns=["key"]) for wave in waves])["key"]
        if pc.count_distinct(keys).as_py() == len(keys):
            return
    with asking(plan.memory, listing=waves) as ask:
        # by the keys' hashes first, which are short: as a rule millions of keys have no twin
        twins = ask.execute(
            """
            SELECT key, count(*) FROM listing
            WHERE hash(key) IN (SELECT hash(key) FROM listing GROUP BY 1 HAVING count(*) > 1)
            GROUP BY key HAVING count(*) > 1 ORDER BY key LIMIT 3
            """
        ).fetchall()
    if twins:
        named = ", ".join(f"{key!r} ({times} times)" for key, times in twins)
        raise ValueError(
            f"The source lists keys more than once: {named}. "
            "A key names one picture; make them differ, or list each picture once."
        )
