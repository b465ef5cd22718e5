"""Miniatures of datasets with texts, in their official layouts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Draw = Callable[..., bytes]


def flickr8k(root: Path, draw: Draw, each: int = 1) -> dict[str, Any]:
    """EACH pictures a split and shade, two sentences each."""
    (root / "Flicker8k_Dataset").mkdir(parents=True)
    (root / "Flickr8k_text").mkdir()
    tokens = []
    for start, split in enumerate(("train", "dev", "test")):
        names = []
        for number in range(4 * each):
            names.append(f"{start}{number:03d}_0f.jpg")
            (root / "Flicker8k_Dataset" / names[-1]).write_bytes(draw(1000 * start + number))
            tokens += [f"{names[-1]}#{one}\tA shade of {number % 4} . {one}" for one in (1, 0)]
        path = root / "Flickr8k_text" / f"Flickr_8k.{split}Images.txt"
        path.write_text("".join(f"{name}\n" for name in names))
    tokens.append("999.jpg.1#0\tNobody has this picture .")
    (root / "Flickr8k_text" / "Flickr8k.token.txt").write_text("\n".join(tokens) + "\n")
    return {}
