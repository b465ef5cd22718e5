"""MATLAB files: as another library writes them, as ours does in both orders, real ones, damage."""

import base64
import builtins
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from data.adapters.matlab import LastAxis, load
from tests.data.matfile import CLASSES, Order, write_mat

SCIPY = (
    "AAAAAAAAAAAAAUlNDwAAAEAAAAB4nONjYGAIAGI2IOYAYk4GCGAFYgEgZoJiZijNCIQRULYESCEPmxATH4cIiwCXGCMvuzAz"
    "P6coqyC3OABIoAIcDwAAAHgAAAB4nONjYGBYwcjAwAakOYCYiQECWKF8RqgYIxAWg8VZwHIgcX4gzkwBEnmJuakM2ZkpQAV8"
    "QK4FA8I8PizmwTAI8CCJM0DVGyDpZ8GinxlJvQCQl2dgiKGPE4s+BiQa5k9y3Yusn3T3GhHlXiYU9zIxsAAlARQUCfUPAAAA"
    "SAAAAHic42NgYFgAxGxAzAHEjAwQwArlM0HFGIEwGUjzAbEFknoWNPUgtexI5ghA+Yn6hnpZBelg/QYE9DOi6GdiOLyEgQEA"
    "hMgFwQ8AAAAtAAAAeJzjY2BgcABiNiDmgNIgwArlMwIxE5hmZEgB0pxALMAAAw/sIfSH/QA3hAPADwAAADAAAAB4nONjYGCw"
    "AGI2IOYAYhYGCGCF8pmAmBmIGYEyRfnlxQJQtYkpSanJCgwMAEXfBGA="
)
"""What scipy 1.17 wrote: savemat(out, dict(X=arange(24, dtype="u1").reshape(2, 2, 3, 2), s=STRUCTS,
c=CELL, d=array([[0.5, -1]]), rows=array(["abc", "de "])), do_compression=True), from byte 116."""

ORDERS: tuple[Order, ...] = ("<", ">")

VALUES: "st.SearchStrategy[Any]" = st.recursive(
    st.sampled_from(sorted(CLASSES)).flatmap(
        lambda kind: arrays(
            np.dtype(kind), array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=4)
        )
    )
    | st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text("abcdefgh", min_size=1, max_size=8), inner, min_size=1, max_size=3
        )
    ),
    max_leaves=6,
)


def same(found: Any, written: Any) -> bool:
    if isinstance(written, dict):
        return set(found) == set(written) and all(
            same(found[name], written[name]) for name in found
        )
    if isinstance(written, list):
        return len(found) == len(written) and all(map(same, found, written))
    if isinstance(written, str):
        return bool(found == written)
    return bool(
        found.shape == written.shape
        and found.dtype == written.dtype
        and np.array_equal(found, written, equal_nan=written.dtype.kind == "f")
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mat") / "a.mat"


def test_what_another_library_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "scipy.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(116) + base64.b64decode(SCIPY))
    found = load(str(path))
    assert np.array_equal(found["X"], np.arange(24).reshape(2, 2, 3, 2))
    assert np.array_equal(found["d"], [[0.5, -1]])
    assert found["c"] == ["a/1.jpg", "ä"]
    assert found["rows"] == ["abc", "de "]
    one, two = found["s"]
    assert (one["id"].item(), one["name"], one["kids"].size) == (1, "n01", 0)
    assert (two["id"].item(), two["name"], two["kids"].tolist()) == (2, "n02", [[4, 5]])
    assert list(load(str(path), "d", "rows")) == ["d", "rows"]


@given(value=VALUES, packed=st.booleans(), order=st.sampled_from(ORDERS))
def test_what_is_written_is_read(place: Path, value: Any, packed: bool, order: Order) -> None:
    write_mat(place, {"before": np.ones((1, 9), "u1"), "v": value, "after": "x"}, packed, order)
    found = load(str(place))
    assert list(found) == ["before", "v", "after"]
    assert same(found["v"], value)
    assert found["after"] == "x"


def test_an_array_of_structs_is_a_list_of_dicts(tmp_path: Path) -> None:
    rows = [{"*": "", "id": np.array([[n]], "u2"), "name": f"n{n}"} for n in range(3)]
    found = load(str(write_mat(tmp_path / "a.mat", {"synsets": rows})))
    assert [(int(row["id"][0, 0]), row["name"]) for row in found["synsets"]] == [
        (0, "n0"), (1, "n1"), (2, "n2"),
    ]  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("side", [1, 2, 5])
def test_slices_along_the_last_axis_come_one_by_one(
    tmp_path: Path, packed: bool, side: int
) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (side, side, 3, 4), dtype=np.uint8)
    path = write_mat(tmp_path / "a.mat", {"y": np.ones((4, 1)), "X": pictures}, packed)
    slices = LastAxis(str(path), "X")
    assert len(slices) == 4
    for row in (0, 1, 3, 2, 2, 0):
        assert np.array_equal(slices[row], pictures[..., row])
    with pytest.raises(IndexError, match="X has 4 slices"):
        slices[4]
    with pytest.raises(ValueError, match="no variable 'Z'"):
        LastAxis(str(path), "Z")
    assert np.array_equal(LastAxis(str(path), "y")[0], np.ones(4))


def test_a_variable_that_is_not_there_is_refused_with_the_choices(tmp_path: Path) -> None:
    path = write_mat(tmp_path / "a.mat", {"imagepath": ["x"], "y": np.ones((1, 1))})
    with pytest.raises(
        ValueError, match=r"'imagepaths': choose from imagepath, y.*mean 'imagepath'"
    ):
        load(str(path), "imagepaths")


@pytest.mark.parametrize(
    ("class_of", "said"), [(3, "class 3"), (5, "class 5"), (16, "class 16"), (17, "class 17")]
)
def test_objects_functions_and_sparse_numbers_are_refused(
    tmp_path: Path, class_of: int, said: str
) -> None:
    path = write_mat(tmp_path / "a.mat", {"odd": np.ones((2, 2))}, packed=False)
    content = bytearray(path.read_bytes())
    content[144] = class_of
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"'odd' is of {said} and no array"):
        load(str(path))
    content[144:146] = bytes([6, 8])
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"class 6 \(complex\)"):
        load(str(path))


def test_what_is_no_matlab_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    for content in (b"", b"<html>" * 100, b"MATLAB 5.0 MAT-file".ljust(128), b"MATLAB 5.0"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.mat is no MATLAB file"):
            load(str(path))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load("/nowhere/a.mat")


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_anywhere_is_named_or_ends_between_variables(
    tmp_path: Path, packed: bool
) -> None:
    values = {"a": np.arange(50), "b": ["x", "yz"], "c": {"d": np.ones((2, 3))}}
    path = write_mat(tmp_path / "a.mat", values, packed)
    whole = path.read_bytes()
    ends = 0
    for cut in range(128, len(whole)):
        path.write_bytes(whole[:cut])
        try:
            found = load(str(path))
        except ValueError:
            continue
        ends += 1
        assert all(same(found[name], values[name]) for name in found)
    assert ends == 3, "before each of the three variables"


@given(st.data())
@settings(max_examples=300)
def test_damage_is_an_error_and_nothing_worse(place: Path, data: st.DataObject) -> None:
    values = {"a": np.arange(6), "b": ["x", np.ones((1, 2))], "c": {"d": "text"}}
    content = bytearray(write_mat(place, values, packed=False).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(124, len(content) - 1))] = data.draw(st.integers(0, 255))
    place.write_bytes(content)
    try:
        load(str(place))
    except ValueError as error:
        assert "a.mat" in str(error)  # noqa: PT017


def test_cells_that_lie_in_cells_for_ever_are_refused(tmp_path: Path) -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]
    with pytest.raises(ValueError, match="for ever"):
        load(str(write_mat(tmp_path / "a.mat", {"deep": deep})))


def test_a_struct_without_fields_is_refused(tmp_path: Path) -> None:
    path = write_mat(tmp_path / "a.mat", {"s": {"d": "x"}}, packed=False)
    content = bytearray(path.read_bytes())
    content[164:168] = (1 << 30).to_bytes(4, "little")  # so many of them
    at = content.index(b"d" + bytes(31))
    content[at - 4 : at] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="'s' is a struct without fields"):
        load(str(path))


def test_a_small_file_that_claims_to_be_huge_takes_no_memory(tmp_path: Path) -> None:
    path = write_mat(tmp_path / "a.mat", {"x": np.zeros((1, 100))}, packed=False)
    matrix = bytearray(path.read_bytes()[128:])
    matrix[32:40] = (1).to_bytes(4, "little") + (1 << 29).to_bytes(4, "little")
    matrix[52:56] = ((1 << 32) - 8).to_bytes(4, "little")
    for packed in (False, True):
        body = zlib.compress(bytes(matrix)) if packed else bytes(matrix)
        tag = (15).to_bytes(4, "little") + len(body).to_bytes(4, "little") if packed else b""
        path.write_bytes(path.read_bytes()[:128] + tag + body)
        with pytest.raises(ValueError, match=r"a\.mat"):
            load(str(path))


@pytest.mark.real
def test_the_sketches_of_queen_mary_university_are_read(shared_datasets: Path) -> None:
    home = shared_datasets / "qmul-chairs" / "data" / "chairs"
    for name, rows in (("train", 200), ("test", 97)):
        path = str(home / f"chairs_sketch_db_{name}.mat")
        data = load(path)["data"]
        assert (data.shape, data.dtype) == ((rows, 256, 256), np.uint8)
        assert (data == 255).mean() > 0.9, "dark lines on white"
        last = LastAxis(path, "data")
        assert np.array_equal(last[7], data[..., 7])


def test_a_file_of_version_7_3_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "h5py":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    path = tmp_path / "digitStruct.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512))
    with pytest.raises(ImportError, match=r"digitStruct\.mat.*pip install 'nightjar\[datasets\]'"):
        load(str(path))
    with pytest.raises(ValueError, match=r"version 7\.3"):
        LastAxis(str(path), "X")
