"""Each dataset of the table, in shards: two readers of half the shards make the whole of it."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from data.adapters import DATASETS, open_dataset
from data.shards import members
from data.store import Store
from tasks.scan import SourcePlan
from tasks.shard import ShardPlan
from tests.data.halves import contents_of
from tests.data.miniatures import MINIATURES
from tests.tasks.nights import Nights

Draw = Callable[..., bytes]


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_two_readers_of_half_the_shards_make_the_whole(
    name: str, tmp_path: Path, store: Store, draw: Draw
) -> None:
    below, make = MINIATURES[name]
    root = tmp_path / below
    source = SourcePlan(dataset=name, root=str(root), options=make(root, draw))
    nights = Nights(store, source, shard=ShardPlan(images=2))
    nights.night()
    dataset = open_dataset(name, source.root, source.options)
    listed = list(dataset.samples())
    whole = dict(
        zip(
            (sample.key for sample in listed),
            contents_of(dataset, [sample.uri for sample in listed]),
            strict=True,
        )
    )

    home = f"shards/{nights.dataset}"
    tars = sorted(one for one in store.names(home) if one.endswith(".tar"))
    assert len(tars) > 1
    read, placed = dict[str, bytes](), dict[str, bytes]()
    rows = nights.rows()
    for half in (tars[0::2], tars[1::2]):
        for tar in half:
            with store.fs.open(store.uri(f"{home}/{tar}")) as stream:
                read |= {member[:64]: content for member, _, content in members(stream)}
        of_half = [row for row in rows.values() if f"{row['shard']}.tar" in half]
        placed |= {row["key"]: nights.bytes_of(row) for row in of_half}
    assert placed == whole
    assert read == {hashlib.sha256(content).hexdigest(): content for content in whole.values()}
