"""A list of millions of pictures that are a few real files, and a store that holds all of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.pictures import folder
from benchmarks.stock import TRAIN, Stock, stocked
from data.database import asking
from data.descriptors import DescriptorCache, descriptor_schema
from data.manifest import MANIFEST, manifest
from data.store import Store
from flows.recipe import Recipe
from tasks.compare import META
from tasks.scan import scan

REAL: Final = 50
"""Files that all rows point at."""
SIDE: Final = 64
CHUNK: Final = 250_000

_HELD: Final = f"""
SELECT l.* EXCLUDE (position), sha256(l.key) AS digest,
       printf('%06d', position // 1000) AS shard, position % 1000 * 24000 AS "offset",
       24000::BIGINT AS length, 256::INTEGER AS width, 256::INTEGER AS height,
       'live' AS state, '' AS reason, '' AS decoder, {META} AS meta,
       2::BIGINT AS since, 'benchmark' AS run
FROM waves l
"""


def listed(work: Path, rows: int) -> Stock:
    """A store whose manifest and cache hold ROWS pictures, and a list in which 1 % have changed.

    The files lie in WORK and are used again where they are there.
    """
    pictures = folder(work / "pictures-real", REAL, SIDE)
    list_file = work / f"list-{rows}.parquet"
    store = Store(str(work / f"listed-{rows}"))
    word = work / f"listed-{rows}.yaml"
    small = _recipe(word, _list(work / "list-real.parquet", pictures, REAL, changed=False))
    whole = work / f"listed-{rows}.whole"
    stock = stocked(store, small) if not whole.exists() else None
    if stock is not None:
        before = _list(work / f"list-{rows}-before.parquet", pictures, rows, changed=False)
        _hold(stock, _recipe(word, before), work)
        before.unlink()
        _list(list_file, pictures, rows, changed=True)
        whole.write_text(stock.encoder)
    return Stock(store, _recipe(word, list_file), 2, whole.read_text())


def _recipe(path: Path, root: Path) -> Recipe:
    source = {"dataset": "list", "root": str(root)}
    said: dict[str, Any] = {
        "name": "listed",
        "source": source,
        "train": TRAIN | {"descriptor": "binary", "dimensions": 64},
        "cluster": {"small": 10**9},  # what is measured is the planning, not Ray
    }
    path.write_text(yaml.safe_dump(said))
    return Recipe.named(str(path))


def _list(path: Path, pictures: Path, rows: int, *, changed: bool) -> Path:
    """PATH as a list of ROWS pictures; where CHANGED every hundredth has another time stamp."""
    files = sorted(str(file) for file in pictures.rglob("*.jpg"))
    sizes = np.array([Path(file).stat().st_size for file in files])
    with pq.ParquetWriter(path, _SCHEMA) as out:
        for start in range(0, rows, CHUNK):
            numbers = np.arange(start, min(rows, start + CHUNK))
            which = numbers % len(files)
            stamps = 10**18 + numbers + (changed & (numbers % 100 == 0))
            keys = [f"{number % 1000:03d}/picture-{number:09d}.jpg" for number in numbers]
            columns = [keys, [files[one] for one in which], sizes[which], stamps]
            out.write_table(pa.table(columns, schema=_SCHEMA))
    return path


_SCHEMA: Final = pa.schema(
    [("key", pa.string()), ("uri", pa.string()), ("size", pa.int64()), ("mtime", pa.int64())]
)


def _hold(stock: Stock, recipe: Recipe, work: Path) -> None:
    """Replace the manifest of STOCK by what RECIPE lists, and know a descriptor of each."""
    table = manifest(stock.store, recipe.dataset)
    base = table.open(stock.version)
    doomed = base.to_table(columns=["key"], with_row_address=True)["_rowaddr"].to_numpy()
    workspace = work / "listing"
    waves = list(scan(recipe.source, recipe.scan, workspace))
    cache = DescriptorCache(stock.store, stock.encoder)
    with asking(recipe.scan.memory, waves=waves) as ask:
        rows = ask.sql(_HELD).to_arrow_reader(CHUNK)
        staged = table.stage(_cast(rows, cache))
    table.commit(base, staged, doomed, {"run": "benchmark"})
    for wave in waves:
        wave.unlink()


def _cast(rows: pa.RecordBatchReader, cache: DescriptorCache) -> Iterator[pa.RecordBatch]:
    """ROWS as those of a manifest; the digests of each batch become a part of CACHE."""
    schema = descriptor_schema(pa.uint8(), 8)
    for number, batch in enumerate(rows):
        table = pa.Table.from_batches([batch]).select(MANIFEST.names).cast(MANIFEST)
        blank = pa.repeat(pa.scalar("", pa.string()), len(table))
        bits = pa.repeat(pa.scalar([0] * 8, schema.field("vector").type), len(table))
        columns = [table["digest"], bits, blank, blank]
        cache.write(f"part-{number:06d}", pa.table(columns, schema=schema))
        yield from table.combine_chunks().to_batches()
