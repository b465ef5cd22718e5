"""What the tests of extraction share: an encoder that is kept, shards to put pictures in."""

import hashlib
from collections.abc import Callable

import pyarrow as pa
import pytest

from data.manifest import shard_name
from data.shards import pack
from data.store import Store
from models import canary, weights
from tasks.pictures import PICTURES
from tasks.training import train
from tests.tasks.extraction.runs import SPEC


@pytest.fixture(scope="module")
def encoder_file() -> bytes:
    """An untrained encoder, as its file."""
    return weights.save(weights.build(SPEC), SPEC)


@pytest.fixture
def encoder(store: Store, encoder_file: bytes) -> str:
    """An encoder in the store, with a card that is true."""
    reference = canary.reference(weights.load(encoder_file))
    return train.keep_encoder(store, encoder_file, {"canary": reference})


@pytest.fixture
def shelve(store: Store) -> Callable[..., pa.Table]:
    """Puts a shard of contents into the store, and says where they lie."""

    def put(contents: list[bytes], shard: str = "s1") -> pa.Table:
        digests = [hashlib.sha256(content).hexdigest() for content in contents]
        with store.replacing(shard_name("d", shard)) as out:
            named = (
                (f"{digest}.jpg", content)
                for digest, content in zip(digests, contents, strict=True)
            )
            spans = pack(named, out)
        return pa.table(
            [
                digests,
                [shard] * len(digests),
                [span.offset for span in spans],
                [span.length for span in spans],
            ],
            schema=PICTURES,
        )

    return put
