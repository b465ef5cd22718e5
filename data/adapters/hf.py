"""A dataset that Hugging Face `datasets` has saved to a disk, read where it lies."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from data.adapters.archives import content_of
from data.adapters.arrow import batches_at, places_of
from data.adapters.base import Columnar, Options
from data.adapters.card import Card
from data.adapters.columns import at_most_one, listing_batch, lists
from data.adapters.stamps import stamp_of, stamps_of
from data.taxonomy import Retrieval, unknown


class HfOptions(Options):
    """Which columns say what, where it cannot be told."""

    image: str = Field("", description="the column of pictures; none named: the only one of images")
    labels: str = Field(
        "", description="the column of classes, or of texts; none named: the only one of classes"
    )
    captions: str = Field("", description="a column of sentences, or of lists of them")


class Hf(Columnar):
    """The pictures of a folder written by ``save_to_disk``, in their order.

    The root holds ``state.json``, which names the data files, ``dataset_info.json``, which says
    what the columns are, and ``data-00000-of-00001.arrow`` and so on; or ``dataset_dict.json`` and
    such a folder a split. A picture's bytes lie in the data file as they were put in, so its uri is
    a range of that file, and nothing but the file is needed to read it; a picture that is only a
    path is read from there. Files are mapped and not held: they must lie on a disk.

    A row has no name of its own, so the key is split and number, ``train/00000000``. A picture that
    is null is listed with no bytes.
    """

    card = Card(
        name="hf",
        about="A folder saved by Hugging Face datasets (save_to_disk).",
        labels="what the column of classes says, by the names of its classes",
        says=("multi", "captions"),
        retrievals=tuple(Retrieval),
        layout="dataset_info.json, state.json and data-*.arrow, or dataset_dict.json with such a "
        "folder a split.",
        marks=("dataset_dict.json", "state.json"),
        verified="real files",
        proof="Folders that datasets 5.2.0 saved of 56 real photographs, whole, in shards, "
        "filtered and from paths: the same bytes, labels and texts. The tests write the layout "
        "themselves.",
        traps=(
            "Rows of one file may be of several record batches: numbers go on.",
            "A class of -1 is no class.",
            "Names of data files that lead out of the folder are refused.",
        ),
    )
    takes = HfOptions
    options: HfOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The rows of each split in the order of its files.

        Raises:
            FileNotFoundError: a file of the layout is missing; names it.
            ValueError: a file is cut, damaged or packed, there is no such column, split or class.
        """
        if "://" in self.root:
            raise FileNotFoundError(f"{self.root} is on no disk: its files must be mapped.")
        for folder, split in _folders(self.root, self.options.splits):
            features = _json(f"{folder}/dataset_info.json").get("features") or {}
            state = _json(f"{folder}/state.json")
            said = split or str(state.get("_split") or "")
            if not self.wants(said):
                continue
            columns = _Columns(folder, features, self.options)
            before = 0
            for path in _files(folder, state):
                for batch, whole in batches_at(path):
                    rows = batch.num_rows
                    told = columns.of(batch, whole, path)
                    told |= {"key": _keys(said, before, rows), "split": pa.repeat(said, rows)}
                    yield listing_batch(rows, told)
                    before += rows


class _Columns:
    """What the columns of one folder say."""

    def __init__(self, folder: str, features: Mapping[str, Any], options: HfOptions) -> None:
        self.folder = folder
        kinds = {name: _kind(feature) for name, feature in features.items()}
        self.image = _only(folder, "image", options.image, kinds, "Image")
        named = [name for name, kind in kinds.items() if kind[0] == "ClassLabel"]
        self.labels = (
            _only(folder, "labels", options.labels, kinds, "ClassLabel")
            if options.labels or len(named) == 1
            else ""
        )
        self.classes = kinds[self.labels][1] if self.labels else []
        self.captions = options.captions and _only(
            folder, "captions", options.captions, kinds, "Value"
        )

    def of(self, batch: pa.RecordBatch, whole: pa.Buffer, path: str) -> dict[str, Any]:
        """Uri, stamp and annotations of the rows of BATCH, in the mapped file WHOLE at PATH."""
        for name in filter(None, (self.image, self.labels, self.captions)):
            if name not in batch.schema.names:
                raise ValueError(unknown(f"column of {path}", name, batch.schema.names))
        columns = self._pictures(batch[self.image], whole, path)
        if self.labels:
            columns["labels"] = self._named(batch[self.labels], path)
        if self.captions:
            columns["captions"] = _texts(batch[self.captions], path, self.captions)
        return columns

    def _pictures(self, column: pa.Array, whole: pa.Buffer, path: str) -> dict[str, Any]:
        rows, stamped = len(column), stamp_of(path)
        offsets, sizes, paths = places_of(column, whole, path)
        ends = (pa.array(numbers).cast(pa.string()) for numbers in (offsets, sizes))
        columns: dict[str, Any] = {
            "uri": pc.binary_join_element_wise(
                f"{path}#", pc.binary_join_element_wise(*ends, ","), ""
            ),
            "size": pa.array(sizes),
            "mtime": pa.repeat(stamped.mtime, rows),
            "etag": pa.repeat(stamped.etag, rows),
        }
        elsewhere = pc.and_(pc.not_equal(paths, ""), pa.array(sizes == 0))
        if pc.any(elsewhere).as_py():
            away = [
                one if one.startswith("/") else f"{self.folder}/{one}"
                for one in paths.filter(elsewhere).to_pylist()
            ]
            stamps = stamps_of(away)
            found = {"uri": away} | {
                name: [getattr(one, name) for one in stamps] for name in ("size", "mtime", "etag")
            }
            columns = {
                name: pc.replace_with_mask(values, elsewhere, pa.array(found[name], values.type))
                for name, values in columns.items()
            }
        return columns

    def _named(self, column: pa.Array, path: str) -> pa.Array:
        """The classes of COLUMN by their names, as lists."""
        if not self.classes:
            return _texts(column, path, self.labels)
        flat = pc.list_flatten(column) if _is_list(column.type) else column
        numbers = pc.fill_null(flat.cast(pa.int64()), -1)
        if len(numbers) and pc.max(numbers).as_py() >= len(self.classes):
            raise ValueError(
                f"{path}: class {pc.max(numbers).as_py()} of {self.labels} where there are "
                f"{len(self.classes)}."
            )
        known = pc.if_else(pc.less(numbers, 0), None, numbers)
        names = pc.fill_null(pa.array(self.classes, pa.string()).take(known), "")
        return lists(names, _lengths(column)) if _is_list(column.type) else at_most_one(names)


def _keys(split: str, before: int, rows: int) -> pa.Array:
    """SPLIT and number of ROWS rows, BEFORE of which came earlier."""
    numbers = pa.array(np.arange(before, before + rows)).cast(pa.string())
    padded = pc.utf8_lpad(numbers, 8, "0")
    return pc.binary_join_element_wise(split, padded, "/") if split else padded


def _folders(root: str, wanted: tuple[str, ...]) -> list[tuple[str, str]]:
    """The folder of each split, with the split's name where the folder stands for one."""
    try:
        splits = _json(f"{root}/dataset_dict.json").get("splits")
    except FileNotFoundError:
        return [(root, "")]
    if not isinstance(splits, list) or not all(_is_plain(one) for one in splits):
        raise ValueError(f"{root}/dataset_dict.json names no splits: {splits!r}.")
    for split in wanted:
        if split not in splits:
            raise ValueError(unknown(f"split of {root}", split, splits))
    return [(f"{root}/{split}", split) for split in splits if not wanted or split in wanted]


def _files(folder: str, state: Mapping[str, Any]) -> list[str]:
    """The data files that STATE names, in their order."""
    try:
        names = [entry["filename"] for entry in state["_data_files"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder}/state.json names no data files.") from error
    for name in names:
        if not _is_plain(name):
            raise ValueError(f"{folder}/state.json: {name!r} is no file of this folder.")
    return [f"{folder}/{name}" for name in names]


def _is_plain(name: object) -> bool:
    return isinstance(name, str) and bool(name.strip(".")) and "/" not in name and "\0" not in name


def _json(path: str) -> dict[str, Any]:
    try:
        found = json.loads(content_of(path))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no JSON object.")
    return found


def _kind(feature: Any) -> tuple[str, list[str]]:
    """What a FEATURE is, itself or in a list, and the names of its classes."""
    while isinstance(feature, list) and len(feature) == 1:
        feature = feature[0]
    while isinstance(feature, dict) and feature.get("_type") in ("Sequence", "List", "LargeList"):
        feature = feature.get("feature")
    if not isinstance(feature, dict):
        return "", []
    names = feature.get("names") or []
    return str(feature.get("_type")), [str(name) for name in names]


def _only(
    folder: str, option: str, asked: str, kinds: Mapping[str, tuple[str, list[str]]], kind: str
) -> str:
    """The column ASKED for, or the only one of KIND.

    Raises:
        ValueError: there is none of that name, or not exactly one.
    """
    if asked:
        if asked not in kinds:
            raise ValueError(unknown(f"column of {folder}", asked, kinds))
        return asked
    found = [name for name, (one, _) in kinds.items() if one == kind]
    if len(found) != 1:
        raise ValueError(
            f"{folder} has {len(found)} columns of kind {kind} among {', '.join(kinds)}: say which "
            f"one it is by the option {option}."
        )
    return found[0]


def _texts(column: pa.Array, path: str, name: str) -> pa.Array:
    """COLUMN, of texts, numbers or lists of them, as lists of texts."""
    try:
        if not _is_list(column.type):
            return at_most_one(column.cast(pa.string()))
        return lists(pc.fill_null(pc.list_flatten(column).cast(pa.string()), ""), _lengths(column))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"{path}: column {name} is of {column.type}, no texts.") from error


def _lengths(column: pa.Array) -> "np.ndarray[Any, np.dtype[np.int64]]":
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    return lengths.to_numpy(zero_copy_only=False).astype(np.int64)


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )
