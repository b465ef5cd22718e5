"""The two MIRFLICKR collections in small, in folders or in their zips."""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from data.adapters.mirflickr25k import POTENTIAL, RELEVANT

Draw = Callable[..., bytes]

LABELS = {"baby": (2, 10, 11), "baby_r1": (10,), "sky": (1, 2), "plant_life": (11,)}
"""Numbers of pictures, of those of the 25K that are there; 3 has no label."""

TAGS = {1: "sea\nsun set\n", 2: "\ufefflove\r\nçay\r\n", 10: "", 11: " paris \n\n"}
"""Picture 3 has no file of tags."""


def lay(root: Path, files: Mapping[str, bytes], archive: str = "") -> None:
    """FILES under ROOT, or in the zip ARCHIVE there."""
    root.mkdir(parents=True, exist_ok=True)
    if archive:
        with zipfile.ZipFile(root / archive, "w") as out:
            for name, content in files.items():
                out.writestr(name, content)
        return
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def mirflickr25k(root: Path, draw: Draw, zipped: bool = False) -> dict[str, Any]:
    """Pictures 1, 2, 3, 10 and 11."""
    pictures = {f"mirflickr/im{number}.jpg": draw(number) for number in (11, 1, 10, 2, 3)}
    tags = {f"mirflickr/meta/tags/tags{n}.txt": text.encode() for n, text in TAGS.items()}
    lay(root, pictures | tags, "mirflickr25k.zip" if zipped else "")
    folder = "mirflickr25k_annotations_v080"
    lists = {
        f"{name}.txt": "".join(f"{number}\r\n" for number in LABELS.get(name, ())).encode()
        for name in (*POTENTIAL, *RELEVANT)
    }
    lists["README.txt"] = b"Not a list: 24 topics."
    if zipped:
        lay(root, lists, f"{folder}.zip")
    else:
        lay(root / folder, lists)
    return {}


IDS = (9, 10, 0, 2, 59_898, 10_000, 104_442, 570_000, 999_999)
"""Pictures of the million that are there, two of them damaged in the archives."""

MILLION_TAGS = {9: "sea\n\n", 10: "", 10_000: "quai de seine\nparis\n", 59_898: "x", 999_999: "fin"}
"""The others have no file of tags."""


def mirflickr1m(root: Path, draw: Draw, zipped: bool = False) -> dict[str, Any]:
    """The pictures `IDS`, in all hundred folders or all ten zips."""
    for folder in range(0 if zipped else 100):
        (root / "images" / str(folder)).mkdir(parents=True)
        (root / "tags" / str(folder)).mkdir(parents=True)
    for part in range(10):
        pictures = {
            f"images/{number // 10_000}/{number}.jpg": draw(number)
            for number in IDS
            if number // 100_000 == part
        }
        lay(
            root, {"images/": b"", **pictures} if zipped else pictures, f"images{part}.zip" * zipped
        )
    tags = {
        f"tags/{number // 10_000}/{number}.txt": text.encode()
        for number, text in MILLION_TAGS.items()
    }
    lay(root, tags, "tags.zip" * zipped)
    return {}
