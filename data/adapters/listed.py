"""A list of images, as CSV or Parquet: where each lies, and what is known of it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, field_validator

from data.adapters.base import URL, Columnar, Options
from data.adapters.card import Card
from data.adapters.columns import at_most_one, blank, listing_batch, lists
from data.adapters.duplicates import SeenKeys, marks
from data.adapters.rows import column_names, row_batches
from data.adapters.stamps import stamps_of
from data.sample import BOX, LISTING
from data.taxonomy import Retrieval, unknown

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "uri": ("uri", "path", "url"),
    "labels": ("labels", "label"),
    "captions": ("captions", "caption"),
}
"""What a column may be called where the recipe does not say; any other by its own name."""


class ListedOptions(Options):
    """Which columns say what."""

    columns: dict[str, str] = Field(
        default_factory=dict, description="the list's own column for a column of ours"
    )
    separator: str = Field(";", min_length=1, description="between labels, tags, captions in a CSV")
    stat: bool = Field(True, description="ask the files where size or time stamp is not listed")

    @field_validator("columns")
    @classmethod
    def _ours(cls, columns: dict[str, str]) -> dict[str, str]:
        for name in columns:
            if name not in LISTING.names:
                raise ValueError(unknown("column", name, LISTING.names))
        return columns


class Listed(Columnar):
    """The images that a CSV or Parquet file lists, in its order.

    The root is the file (``.csv``, ``.tsv``, also ``.gz``; ``.parquet``), local or a URL. Columns:
    ``uri`` (or ``path``, ``url``), the only one needed: a path relative to the list's folder, an
    absolute path or a URL, with ``#OFFSET,LENGTH`` for a range; ``key``, unique, else the uri as it
    is written; ``size`` in bytes; ``mtime`` in ns since 1970, or a timestamp; ``etag``; ``labels``,
    ``tags``, ``captions``: lists in Parquet, texts parted by ``;`` in either; ``label``,
    ``caption``: one text, whole; ``boxes``: Parquet only; ``split``.

    Where the size is not listed, or neither time stamp nor etag, the files are asked for it, remote
    ones by a request each: a list of a large bucket should bring ``size`` and ``etag`` along.
    Batches stream; what is remembered of a row are 8 bytes, to find a key that comes twice.
    """

    card = Card(
        name="list",
        about="Images named by a CSV or Parquet file.",
        labels="what the list's column of labels says",
        says=("multi", "tags", "captions", "boxes"),
        retrievals=tuple(Retrieval),
        layout="A .csv, .tsv (also .gz) or .parquet file with a column uri, path or url; paths "
        "are relative to its folder.",
        verified="real files",
        proof="Lists of real photographs in each of its formats, read back column by column.",
    )
    takes = ListedOptions
    options: ListedOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The rows of the list in its order; a key that comes twice is found when all are out.

        Raises:
            FileNotFoundError: the list is not there.
            ValueError: a column is missing, a row has no uri or no key, a key comes twice, or a
                value is not of its column's kind; names the list and the row, counted from 1.
        """
        columns = self._columns(column_names(self.root))
        before = 0
        with SeenKeys() as seen:
            for rows in self._rows(columns):
                batch = self._batch(rows, columns, before)
                seen.add(batch["key"])
                before += batch.num_rows
                yield self.of_wanted_splits(batch)
            suspects = seen.suspects()
        if len(suspects):
            self._refuse_doubles(columns, suspects)

    def _columns(self, there: list[str]) -> dict[str, str]:
        """The list's name for each column of ours that it has.

        Raises:
            ValueError: there is no uri, or the recipe names a column that is not there.
        """
        columns: dict[str, str] = {}
        for name in LISTING.names:
            asked = self.options.columns.get(name)
            if asked is not None and asked not in there:
                raise ValueError(unknown(f"column of {self.root}", asked, there))
            names = (asked,) if asked else NAMES.get(name, (name,))
            if found := [one for one in names if one in there]:
                columns[name] = found[0]
        if "uri" not in columns:
            raise ValueError(
                f"{self.root} has no column uri, path or url but {', '.join(there)}: "
                "say which one it is, as in columns: {uri: NAME}."
            )
        return columns

    def _rows(self, columns: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        numbers = {columns[name] for name in ("size", "mtime") if name in columns}
        kinds = {
            name: pa.int64() if name in numbers else pa.string()
            for name in sorted(set(columns.values()))
        }
        return row_batches(self.root, kinds)

    def _batch(
        self, rows: pa.RecordBatch, columns: Mapping[str, str], before: int
    ) -> pa.RecordBatch:
        """ROWS, BEFORE of which came earlier, as a listing."""
        ours: dict[str, Any] = {}
        for name, theirs in columns.items():
            try:
                ours[name] = self._column(LISTING.field(name).type, rows[theirs], theirs)
            except pa.ArrowInvalid as error:
                raise ValueError(
                    f"{self.root}: column {theirs} after row {before}: {error}"
                ) from error
        ours.setdefault("key", ours["uri"])
        for name in ("uri", "key"):
            nothing = pc.index(ours[name], "").as_py()
            if nothing >= 0:
                raise ValueError(f"{self.root}: row {before + nothing + 1} has no {name}.")
        ours["uri"] = _beside(self.root, ours["uri"])
        return listing_batch(rows.num_rows, ours | self._stamps(ours))

    def _column(self, kind: pa.DataType, values: pa.Array, name: str) -> pa.Array:
        """VALUES, the list's column NAME, as a column of KIND."""
        if pa.types.is_string(kind):
            return _texts(values)
        if pa.types.is_integer(kind):
            if pa.types.is_timestamp(values.type):
                values = values.cast(pa.timestamp("ns"))
            return values.cast(pa.int64())
        if kind.value_type == BOX:
            return pc.coalesce(values.cast(kind), pa.scalar([], kind))
        if name in ("label", "caption"):
            return at_most_one(_texts(values))
        if not _is_list(values.type):
            values = pc.split_pattern(_texts(values), self.options.separator)
        lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
        words = pc.utf8_trim_whitespace(_texts(pc.list_flatten(values)))
        return lists(words, lengths.astype(np.int64))

    def _stamps(self, ours: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
        """Size, time stamp and etag: as listed, else from the files, else nothing."""
        rows = len(ours["uri"])
        listed = {name: ours.get(name) for name in ("size", "mtime", "etag")}
        size, mtime = (
            pa.nulls(rows, pa.int64()) if listed[name] is None else listed[name]
            for name in ("size", "mtime")
        )
        etag = blank(pa.string(), rows) if listed["etag"] is None else listed["etag"]
        asked = pc.or_(pc.is_null(size), pc.and_(pc.is_null(mtime), pc.equal(etag, "")))
        if self.options.stat and pc.any(asked).as_py():
            found = stamps_of(ours["uri"].filter(asked).to_pylist())
            size, mtime, etag = (
                _filled(column, asked, pa.array([one[i] for one in found], column.type))
                for i, column in enumerate((size, mtime, etag))
            )
        return {"size": pc.fill_null(size, 0), "mtime": pc.fill_null(mtime, 0), "etag": etag}

    def _refuse_doubles(self, columns: Mapping[str, str], suspects: Any) -> None:
        """Read the list again for the keys whose marks are SUSPECTS.

        Raises:
            ValueError: two rows have the same key, and not only the same mark.
        """
        rows_of: dict[str, int] = {}
        before = 0
        for rows in self._rows(columns):
            keys = _texts(rows[columns.get("key", columns["uri"])])
            for at in np.flatnonzero(np.isin(marks(keys), suspects)):
                key, row = keys[int(at)].as_py(), before + int(at) + 1
                if key in rows_of:
                    raise ValueError(
                        f"{self.root}: rows {rows_of[key]} and {row} have the same key {key!r}; "
                        "keys must be unique: drop one, or name another (columns: {key: …})."
                    )
                rows_of[key] = row
            before += len(keys)


def _texts(values: pa.Array) -> pa.Array:
    return pc.fill_null(values.cast(pa.string()), "")


def _is_list(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _filled(column: pa.Array, mask: pa.Array, found: pa.Array) -> pa.Array:
    """COLUMN where it says something, else, where MASK is true, what was FOUND for it."""
    told = pc.replace_with_mask(column, mask, found)
    if pa.types.is_string(column.type):
        return pc.if_else(pc.equal(column, ""), told, column)
    return pc.coalesce(column, told)


def _beside(root: str, uris: pa.Array) -> pa.Array:
    """URIS as absolute paths or URLs; a relative one lies beside the list ROOT."""
    whole = pc.or_(pc.starts_with(uris, "/"), pc.match_substring_regex(uris, f"^{URL.pattern}"))
    folder = root.rpartition("/")[0]
    return pc.if_else(whole, uris, pc.binary_join_element_wise(folder, uris, "/"))
