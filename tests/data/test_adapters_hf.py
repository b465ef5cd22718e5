"""Saved Hugging Face datasets: pictures as ranges of their files, classes by name, broken files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pytest

from data.adapters import open_dataset
from data.sample import Sample
from tests.data.miniatures_texts import hf

Draw = Callable[..., bytes]
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def samples(root: Path, **options: object) -> list[Sample]:
    return list(open_dataset("hf", str(root), options).samples())


def save(root: Path, features: dict[str, Any], batch: pa.RecordBatch, **options: Any) -> Path:
    """BATCH as a saved dataset of one file; gives the file."""
    root.mkdir(exist_ok=True)
    name = "data-00000-of-00001.arrow"
    with pa.ipc.new_stream(str(root / name), batch.schema, **options) as out:
        out.write_batch(batch)
    state = {"_data_files": [{"filename": name}], "_split": None}
    (root / "state.json").write_text(json.dumps(state))
    (root / "dataset_info.json").write_text(json.dumps({"features": features}))
    return root / name


def images(contents: list[bytes | None]) -> pa.Array:
    return pa.array([{"bytes": one, "path": None} for one in contents], IMAGE)


def test_rows_go_on_through_batches_and_files_and_their_bytes_are_the_pictures(
    tmp_path: Path, draw: Draw
) -> None:
    hf(tmp_path / "home", draw, each=4)
    found = samples(tmp_path / "home", captions="text")
    train = [one for one in found if one.split == "train"]
    assert [one.key for one in train] == [f"train/{row:08d}" for row in range(16)]
    assert [one.labels[0] for one in train] == ["a", "c"] * 4 + ["b", "d"] * 4
    assert train[1].captions == ("shade 2",)
    contents = list(open_dataset("hf", str(tmp_path / "home"), {}).read([one.uri for one in found]))
    label = {"a": 0, "b": 1, "c": 2, "d": 3}
    drawn = {
        draw(1000 * n + 100 * s + one): n for n in range(4) for s in (0, 1) for one in range(4)
    }
    assert [drawn[bytes(content)] for content in contents if isinstance(content, bytes)] == [
        label[one.labels[0]] for one in found
    ]


def test_a_folder_of_one_split_needs_no_dict(tmp_path: Path, draw: Draw) -> None:
    hf(tmp_path, draw)
    assert samples(tmp_path / "test") == samples(tmp_path, splits=["test"])
    with pytest.raises(ValueError, match=r"split of .* 'val': choose from test, train"):
        samples(tmp_path, splits=["val"])


def test_null_pictures_classes_of_no_name_and_lists_of_classes(tmp_path: Path, draw: Draw) -> None:
    labels = pa.array([[0, 1], [], None, [-1, 1]], pa.list_(pa.int64()))
    content = draw(1)
    batch = pa.record_batch({"image": images([content, None, b"", content]), "label": labels})
    features = {
        "image": {"_type": "Image"},
        "label": {"feature": {"names": ["x", "y"], "_type": "ClassLabel"}, "_type": "Sequence"},
    }
    save(tmp_path, features, batch)
    found = samples(tmp_path)
    assert [one.labels for one in found] == [("x", "y"), (), (), ("y",)]
    assert [one.size for one in found] == [len(content), 0, 0, len(content)]
    assert [one.key for one in found][:2] == ["00000000", "00000001"]
    answers = list(open_dataset("hf", str(tmp_path), {}).read([one.uri for one in found]))
    assert answers == [content, b"", b"", content]


def test_a_picture_that_is_only_a_path_is_read_from_there(tmp_path: Path, draw: Draw) -> None:
    (tmp_path / "a.jpg").write_bytes(draw(1))
    rows = [
        {"bytes": None, "path": "a.jpg"},
        {"bytes": draw(2), "path": "a.jpg"},
        {"bytes": None, "path": str(tmp_path / "gone.jpg")},
    ]
    batch = pa.record_batch({"image": pa.array(rows, IMAGE)})
    save(tmp_path, {"image": {"_type": "Image"}}, batch)
    found = samples(tmp_path)
    first, second, gone = open_dataset("hf", str(tmp_path), {}).read([one.uri for one in found])
    assert (first, second) == (draw(1), draw(2))
    assert isinstance(gone, FileNotFoundError)
    assert found[0].size == len(draw(1))


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_files_with_footer_and_plain_columns_of_bytes(
    tmp_path: Path, draw: Draw, kind: pa.DataType
) -> None:
    batch = pa.record_batch({"image": pa.array([draw(1), draw(2)], kind)})
    path = save(tmp_path, {"image": {"_type": "Image"}}, batch)
    for write in (pa.ipc.new_stream, pa.ipc.new_file):
        with write(str(path), batch.schema) as out:
            out.write_batch(batch)
        uris = [one.uri for one in samples(tmp_path)]
        assert list(open_dataset("hf", str(tmp_path), {}).read(uris)) == [draw(1), draw(2)]


def test_a_file_that_is_cut_anywhere_or_is_none_is_named(tmp_path: Path, draw: Draw) -> None:
    hf(tmp_path, draw)
    path = tmp_path / "train" / "data-00001-of-00002.arrow"
    whole = path.read_bytes()
    for length in (0, 3, 100, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"data-00001-of-00002\.arrow is"):
            samples(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"data-00001"):
        samples(tmp_path)


def test_packed_bytes_cannot_be_read_in_place(tmp_path: Path, draw: Draw) -> None:
    batch = pa.record_batch({"image": images([draw(1), draw(2)])})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    save(tmp_path, {"image": {"_type": "Image"}}, batch, options=options)
    with pytest.raises(ValueError, match="is packed"):
        samples(tmp_path)


@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/passwd", "..", "", None])
def test_a_data_file_out_of_the_folder_is_refused(
    tmp_path: Path, draw: Draw, name: str | None
) -> None:
    hf(tmp_path, draw)
    state = {"_data_files": [{"filename": name}], "_split": "test"}
    (tmp_path / "test" / "state.json").write_text(json.dumps(state))
    with pytest.raises(ValueError, match=r"state\.json: .* is no file of this folder"):
        samples(tmp_path)
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": [name]}))
    with pytest.raises(ValueError, match=r"dataset_dict\.json names no splits"):
        samples(tmp_path)


@pytest.mark.parametrize(
    ("features", "options", "said"),
    [
        ({"label": {"_type": "Value"}}, {}, "has 0 columns of kind Image among label"),
        (
            {"a": {"_type": "Image"}, "b": {"_type": "Image"}},
            {},
            "2 columns .* by the option image",
        ),
        ({"image": {"_type": "Image"}}, {"image": "img"}, "column of .* 'img': choose from image"),
        ({"image": {"_type": "Image"}}, {"labels": "y"}, "column of .* 'y': choose from image"),
        ({"missing": {"_type": "Image"}}, {}, "column of .* 'missing': choose from image, label"),
        ({"label": {"_type": "Image"}}, {}, "a column of int64 holds no pictures"),
        (
            {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["x"]}},
            {},
            "class 1 of label where there are 1",
        ),
        ({"image": {"_type": "Image"}}, {"captions": "image"}, "no texts"),
    ],
)
def test_columns_that_do_not_fit_are_named(
    tmp_path: Path, features: dict[str, Any], options: dict[str, str], said: str
) -> None:
    batch = pa.record_batch({"image": images([b"x"]), "label": pa.array([1])})
    save(tmp_path, features, batch)
    with pytest.raises(ValueError, match=said):
        samples(tmp_path, **options)


@pytest.mark.parametrize("name", ["state.json", "dataset_info.json", "dataset_dict.json"])
@pytest.mark.parametrize("content", ["no json", "[]"])
def test_broken_json_is_named(tmp_path: Path, draw: Draw, name: str, content: str) -> None:
    hf(tmp_path, draw)
    path = tmp_path / name if name == "dataset_dict.json" else tmp_path / "test" / name
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"{name} is no JSON"):
        samples(tmp_path)
