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
