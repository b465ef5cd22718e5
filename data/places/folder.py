"""A folder of photographs of places, and what happens to it in a night."""

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from data.places.album import photograph, place_name

HOUR: Final = 3600 * 10**9
"""Nanoseconds; a touched file is so much younger than it was."""


@dataclass(frozen=True)
class Night:
    """What `a_night_of_changes` did, by the keys of the files (paths in the folder).

    Args:
        added: new photographs, of known places and of one new place.
        replaced: files that now hold another photograph of their place.
        renamed: files that have another name, as (old, new).
        copied: files that lie there twice, as (original, copy).
        removed: files that are gone.
        touched: files with another time stamp and the same bytes.
        broken: files of which the second half is lost.
    """

    added: tuple[str, ...]
    replaced: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    copied: tuple[tuple[str, str], ...]
    removed: tuple[str, ...]
    touched: tuple[str, ...]
    broken: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """How many files each kind of change met, without the kinds that met none."""
        sizes = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        return {name: size for name, size in sizes.items() if size}

    def __str__(self) -> str:
        return ", ".join(f"{size} {name}" for name, size in self.counts().items()) or "nothing"


def write_places(
    root: str | Path,
    places: int = 48,
    views: int = 20,
    seed: int = 0,
    *,
    first: int = 0,
    side: int = 112,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Write PLACES x VIEWS photographs as ROOT/PLACE/VIEW.jpg; their keys (``rosy-mill/0007.jpg``).

    The folder's name is the label, as the ``folder`` dataset reads it. Other views of the same
    places, for a test, are those from another FIRST on.

    Args:
        root: a folder; made where it is not there.
        places: how many places.
        views: photographs a place.
        seed: another seed gives other places.
        first: number of the first view.
        side: pixels.
        progress: is told (written, of how many) after every place.
    """
    keys: list[str] = []
    for place in range(places):
        for view in range(first, first + views):
            keys.append(_write(Path(root), seed, place, view, side))
        if progress:
            progress(len(keys), places * views)
    return keys


def a_night_of_changes(
    root: str | Path,
    places: int = 48,
    views: int = 20,
    seed: int = 0,
    *,
    share: float = 0.02,
    side: int = 112,
) -> Night:
    """Do to the folder of `write_places` what a day does, and tell what it was.

    Every kind of change meets other files, SHARE of them and at least two; but half as many are
    removed, and one breaks. Added are new views of known places, and a place that was not there
    with as many views as the others have.

    Args:
        root: the folder, as `write_places` with the same PLACES, VIEWS and SEED left it.
        places: how many places are there.
        views: photographs of each that are there.
        seed: that of the places; says also which files are met.
        share: of all files, 0 to 0.1.
        side: pixels of new photographs.

    Raises:
        ValueError: SHARE is not between 0 and 0.1.
        FileNotFoundError: a file that should change is not in ROOT.
    """
    if not 0 <= share <= 0.1:
        raise ValueError(f"share must be between 0 and 0.1 of the files but is {share}.")
    folder = Path(root)
    rng = np.random.default_rng((seed, places, views))
    every = [(place, view) for place in range(places) for view in range(views)]
    met = iter([every[int(i)] for i in rng.permutation(len(every))])
    some = max(2, round(share * len(every)))

    def take(count: int) -> list[tuple[int, int]]:
        return [next(met) for _ in range(count)]

    def key(at: tuple[int, int]) -> str:
        return photograph_key(seed, *at)

    added = [
        _write(folder, seed, place, views, side) for place in sorted(rng.permutation(places)[:some])
    ]
    added += [_write(folder, seed, places, view, side) for view in range(views)]
    replaced = take(some)
    for place, view in replaced:
        (folder / photograph_key(seed, place, view)).write_bytes(
            photograph(seed, place, view + 1_000, side)
        )
    renamed = [(key(at), _beside(key(at), "renamed")) for at in take(some)]
    for old, new in renamed:
        (folder / old).rename(folder / new)
    copied = [(key(at), _beside(key(at), "copy")) for at in take(some)]
    for original, copy in copied:
        (folder / copy).write_bytes((folder / original).read_bytes())
    removed = [key(at) for at in take(max(1, some // 2))]
    for name in removed:
        (folder / name).unlink()
    touched = [key(at) for at in take(some)]
    for name in touched:
        stamp = (folder / name).stat().st_mtime_ns + HOUR
        os.utime(folder / name, ns=(stamp, stamp))
    broken = [key(at) for at in take(1)]
    for name in broken:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    return Night(
        added=tuple(added),
        replaced=tuple(key(at) for at in replaced),
        renamed=tuple(renamed),
        copied=tuple(copied),
        removed=tuple(removed),
        touched=tuple(touched),
        broken=tuple(broken),
    )


def photograph_key(seed: int, place: int, view: int) -> str:
    """Where VIEW of PLACE lies in the folder."""
    return f"{place_name(seed, place)}/{view:04d}.jpg"


def _beside(key: str, word: str) -> str:
    """KEY with WORD added to its stem."""
    return f"{key.removesuffix('.jpg')}-{word}.jpg"


def _write(folder: Path, seed: int, place: int, view: int, side: int) -> str:
    """Write one photograph; its key."""
    key = photograph_key(seed, place, view)
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photograph(seed, place, view, side))
    return key
