"""Trees of labels in the files that data sets ship: read when a recipe names one."""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from typing import Final

from data.hierarchy import check_tree
from data.taxonomy import choose

Tree = dict[str, str | tuple[str, ...]]
"""Of each label or group, the group above it, or those above it."""


def tree_in(paths: Sequence[str]) -> Tree:
    """The tree in the files at PATHS, or that of them all; labels of different files are others.

    Raises:
        FileNotFoundError: one is not there.
        ValueError: one is of no form that is known, is damaged, or has a group above itself.
    """
    found: Tree = {}
    for path in paths:
        name = path.rpartition("/")[2]
        pattern = next((one for one in FORMS if fnmatch(name, one)), name)
        told = choose(FORMS, pattern, "file of a tree of labels")(path)
        if not told:
            raise ValueError(f"{path} names no label.")
        if both := sorted(told.keys() & found.keys()):
            raise ValueError(f"{path} says again where {both[0]!r} is.")
        found |= told
    try:
        check_tree(found)
    except ValueError as error:
        raise ValueError(f"{', '.join(paths)}: {error}") from error
    return found


def landmarks(path: str) -> Tree:
    """Where each landmark of Google Landmarks v2 is, by its ``SPLIT_label_to_hierarchical.csv``.

    The labels are those of the adapter, ``train/140690``. Above a landmark stands its
    ``supercategory``, above that its ``hierarchical_label``, above that whether it is natural or
    human-made; what the file leaves empty is left out. A group is named by the whole way from
    above, ``human-made/church, or chapel``, so that one word in two places is two groups; a slash
    in a word becomes a ``|``.
    """
    import pyarrow as pa

    from data.adapters.rows import row_batches

    space = path.rpartition("/")[2].removesuffix("_label_to_hierarchical.csv")
    levels = ("natural_or_human_made", "hierarchical_label", "supercategory")
    kinds = {"landmark_id": pa.int64(), **dict.fromkeys(levels, pa.string())}
    found: Tree = {}
    for batch in row_batches(path, kinds):
        for number, *words in zip(*(batch[name].to_pylist() for name in kinds), strict=True):
            label = f"{space}/{number}"
            if label in found:
                raise ValueError(f"{path} says twice where landmark {number} is.")
            found[label] = "/".join(word.replace("/", "|") for word in words if word)
    return found


def synsets(path: str) -> Tree:
    """Which synsets of WordNet are above which, by ImageNet's ``wordnet.is_a.txt``.

    A line says ``PARENT CHILD``, two WNIDs. A synset may have several above it.
    """
    from data.adapters.archives import content_of
    from data.adapters.wnids import WNID

    found: Tree = {}
    for number, line in enumerate(content_of(path).decode(errors="replace").splitlines(), 1):
        words = line.split()
        if len(words) != 2 or not all(map(WNID.fullmatch, words)):
            raise ValueError(
                f"{path}: line {number} is {line!r}, and should be two WNIDs, parent and child."
            )
        parent, child = words
        before = found.get(child, ())
        known = (before,) if isinstance(before, str) else before
        if parent not in known:
            found[child] = (*known, parent) if known else parent
    return found


FORMS: Final[Mapping[str, Callable[[str], Tree]]] = {
    "train_label_to_hierarchical.csv": landmarks,
    "index_label_to_hierarchical.csv": landmarks,
    "*.is_a.txt": synsets,
}
"""By the name of the file, what reads it."""
