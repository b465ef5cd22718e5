"""Trees of labels: a dog is an animal, and so is nearer to a cat than to a car.

A label's place in the tree is told by its name, ``animal/dog``, or by a mapping that says of each
label or group the group above it. The root has no name: what has nothing else in common shares it.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Parents = Mapping[str, str]
"""Of each label or group, the group above it."""


def above(name: str, parents: Parents) -> str:
    """The group above the label or group NAME; empty where that is the root."""
    return parents.get(name, name.rpartition("/")[0])


def path_of(label: str, parents: Parents) -> tuple[str, ...]:
    """The groups that LABEL is in, from the highest to itself; as many as it is deep.

    Raises:
        ValueError: a group stands above itself; names it.
    """
    found: dict[str, None] = {}
    name = label
    while name:
        if name in found:
            raise ValueError(f"{name!r} stands above itself in the tree of labels.")
        found[name] = None
        name = above(name, parents)
    return tuple(reversed(found))


def groups_of(labels: pa.Array, parents: Parents) -> tuple[pa.Array, NDArray[np.int64]]:
    """The groups that rows of LABELS (N, lists of labels) are in, and of which row each is.

    A row that has several labels may be in a group more than once, and comes with it as often.
    """
    said = pc.list_flatten(labels).dictionary_encode()
    rows = pc.list_parent_indices(labels).to_numpy(zero_copy_only=False).astype(np.int64)
    paths = [path_of(label, parents) for label in said.dictionary.to_pylist()]
    lengths = np.array([len(path) for path in paths], np.int64)
    starts = np.cumsum(np.append(0, lengths))
    codes = said.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    counts = lengths[codes]
    firsts = np.repeat(starts[codes] - np.cumsum(counts) + counts, counts)
    flat = pa.array([name for path in paths for name in path], pa.string())
    return flat.take(pa.array(firsts + np.arange(len(firsts)))), np.repeat(rows, counts)
