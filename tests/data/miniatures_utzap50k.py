"""UT-Zap50K with five shoes whose names are as odd as the real ones, in each of its layouts."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.data.matfile import write_mat

META = """CID,Category,SubCategory,HeelHeight,Insole,Closure,Gender,Material,ToeStyle
100627-72,Shoes,Oxfords,,,Lace up,Men,Leather,Capped Toe;Round Toe
7777-1,Boots,Knee High,"3in - 3 3/4in",Padded,Zipper;Pull-on,Women,,
8888-2,Sandals,Flat,,,,,,
9999-3,Slippers,Slipper Flats,Flat,,Slip-On,Women;Girls,Wool,
"""
"""One of them has no picture, and one picture has no row."""

KEYS = (
    "Boots/Knee High/Neil M/7777.1.jpg",
    "Sandals/Flat/L.A.M.B/8888.2.jpg",
    "Shoes/Heels/Levi's®/5555.5.jpg",
    "Shoes/Oxfords/Bostonian/100627.72.jpg",
)
PLAIN = {
    KEYS[3]: KEYS[3],
    KEYS[0]: KEYS[0],
    KEYS[2]: "Shoes/Heels/Levi's&#174;/5555.5.jpg",
    KEYS[1]: KEYS[1],
}
"""The names in the archive of whole pictures: the last dot of a brand is lost."""
SQUARE = PLAIN | {
    KEYS[0]: "Boots/Knee High/Neil M%2E/7777.1.jpg",
    KEYS[1]: "Sandals/Flat/L.A.M.B%2E/8888.2.jpg",
}
"""Those in the archive of squares: that dot is written %2E."""


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_pictures(
    root: Path, draw: Callable[..., bytes], form: str = "images", packed: bool = True
) -> None:
    """The pictures of FORM, in a zip or in the folder that is in it."""
    names = SQUARE if form == "images-square" else PLAIN
    top = f"ut-zap50k-{form}"
    files = {f"{top}/{name}": draw(KEYS.index(key)) for key, name in names.items()}
    if packed:
        write_zip(root / f"{top}.zip", files)
        return
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def utzap50k(root: Path, draw: Callable[..., bytes]) -> dict[str, Any]:
    """The official zips."""
    write_pictures(root, draw)
    write_zip(root / "ut-zap50k-data.zip", {"ut-zap50k-data/meta-data.csv": META.encode()})
    return {}


NAMED = (
    "Shoes/Oxfords/Bostonian/100627.72.jpg",
    "Boots/Knee High/Neil M./7777.1.jpg",
    "Shoes/Heels/Levi's /5555.5.jpg",
    "Sandals/Flat/L.A.M.B./8888.2.jpg",
    "Boots/Ankle/Gone/1.1.jpg",
)
"""The pictures in the order of image-path.mat; the last of them is not there."""


def write_pairs(folder: Path, ordered: Sequence[Any] = ()) -> None:
    """The files of pairs in FOLDER; ORDERED takes the place of the matrices of ordered pairs."""
    folder.mkdir(parents=True, exist_ok=True)
    some = [
        np.array([[1, 2, at, 1, 1.2, 0.8], [3, 4, at, 2, 1, 1], [1, 5, at, 2, 1, 1]])
        for at in range(1, 5)
    ]
    equal = [np.array([[2.0, 3, at, 3, 2, 0.6]]) for at in range(1, 5)]
    hard = [np.array([[4.0, 1, at, 1, 1.5, 0.6]]) for at in range(1, 5)]
    folds = [
        [np.array([[1.0 + fold % 4, 1, at, 1, 1, 1]]) for fold in range(10)] for at in range(1, 5)
    ]
    test = [[one + np.array([0, 1, 0, 1, 0, 0]) for one in divisions] for divisions in folds]
    write_mat(folder / "image-path.mat", {"imagepath": list(NAMED)})
    write_mat(
        folder / "zappos-labels.mat", {"mturkOrder": list(ordered) or some, "mturkEqual": equal}
    )
    write_mat(folder / "zappos-labels-fg.mat", {"mturkHard": hard})
    write_mat(
        folder / "train-test-splits-pairs.mat", {"trainPairsAll": folds, "testPairsAll": test}
    )
