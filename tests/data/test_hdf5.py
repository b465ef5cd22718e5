"""MATLAB 7.3 files, which are HDF5: as MATLAB lays them out, and files that refer to others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.adapters.matlab import load

h5py = pytest.importorskip("h5py", reason="h5py is not installed: MATLAB 7.3 is not tested here")


def put(group: Any, name: str, value: Any, kind: str) -> Any:
    """VALUE under NAME, as MATLAB writes a variable of class KIND: its axes the other way round."""
    made = group.create_dataset(name, data=np.asarray(value).T)
    made.attrs["MATLAB_class"] = np.bytes_(kind)
    return made


def text(group: Any, name: str, value: str) -> Any:
    return put(group, name, np.array([[ord(letter) for letter in value]], "u2"), "char")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two of SVHN's full pictures: one with a digit, one with two."""
    path = tmp_path / "digitStruct.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")
        names, boxes = [], []
        for number, digits in enumerate(([5.0], [1.0, 9.0])):
            names.append(text(refs, f"n{number}", f"{number + 1}.png").ref)
            box = refs.create_group(f"b{number}")
            for field in ("label", "left"):
                if len(digits) == 1:
                    put(box, field, [digits], "double")
                else:
                    each = [
                        put(refs, f"{field}{n}", [[d]], "double").ref for n, d in enumerate(digits)
                    ]
                    box.create_dataset(field, data=np.array([each], h5py.ref_dtype).T)
            boxes.append(box.ref)
        struct = file.create_group("digitStruct")
        struct.create_dataset("name", data=np.array([names], h5py.ref_dtype).T)
        struct.create_dataset("bbox", data=np.array([boxes], h5py.ref_dtype).T)
        put(file, "X", np.arange(24, dtype="u1").reshape(2, 3, 4), "uint8")
        put(file, "flag", np.array([[1, 0]], "u1"), "logical")
        empty = put(file, "none", np.array([0, 3], "u8"), "double")
        empty.attrs["MATLAB_empty"] = np.uint8(1)
    content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(content)
    return path


def test_variables_come_as_those_of_older_versions_do(path: Path) -> None:
    found = load(str(path))
    assert np.array_equal(found["X"], np.arange(24).reshape(2, 3, 4))
    assert found["flag"].tolist() == [[True, False]]
    assert found["none"].shape == (0, 3)
    assert set(found) == {"X", "flag", "none", "digitStruct"}


def test_references_are_followed(path: Path) -> None:
    (found,) = load(str(path), "digitStruct").values()
    assert found["name"] == ["1.png", "2.png"]
    assert [np.ravel(box["label"]).tolist() for box in found["bbox"]] == [[5.0], [1.0, 9.0]]


def test_a_variable_that_is_not_there_is_refused_with_the_choices(path: Path) -> None:
    with pytest.raises(ValueError, match="'digits': choose from X, digitStruct"):
        load(str(path), "digits")


def test_what_lies_in_another_file_is_refused(tmp_path: Path, path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret!!")
    makers: tuple[Callable[[Any], object], ...] = (
        lambda file: file.__setitem__("x", h5py.ExternalLink(str(path), "X")),
        lambda file: file.__setitem__("x", h5py.SoftLink("/y")),
        lambda file: file.create_dataset("x", (8,), "u1", external=[(str(secret), 0, 8)]),
    )
    for number, make in enumerate(makers):
        evil = tmp_path / f"{number}.mat"
        with h5py.File(evil, "w") as file:
            make(file)
        with pytest.raises(ValueError, match="refused"):
            load(str(evil))


def test_a_damaged_file_is_named(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"digitStruct\.mat is damaged"):
        load(str(path))
