"""The sets of a protocol: by split, by list, or by lots that fall the same way everywhere.

A lot is the SHA-256 of ``SEED/KEY`` in UTF-8, and the smallest are drawn. No generator of random
numbers is asked, so the outcome depends neither on the version of a library nor on the order in
which pictures come.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import IO, Final, NamedTuple

from data.protocols.base import Pick, Protocol

HEAD: Final = ("set", "key")


class Picture(NamedTuple):
    """What the draw looks at: a picture's key, its labels and its split."""

    key: str
    labels: Sequence[str] = ()
    split: str = ""


@dataclass(frozen=True)
class Sets:
    """The keys of each set, sorted."""

    queries: tuple[str, ...]
    database: tuple[str, ...]
    train: tuple[str, ...]


def lot(seed: str, name: str) -> bytes:
    """The lot that falls on NAME, 32 bytes; the smaller, the sooner it is drawn."""
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def sets_of(pictures: Iterable[Picture], protocol: Protocol) -> Sets:
    """The sets of PROTOCOL among PICTURES.

    Labels are counted over all PICTURES. Where as many of every label are drawn, the rarest label
    draws first (by count, then by name), so that no common one takes its pictures; a picture is
    drawn once, and counts for the label that drew it.

    Raises:
        ValueError: there are fewer pictures than are to be drawn; names the set, and the label.
    """
    known = _counted(list(pictures), protocol)
    taken: dict[str, frozenset[str]] = {}
    for name in ("queries", "train", "database"):
        pick: Pick | None = getattr(protocol, name)
        if pick is None:
            taken[name] = frozenset()
            continue
        out = frozenset().union(*(taken[other] for other in pick.without))
        taken[name] = frozenset(_picked(known, pick, out, protocol, name))
    both = taken["queries"] & taken["database"]
    if both and protocol.own == "absent":
        raise ValueError(
            f"{len(both)} queries are in the database too, such as {min(both)!r}: leave them out "
            "of it, or say by `own` what becomes of them."
        )
    return Sets(**{name: tuple(sorted(keys)) for name, keys in taken.items()})


def seen_labels(labels: Iterable[str], share: float, seed: str) -> frozenset[str]:
    """The labels that teach: SHARE of LABELS, rounded, those of the smallest lots."""
    order = sorted(set(labels), key=lambda label: lot(seed, f"label/{label}"))
    return frozenset(order[: round(share * len(order))])


def labels_that_count(pictures: Iterable[Picture], protocol: Protocol) -> frozenset[str] | None:
    """The labels among those of PICTURES that PROTOCOL looks at; None for all of them."""
    if not protocol.frequent:
        return None
    counts = Counter(label for picture in pictures for label in set(picture.labels))
    order = sorted(counts, key=lambda label: (-counts[label], label))
    return frozenset(order[: protocol.frequent])


def write_sets(sets: Sets, out: IO[str]) -> None:
    """SETS as a CSV of set and key, the same bytes for the same sets: a list to be versioned."""
    rows = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    rows.writerow(HEAD)
    for name in ("queries", "train", "database"):
        rows.writerows((name, key) for key in getattr(sets, name))


def read_sets(lines: Iterable[str]) -> Sets:
    """The sets that `write_sets` wrote.

    Raises:
        ValueError: LINES are no such list; says where.
    """
    rows = csv.reader(lines)
    if tuple(next(rows, ())) != HEAD:
        raise ValueError(f"A list of sets begins with the line {','.join(HEAD)}.")
    keys: dict[str, list[str]] = {"queries": [], "database": [], "train": []}
    for number, row in enumerate(rows, 2):
        if len(row) != 2 or row[0] not in keys:
            raise ValueError(f"Line {number} of a list of sets is {row!r}: no set and key.")
        keys[row[0]].append(row[1])
    return Sets(**{name: tuple(found) for name, found in keys.items()})


def _counted(pictures: list[Picture], protocol: Protocol) -> list[Picture]:
    """PICTURES, of their labels those that count, without pictures that have none of them."""
    frequent = labels_that_count(pictures, protocol)
    if frequent is None:
        return pictures
    kept = (
        picture._replace(labels=[label for label in picture.labels if label in frequent])
        for picture in pictures
    )
    return [picture for picture in kept if picture.labels]


def _picked(
    pictures: list[Picture], pick: Pick, out: Set[str], protocol: Protocol, name: str
) -> list[str]:
    """The keys of PICK among PICTURES that are not OUT already."""
    among = [
        picture
        for picture in pictures
        if picture.key not in out and (not pick.splits or picture.split in pick.splits)
    ]
    if pick.labels == "some":
        among = [picture for picture in among if picture.labels]
    elif pick.labels != "all":
        labels = [label for picture in pictures for label in picture.labels]
        seen = seen_labels(labels, protocol.seen, protocol.seed)
        wanted = pick.labels == "seen"
        among = [one for one in among if all((label in seen) == wanted for label in one.labels)]
    if pick.each:
        return _each(among, pick.each, protocol.seed, name)
    keys = [picture.key for picture in among]
    if not pick.count:
        return keys
    if len(keys) < pick.count:
        raise ValueError(f"{name} should be {pick.count} pictures, and there are {len(keys)}.")
    return sorted(keys, key=lambda key: lot(protocol.seed, key))[: pick.count]


def _each(among: list[Picture], each: int, seed: str, name: str) -> list[str]:
    """EACH keys of every label AMONG them, the rarest label first."""
    of_label: dict[str, list[str]] = {}
    for picture in sorted(among, key=lambda picture: lot(seed, picture.key)):
        for label in set(picture.labels):
            of_label.setdefault(label, []).append(picture.key)
    drawn: dict[str, None] = {}
    for label, keys in sorted(of_label.items(), key=lambda item: (len(item[1]), item[0])):
        mine = [key for key in keys if key not in drawn][:each]
        if len(mine) < each:
            raise ValueError(
                f"{name} should have {each} pictures of {label!r}, and there are {len(mine)}."
            )
        drawn |= dict.fromkeys(mine)
    return list(drawn)
