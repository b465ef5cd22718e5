"""Flickr8k in small: four pictures, one in each list and one in none, in folders or zips."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Draw = Callable[..., bytes]

SPLITS = {"2_b.jpg": "train", "10_a.jpg": "dev", "3_c.jpg": "test", "1_d.jpg": "rest"}


def flickr8k(root: Path, draw: Draw, zipped: bool = False) -> dict[str, Any]:
    """Lay it under ROOT."""
    root.mkdir(parents=True, exist_ok=True)
    sentences = [
        f"{name}#{place}\tSentence {place} of {name} ."
        for name in ("10_a.jpg", "1_d.jpg", "2258277193_586949ec62.jpg.1", "2_b.jpg", "3_c.jpg")
        for place in (1, 0, 2, 3, 4)
    ]
    files = {"Flickr8k.token.txt": "\n".join(sentences).encode()}
    for split in ("train", "dev", "test"):
        names = [name for name, its in SPLITS.items() if its == split]
        files[f"Flickr_8k.{split}Images.txt"] = "\n".join(names).encode()
    pictures = {name: draw(number) for number, name in enumerate(SPLITS)}
    if zipped:
        with zipfile.ZipFile(root / "Flickr8k_text.zip", "w") as out:
            for name, content in files.items():
                out.writestr(name, content)
                out.writestr(f"__MACOSX/._{name}", b"\0Mac")
        with zipfile.ZipFile(root / "Flickr8k_Dataset.zip", "w") as out:
            for name, content in pictures.items():
                out.writestr(f"Flicker8k_Dataset/{name}", content)
                out.writestr(f"__MACOSX/Flicker8k_Dataset/._{name}", b"\0Mac")
        return {}
    for folder, contents in (("Flickr8k_text", files), ("Flicker8k_Dataset", pictures)):
        (root / folder).mkdir()
        for name, content in contents.items():
            (root / folder / name).write_bytes(content)
    return {}
