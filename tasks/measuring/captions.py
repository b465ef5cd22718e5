"""What a protocol of captions asks of a dataset version: its sentences, and its pictures."""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from data.manifest import LIVE, manifest
from data.protocols import Protocol
from data.protocols.draw import lot
from data.protocols.kept import digest_of_sets, keep
from data.store import Store
from tasks.measuring.sets import SAMPLE, drawn

SENTENCES: Final = 5
"""Of a picture; what was said of it besides is not asked, as in the papers."""

Caption = tuple[str, str]
"""The key of a picture, and a sentence that was said of it."""


@dataclass(frozen=True)
class Captions:
    """What a protocol asks of a dataset version.

    Args:
        protocol: says it.
        asking: sentences that ask for their picture.
        pictures: keys of the pictures that ask for a sentence.
        database: keys of the pictures that answer.
        answering: the sentences of these.
        sets: the sizes of queries, database and training set.
        kept: where in the store the sets are kept; empty where nothing was drawn.
        digest: of the sets as they are written.
    """

    protocol: Protocol
    asking: list[Caption]
    pictures: list[str]
    database: list[str]
    answering: list[Caption]
    sets: tuple[int, int, int]
    kept: str
    digest: str

    @property
    def texts(self) -> list[str]:
        """All sentences, each once."""
        return list(dict.fromkeys(text for _, text in (*self.asking, *self.answering)))


def captions(
    store: Store, dataset: str, version: int, name: str, protocol: Protocol, limit: int | None
) -> Captions:
    """What PROTOCOL, which is called NAME, asks of DATASET at VERSION.

    Args:
        store: holds the manifest.
        dataset: its name.
        version: of the manifest.
        name: what the protocol is called.
        protocol: what it says.
        limit: sentences, and pictures, that ask at most; all where None.

    Raises:
        ValueError: the sets cannot be drawn, or nothing is said of their pictures.
    """
    sets, _ = drawn(store, dataset, version, protocol)
    of_key = _said(store, dataset, version, {*sets.queries, *sets.database})
    asking = [(key, text) for key in sets.queries for text in of_key.get(key, ())]
    if not asking:
        raise ValueError("no picture that it asks for has a caption")
    pictures = [key for key in sets.queries if key in of_key]
    if limit is not None:
        asking = sorted(sorted(asking, key=lambda one: lot(SAMPLE, "#".join(one)))[:limit])
        pictures = sorted(sorted(pictures, key=lambda key: lot(SAMPLE, key))[:limit])
    return Captions(
        protocol,
        asking,
        pictures,
        list(sets.database),
        [(key, text) for key in sets.database for text in of_key.get(key, ())],
        (len(sets.queries), len(sets.database), len(sets.train)),
        keep(store, dataset, name, sets) if protocol.is_drawn else "",
        digest_of_sets(sets),
    )


def _said(store: Store, dataset: str, version: int, keys: set[str]) -> dict[str, list[str]]:
    """The first `SENTENCES` of each of the live pictures of KEYS that has some."""
    wanted = pa.array(sorted(keys), pa.string())
    found: dict[str, list[str]] = {}
    opened = manifest(store, dataset).open(version)
    scanner = opened.scanner(["key", "captions"], filter=f"state = '{LIVE}'")
    for batch in scanner.to_batches():
        mine = batch.filter(pc.is_in(batch["key"], value_set=wanted))
        for key, said in zip(mine["key"].to_pylist(), mine["captions"].to_pylist(), strict=True):
            if said:
                found[key] = said[:SENTENCES]
    return found
