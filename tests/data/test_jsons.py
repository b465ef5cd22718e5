"""Large JSON objects: items one by one whatever the pieces, in flat memory; damage is named."""

import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.adapters import jsons
from data.adapters.jsons import items

JSON: "st.SearchStrategy[Any]" = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("json") / "a.json"


@given(
    value=st.dictionaries(st.text(), JSON, max_size=4),
    piece=st.sampled_from([1, 3, 1000]),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
)
def test_items_come_as_json_itself_has_them(
    place: Path, value: dict[str, Any], piece: int, indent: int | None, ascii_only: bool
) -> None:
    place.write_text(json.dumps(value, indent=indent, ensure_ascii=ascii_only), "utf-8")
    arrays = [name for name, found in value.items() if isinstance(found, list)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsons, "PIECE", piece)
        found = list(items(str(place), *arrays[:2]))
    assert found == [(name, item) for name in arrays[:2] for item in value[name]]


def test_a_member_of_a_zip_is_read_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "annotations.zip"
    boxes = [
        {"id": number, "bbox": [0.5, 1, 2, 3], "segmentation": [[1.0] * 50]}
        for number in range(20_000)
    ]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("instances.json", json.dumps({"info": {}, "annotations": boxes}))
    tracemalloc.start()
    ids = [item["id"] for _, item in items(f"{path}::instances.json", "annotations")]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ids == list(range(20_000))
    assert peak < 10 << 20, "json.load takes 50 MB for these"


@pytest.mark.parametrize("piece", [2, 1000])
def test_a_file_cut_anywhere_is_named(
    tmp_path: Path, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsons, "PIECE", piece)
    path = tmp_path / "a.json"
    whole = '{"a": [1, {"b": "é"}], "c": 7, "d": []}'
    for cut in range(len(whole)):
        path.write_text(whole[:cut], "utf-8")
        with pytest.raises(ValueError, match=r"a\.json"):
            list(items(str(path), "a"))
    path.write_text(whole, "utf-8")
    assert list(items(str(path), "a")) == [("a", 1), ("a", {"b": "é"})]


@pytest.mark.parametrize(
    "content",
    [
        b"[1]",
        b"",
        b'{"a": [1 2]}',
        b'{"a" [1]}',
        b'{"a": [\xff]}',
        b'{"a": [' + b"[" * 100_000,
        b'{"a": [1],, "b": 2}',
    ],
)
def test_what_is_no_json_object_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json"):
        list(items(str(tmp_path / "a.json"), "a"))
