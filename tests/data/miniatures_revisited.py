"""Oxford and Paris, revisited, in miniature: a truth of two queries and four pictures."""

import gzip
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.data.matfile import write_mat
from tests.data.tarred import tarred

Draw = Callable[..., bytes]

INDEX = ("hall_03", "bridge_01", "hall_02", "market_07")
QUERIES = ("hall_01", "bridge_02")
SAID: tuple[dict[str, list[float]], ...] = (
    {"bbx": [4.5, 2.0, 24.5, 30.0], "easy": [0], "hard": [2], "junk": [3, 1]},
    {"bbx": [0.0, 0.0, 48.0, 40.0], "easy": [], "hard": [1], "junk": []},
)
"""Box corners, and places in `INDEX` from 0."""


def as_pickle(root: Path, name: str, said: Any = SAID) -> None:
    """The truth as a pickle, as Python 2 has them."""
    fields = {"imlist": list(INDEX), "qimlist": list(QUERIES), "gnd": list(said)}
    (root / f"gnd_{name}.pkl").write_bytes(pickle.dumps(fields, protocol=2))


def as_matlab(root: Path, name: str, said: Any = SAID) -> None:
    """The truth as a MATLAB file, which counts from 1."""
    structs = [
        {
            "*": True,
            "bbx": np.array([one["bbx"]], np.float64),
            **{
                word: np.array([one[word]], np.float64) + 1 if one[word] else np.zeros((0, 0))
                for word in ("easy", "hard", "junk")
            },
        }
        for one in said
    ]
    fields = {"imlist": list(INDEX), "qimlist": list(QUERIES), "gnd": structs}
    write_mat(root / f"gnd_{name}.mat", fields)


def pictures(draw: Draw) -> dict[str, bytes]:
    """Each picture's bytes by its name, in the order of the names."""
    return {name: draw(number) for number, name in enumerate(sorted(INDEX + QUERIES))}


def write_archive(path: Path, members: dict[str, bytes]) -> None:
    """A tar, packed if its name says so, of MEMBERS in the folder ``town``."""
    content = tarred({f"town/{name}.jpg": one for name, one in members.items()})
    path.write_bytes(gzip.compress(content) if path.name.endswith("gz") else content)


def roxford5k(root: Path, draw: Draw) -> dict[str, Any]:
    """A pickle, and the folder jpg."""
    (root / "jpg").mkdir(parents=True)
    as_pickle(root, "roxford5k")
    for name, content in pictures(draw).items():
        (root / "jpg" / f"{name}.jpg").write_bytes(content)
    return {}


def rparis6k(root: Path, draw: Draw) -> dict[str, Any]:
    """A MATLAB file, and two packed archives."""
    root.mkdir()
    as_matlab(root, "rparis6k")
    members = pictures(draw)
    for part in (1, 2):
        some = dict(list(members.items())[part - 1 :: 2])
        write_archive(root / f"paris_{part}-v1.tgz", some)
    return {}
