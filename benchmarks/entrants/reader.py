"""Containers, each read by its adapter and, right after it, raw. Arguments: NAME=ROOT for each.

A process of its own, so that nothing is held of an earlier reading.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.peers.raw import READERS, sequential
from data.adapters import open_dataset
from data.adapters.archives import entries
from data.adapters.base import Dataset
from data.adapters.card import Card
from data.sample import Sample


class Archive(Dataset):
    """The pictures of a zip, or of the tars in a tar, listed as adapters of such archives do."""

    card = Card(name="archive", about="Pictures in an archive.", labels="none")

    def samples(self) -> Iterator[Sample]:
        """The files in the archive, in its order."""
        for entry in entries(self.root):
            inner = entries(entry.uri) if entry.name.endswith(".tar") else (entry,)
            for one in inner:
                yield Sample(key=f"{entry.name}/{one.name}", uri=one.uri, size=one.size)


ADAPTERS: Final = {
    "folder": "folder",
    "tars": "tars",
    "idx": "mnist",
    "MATLAB": "svhn",
    "pickles": "cifar10",
}
ARCHIVES: Final = {"zip": "pictures.zip", "tar in tar": "pictures.tar"}


def opened(name: str, root: str) -> Dataset:
    """The container NAME at ROOT as a source."""
    if name in ARCHIVES:
        return Archive(f"{root}/{ARCHIVES[name]}")
    splits = {"splits": ["train"]} if name == "MATLAB" else {}
    return open_dataset(ADAPTERS[name], root, splits)


def read(dataset: Dataset) -> Iterator[bytes]:
    """The pictures of DATASET, all listed first, as a night does it.

    Raises:
        OSError: one of them could not be read.
    """
    uris = [uri for batch in dataset.listing() for uri in batch["uri"].to_pylist()]
    for content in dataset.read(uris):
        if isinstance(content, OSError):
            raise content
        yield content


def timed(contents: Iterable[bytes]) -> dict[str, float]:
    """How many pictures and bytes CONTENTS are, and the seconds until the last has come."""
    began = time.perf_counter()
    pictures = count = 0
    for content in contents:
        pictures += 1
        count += len(content)
    return {"seconds": time.perf_counter() - began, "pictures": pictures, "bytes": count}


def main(*words: str) -> None:
    """Print what each container's reading took, by Nightjar, raw, and of its files as they are."""
    told = {}
    places = dict(word.split("=", 1) for word in words)
    for _ in opened("folder", places["folder"]).listing():
        pass  # what the first listing imports, none of them pays for
    for name, root in places.items():
        began = time.perf_counter()
        count = sequential(Path(root))
        sequence = {"seconds": time.perf_counter() - began, "bytes": count}
        told[name] = {
            "Nightjar": timed(read(opened(name, root))),
            "raw": timed(READERS[name](Path(root))),
            "sequence": sequence,
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
