"""Clickture in miniature: a log, judgements, and pictures as base64 in text."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

Draw = Callable[..., bytes]


def line(*fields: object) -> str:
    """FIELDS parted by tabs."""
    return "\t".join(str(field) for field in fields) + "\n"


def coded(content: bytes) -> str:
    """CONTENT as base64."""
    return base64.b64encode(content).decode()


def clickture(root: Path, draw: Draw) -> dict[str, Any]:
    """Three training pictures, the last without a click, and two of the dev set."""
    (root / "Train").mkdir(parents=True)
    (root / "Dev").mkdir()
    (root / "Train" / "TrainClickLog.tsv").write_text(
        line("k1", "Black Cat", 2)
        + line("k0", 'a dog\'s "life"', 7)
        + line("k1", "cat", 4)
        + line("k1", "black cat ", 3)
        + line("gone", "nothing", 9)
    )
    (root / "Train" / "TrainImages.tsv").write_text(
        "".join(line(f"k{number}", coded(draw(number, width=40 + number))) for number in range(3))
    )
    (root / "Dev" / "DevSetLabel.tsv").write_text(
        line("cat", "d1", "Bad") + line("Dog", "d1", "Excellent") + line("dog", "d0", "Good")
    )
    (root / "Dev" / "DevSetImages.tsv").write_text(
        "".join(line(f"d{number}", coded(draw(number + 9))) for number in range(2))
    )
    return {}
