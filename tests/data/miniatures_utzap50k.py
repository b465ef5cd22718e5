"""UT-Zap50K with five shoes whose names are as odd as the real ones, in each of its layouts."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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
