"""SVHN's whole house numbers: packed archives of PNGs beside a MATLAB 7.3 file of boxes."""

import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Draw = Callable[..., bytes]
Digit = tuple[float, float, float, float, float]
"""Label, left, top, width and height."""

NUMBERS: dict[str, dict[str, list[Digit]]] = {
    "train": {
        "1.png": [(1, 4, 5, 9, 20), (9, 14, 5, 10, 20)],
        "2.png": [(10, 3, 2, 8, 18)],
        "10.png": [(7, -1, 0, 9, 19), (7, 9, 0, 9, 19), (10, 20, 1, 9, 19)],
    },
    "test": {"1.png": [(5, 4, 5, 9, 20)], "2.png": [(2, 4, 5, 9, 20), (10, 14, 5, 9, 20)]},
    "extra": {"1.png": [(3, 4, 5, 9, 20), (4, 14, 5, 9, 20)]},
}
FIELDS = ("label", "left", "top", "width", "height")


def digit_struct(numbers: Mapping[str, Sequence[Digit]]) -> bytes:
    """digitStruct.mat of NUMBERS, as MATLAB lays it out."""
    out = io.BytesIO()
    with h5py.File(out, "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")
        names, boxes = [], []
        for at, (name, digits) in enumerate(numbers.items()):
            letters = np.array([[ord(letter)] for letter in name], "u2")
            text = refs.create_dataset(f"n{at}", data=letters)
            text.attrs["MATLAB_class"] = np.bytes_("char")
            names.append(text.ref)
            box = refs.create_group(f"b{at}")
            for column, field in enumerate(FIELDS):
                box_field(refs, box, field, [digit[column] for digit in digits])
            boxes.append(box.ref)
        struct = file.create_group("digitStruct")
        struct.create_dataset("name", data=np.array([names], h5py.ref_dtype).T)
        struct.create_dataset("bbox", data=np.array([boxes], h5py.ref_dtype).T)
    content = bytearray(out.getvalue())
    content[:128] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    return bytes(content)


def box_field(refs: Any, box: Any, field: str, numbers: Sequence[float]) -> None:
    """One number as it is, several as references to one each."""
    if len(numbers) == 1:
        box.create_dataset(field, data=np.array([numbers]))
        return
    each: list[Any] = []
    for number in numbers:
        made = refs.create_dataset(
            f"{box.name.rpartition('/')[2]}{field}{len(each)}", data=[[number]]
        )
        each.append(made.ref)
    box.create_dataset(field, data=np.array([each], h5py.ref_dtype).T)


def svhn_full(
    root: Path,
    draw: Draw,
    form: str = ".tar.gz",
    numbers: Mapping[str, Mapping[str, Sequence[Digit]]] = NUMBERS,
) -> dict[str, Any]:
    """The pictures of NUMBERS in archives of FORM ("" for folders), beside what is said of them."""
    root.mkdir(parents=True, exist_ok=True)
    for at, (split, some) in enumerate(numbers.items()):
        files = {name: draw(1000 * at + number, suffix="png") for number, name in enumerate(some)}
        files |= {"digitStruct.mat": digit_struct(some), "see_bboxes.m": b"% shows them"}
        if not form:
            (root / split).mkdir()
            for name, content in files.items():
                (root / split / name).write_bytes(content)
            continue
        with tarfile.open(root / f"{split}{form}", "w:gz" if form == ".tar.gz" else "w") as tar:
            for name, content in files.items():
                entry = tarfile.TarInfo(f"{split}/{name}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return {}
