"""Miniatures of the datasets of sketches, in their official layouts."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.data.matfile import write_mat
from tests.data.miniatures_unseen import put

Draw = Callable[..., bytes]


def drawn(draw: Draw, seed: int, size: tuple[int, int], suffix: str, mode: str = "RGB") -> bytes:
    """What DRAW gives for SEED, in another size or format."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(draw(seed))) as image:
        image.convert(mode).resize(size).save(out, {"jpg": "JPEG", "png": "PNG"}[suffix])
    return out.getvalue()


def sketchy(root: Path, draw: Draw, each: int = 2) -> dict[str, Any]:
    """EACH photographs of four classes, the first of which tests; two sketches of every one."""
    tested = []
    for number, name in enumerate(("ant", "ape", "bear", "car_(sedan)")):
        for at in range(each):
            photo = f"{name}/n0{number}_{at}"
            if at < max(1, each // 4):
                tested.append(f"{photo}.jpg\n")
            seed = 1000 * number + 10 * at
            for form in ("tx_000000000000", "tx_000100000000"):
                put(root / "256x256" / "photo" / form / f"{photo}.jpg", draw(seed))
                for one in (1, 2):
                    sketch = drawn(draw, seed + one, (32, 32), "png")
                    put(root / "256x256" / "sketch" / form / f"{photo}-{one}.png", sketch)
    put(root / "info" / "testset.txt", "".join(tested).encode())
    put(root / "info" / "invalid-error.txt", b"n00_0-1\n")
    put(root / "info" / "invalid-pose.txt", b"n01_1-2\n")
    return {}


def tuberlin(root: Path, draw: Draw, each: int = 2) -> dict[str, Any]:
    """EACH sketches of four classes."""
    at = 0
    for number, name in enumerate(("airplane", "car (sedan)", "flower with stem", "zebra")):
        for _ in range(each):
            at += 1
            sketch = drawn(draw, 1000 * number + at, (40, 40), "png")
            put(root / "png" / name / f"{at}.png", sketch)
    put(root / "png" / "filelist.txt", b"airplane/1.png\n")
    return {}


def qmul_chairs(root: Path, draw: Draw, each: int = 2) -> dict[str, Any]:
    """EACH pairs a half."""
    root.mkdir(parents=True)
    for at, half in enumerate(("train", "test")):
        for move, kind in enumerate(("edge", "sketch")):
            pictures = [
                np.asarray(
                    Image.open(
                        io.BytesIO(
                            drawn(draw, 1000 * (row + each * at) + move, (256, 256), "png", "L")
                        )
                    )
                )
                for row in range(each)
            ]
            write_mat(root / f"chairs_{kind}_db_{half}.mat", {"data": np.stack(pictures)})
    return {}


def pix2pix(root: Path, draw: Draw, each: int = 2) -> dict[str, Any]:
    """EACH pairs a half."""
    for at, half in enumerate(("train", "val")):
        for number in range(1, each + 1):
            pair = drawn(draw, 1000 * (number + each * at), (512, 256), "jpg")
            put(root / half / f"{number}_AB.jpg", pair)
    return {}
