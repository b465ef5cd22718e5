"""A folder or bucket of images, at any depth; its folders may say label and split."""

from collections.abc import Iterator
from typing import Literal

import pyarrow as pa
from pydantic import Field

from data.adapters.base import Columnar, Options
from data.adapters.card import Card
from data.adapters.columns import at_most_one, listing_batch
from data.adapters.files import ROWS, Links, Run
from data.adapters.names import IMAGES, Extensions, split_of
from data.adapters.objects import files_under
from data.taxonomy import Retrieval


class FolderOptions(Options):
    """How the folders of a folder are to be understood."""

    labels: Literal["folder", "parent", "none"] = Field(
        "folder", description="folder: the first folder on an image's path; parent: the last; none"
    )
    split: Literal["folder", "none"] = Field(
        "folder", description="folder: a first folder named train, test, val, ... is the split"
    )
    extensions: Extensions = IMAGES
    links: Links = Field(
        "inside", description="symbolic links that are followed: those that stay inside, all, none"
    )


class Folder(Columnar):
    """Every image file under a folder or prefix; the key is its path from there.

    ``train/cats/01.jpg`` has split "train" and label "cats". Local folders are walked with one
    `stat` a file; a bucket is listed in pages of a thousand. A name that is not UTF-8 has its odd
    bytes written ``\\xHH`` in the key, and a ``file://`` uri. What is neither a regular file nor a
    folder is passed over, a folder that cannot be read is an error.
    """

    card = Card(
        name="folder",
        about="A folder or bucket of image files, at any depth.",
        labels="the name of the folder an image lies in; the same folder is the same class",
        retrievals=(Retrieval.SEMANTIC, Retrieval.FINE_GRAINED, Retrieval.INSTANCE),
        layout="Any folder or prefix; a first folder named train, val, test, query or gallery is "
        "the split, the next one the label.",
        verified="real files",
        proof="Trees of real photographs on a disk and in a bucket, and hostile ones: links in "
        "circles, names that are not UTF-8, files that go away while they are listed.",
    )
    takes = FolderOptions
    options: FolderOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The files in the order of their keys.

        Raises:
            FileNotFoundError: the folder is not there, or nothing lies under the prefix.
            OSError: a folder cannot be read.
        """
        waiting: list[tuple[Run, str, str]] = []
        rows = 0
        for run in self._runs():
            split, label = self._said(run.folder)
            if not self.wants(split):
                continue
            waiting.append((run, split, label))
            rows += len(run.keys)
            if rows >= ROWS:
                yield _batch(waiting, rows)
                waiting, rows = [], 0
        if waiting:
            yield _batch(waiting, rows)

    def _runs(self) -> Iterator[Run]:
        return files_under(self.root, frozenset(self.options.extensions), self.options.links)

    def _said(self, folder: str) -> tuple[str, str]:
        """Split and label of the images of FOLDER (a key, with a slash at its end)."""
        parts = folder.split("/")[:-1]
        split = split_of(parts) if self.options.split == "folder" else ""
        if split:
            del parts[0]
        if self.options.labels == "none" or not parts:
            return split, ""
        return split, parts[0] if self.options.labels == "folder" else parts[-1]


def _batch(runs: list[tuple[Run, str, str]], rows: int) -> pa.RecordBatch:
    labels = [label for run, _, label in runs for _ in run.keys]
    return listing_batch(
        rows,
        {
            "key": [key for run, _, _ in runs for key in run.keys],
            "uri": [uri for run, _, _ in runs for uri in run.uris],
            "size": [size for run, _, _ in runs for size in run.sizes],
            "mtime": [mtime for run, _, _ in runs for mtime in run.mtimes],
            "etag": [etag for run, _, _ in runs for etag in run.etags],
            "labels": at_most_one(labels),
            "split": [split for run, split, _ in runs for _ in run.keys],
        },
    )
