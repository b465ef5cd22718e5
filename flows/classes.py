"""What single queries say of the classes they ask for: which are found worst, and what for them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.manifest import manifest
from data.store import Store
from models import metrics
from tasks.measuring.queries import Array
from tasks.measuring.scores import Each

MISTAKEN: Final = 5
"""Classes that one is taken for, as many as are named."""

Labels = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class ClassRow:
    """One class: how many queries ask for it, what they are worth on average in each version."""

    name: str
    queries: int
    value: float
    other: float | None = None


@dataclass(frozen=True)
class Mistaken:
    """What stands among the first answers to the queries of one class.

    Args:
        name: of the class.
        right: share of the first answers that are relevant.
        instead: labels of the others, with their share of the answers, the most frequent first.
    """

    name: str
    right: float
    instead: tuple[tuple[str, float], ...]


def classes(each: Each, headline: str, labels: Labels) -> list[ClassRow]:
    """What the queries of each class are worth, the worst first."""
    sums: dict[str, list[Array]] = {}
    values = np.array(
        [one.values.get(headline, np.nan) * np.ones(len(each.keys)) for one in each.ranked]
    )
    for query, key in enumerate(each.keys):
        for label in labels.get(key, ()):
            if not np.isnan(values[0, query]):
                sums.setdefault(label, []).append(values[:, query])
    rows = []
    for label, some in sums.items():
        ours, *others = (metrics.mean(of) for of in np.stack(some, axis=1))
        other = next((one.value for one in others if one.queries), None)
        rows.append(ClassRow(label, ours.queries, ours.value, other))
    return sorted(rows, key=lambda row: (row.value, row.name))


def mistaken(each: Each, labels: Labels, name: str) -> Mistaken:
    """What stands among the first `TOP` answers to the queries of class NAME."""
    ours = each.ranked[0]
    asked = [query for query, key in enumerate(each.keys) if name in labels.get(key, ())]
    answers, right = ours.answers[asked], ours.right[asked]
    there = int((answers >= 0).sum())
    wrong = Counter(
        label
        for row in answers[(answers >= 0) & ~right].tolist()
        for label in labels.get(ours.keys[row], ())
    )
    most = sorted(wrong.items(), key=lambda pair: (-pair[1], pair[0]))[:MISTAKEN]
    return Mistaken(
        name,
        float(right.sum() / there) if there else 0.0,
        tuple((label, count / there) for label, count in most),
    )


def labels_of(store: Store, dataset: str, version: int, keys: Iterable[str]) -> Labels:
    """The labels of the images of KEYS in a dataset version; streams two columns."""
    wanted = pa.array(sorted(keys), pa.string())
    found: dict[str, tuple[str, ...]] = {}
    images = manifest(store, dataset).open(version)
    for batch in images.scanner(["key", "labels"], filter="state = 'live'").to_batches():
        some = batch.filter(pc.is_in(batch["key"], value_set=wanted))
        rows = zip(some["key"].to_pylist(), some["labels"].to_pylist(), strict=True)
        found |= {key: tuple(said or ()) for key, said in rows}
    return found
