"""Trees of labels: a dog is an animal, and so is nearer to a cat than to a car.

A label's place in the tree is told by its name, ``animal/dog``, or by a mapping that says of each
label or group the group above it, or the several groups. The root has no name: what has nothing
else in common shares it.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Parents = Mapping[str, str | tuple[str, ...]]
"""Of each label or group, the group above it, or those above it."""


def above(name: str, parents: Parents) -> tuple[str, ...]:
    """The groups directly above the label or group NAME; none where that is the root."""
    said = parents.get(name, name.rpartition("/")[0])
    return tuple(filter(None, (said,) if isinstance(said, str) else said))


def path_of(label: str, parents: Parents) -> tuple[str, ...]:
    """The groups that LABEL is in, itself the last, each after those above it.

    In a tree they are as many as it is deep.

    Raises:
        ValueError: a group stands above itself; names it.
    """
    return _climbed([label], parents)


def check_tree(parents: Parents) -> None:
    """Return if no group stands above itself.

    Raises:
        ValueError: one does; names it.
    """
    _climbed(parents, parents)


def check_known(labels: Iterable[str], parents: Parents, told_by: str) -> None:
    """Return if all LABELS stand in the tree PARENTS.

    Raises:
        ValueError: one does not; names it, how many others, and TOLD_BY, the file of the tree.
    """
    strange = sorted(set(labels) - parents.keys())
    if strange:  # the highest of all are named by those below them alone
        groups = {group for name in parents for group in above(name, parents)}
        strange = [label for label in strange if label not in groups]
    if strange:
        more = f" and {len(strange) - 1:,} others" if strange[1:] else ""
        raise ValueError(
            f"{told_by} does not say where the label {strange[0]!r} is{more}: it knows labels such "
            f"as {next(iter(parents), '')!r}. Name the file of this dataset, or write parents out."
        )


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


def _climbed(names: Iterable[str], parents: Parents) -> tuple[str, ...]:
    """NAMES and all groups above them, each once, after those above it; without recursion."""
    found: dict[str, None] = {}
    for first in names:
        below = [(first, iter(above(first, parents)))] if first and first not in found else []
        open_ones = {first}
        while below:
            name, groups = below[-1]
            group = next((one for one in groups if one not in found), None)
            if group is None:
                below.pop()
                open_ones.discard(name)
                found[name] = None
                continue
            if group in open_ones:
                raise ValueError(f"{group!r} stands above itself in the tree of labels.")
            open_ones.add(group)
            below.append((group, iter(above(group, parents))))
    return tuple(found)
