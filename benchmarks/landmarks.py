"""A dataset of the size and layout of Google Landmarks v2's training split: list and tars.

The tars hold the headers of real ones and no pictures, for a listing reads nothing else of them.
"""

import tarfile
from pathlib import Path
from typing import Any, Final

import numpy as np

LANDMARKS: Final = 203_094
TARS: Final = 500
CHUNK: Final = 100_000
_WORDS: Final = (
    "Church", "Castle", "Bridge", "Panorama_of", "View_from", "Monument", "Kathedrale", "P%C3%A8re",
    "Lake", "Tower", "IMG", "DSC", "Museum", "Temple", "Old_town", "Interior", "Fa%C3%A7ade",
)  # fmt: skip
_NAME: Final = 8
"""Where in a member's name its id begins: ``./a/b/c/ID.jpg``."""

Array = np.ndarray[Any, np.dtype[Any]]


def landmarks(work: Path, rows: int) -> Path:
    """A folder of WORK with ``train.csv`` of ROWS pictures and the tars that hold them."""
    root = work / f"landmarks-{rows}"
    whole = root / "whole"
    if whole.exists():
        return root
    (root / "train").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(2)
    ids = np.unique(rng.integers(0, 2**64, rows + rows // 1000, dtype=np.uint64))
    ids = rng.permutation(ids)[:rows]
    _list(root / "train.csv", ids, rng)
    for number, part in enumerate(np.array_split(ids, min(TARS, rows))):
        _tar(root / "train" / f"images_{number:03d}.tar", part)
    whole.touch()
    return root


def _list(path: Path, ids: Array, rng: np.random.Generator) -> None:
    with path.open("w") as out:
        out.write("id,url,landmark_id\n")
        for start in range(0, len(ids), CHUNK):
            part = ids[start : start + CHUNK].tolist()
            words = rng.choice(_WORDS, (len(part), 2)).tolist()
            places = rng.integers(0, LANDMARKS, len(part)).tolist()
            out.writelines(
                f'{one:016x},"https://upload.wikimedia.org/wikipedia/commons/{one % 16:x}/'
                f'{one % 256:02x}/{first}_{second}_{place},_{one % 10_000}.jpg",{place}\n'
                for one, (first, second), place in zip(part, words, places, strict=True)
            )


def _tar(path: Path, ids: Array) -> None:
    """A tar at PATH with an empty member for each of IDS."""
    texts = np.frombuffer("".join(f"{one:016x}" for one in ids.tolist()).encode(), np.uint8)
    digits = texts.reshape(-1, 16)
    header = tarfile.TarInfo("./0/0/0/" + "0" * 16 + ".jpg").tobuf(tarfile.USTAR_FORMAT)
    blocks = np.tile(np.frombuffer(header, np.uint8), (len(ids), 1))  # (N, 512)
    blocks[:, 2:_NAME:2] = digits[:, :3]
    blocks[:, _NAME : _NAME + 16] = digits
    blocks[:, 148:156] = ord(" ")  # as which the checksum itself is counted
    sums = blocks.sum(axis=1, dtype=np.int64)
    for place in range(6):
        blocks[:, 153 - place] = ord("0") + (sums >> 3 * place & 7)
    blocks[:, 154] = 0
    path.write_bytes(blocks.tobytes() + bytes(2 * 512))
