"""MIRFLICKR-1M in its official layout: a million photographs with tags, and near-duplicates."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.columns import listing_batch
from data.adapters.mirflickr_files import COUNT, FOLDER, Clusters, FolderTags, ZippedTags
from data.adapters.pictures import Pictures, picture_runs, runs_lying_in
from data.adapters.tag_files import read_tags
from data.taxonomy import Retrieval

HOME: Final = "https://press.liacs.nl/mirflickr"
CORRUPT: Final = (59_898, 104_442, 107_349, 108_460, 686_806)
"""Pictures that are damaged in the published archives themselves."""

NAME: Final = r"^(?:.*/)?([0-9]{1,6})\.jpg$"


class Mirflickr1mOptions(Options):
    """Which tenths, and what is read of them."""

    parts: tuple[Annotated[int, Field(ge=0, le=9)], ...] = Field(
        tuple(range(10)), description="which of the ten zips, or tenths of the folders: 0 to 9"
    )
    tags: bool = Field(True, description="whether the tags are read, a file a picture")
    clusters: Literal["found", "IND", "NIND", "none"] = Field(
        "found", description="which clusters are labels; found: IND where its list is in the root"
    )
    corrupt: bool = Field(False, description="list the five pictures known to be damaged, too")


class Mirflickr1m(Columnar):
    """A million photographs of Flickr without classes: distractors, weak tags, near-duplicates.

    The root holds ``images/<0..99>/<id>.jpg`` and ``tags/<0..99>/<id>.txt``, ten thousand ids a
    folder from 0 to 999999, or ``images0.zip`` to ``images9.zip`` and ``tags.zip``, which are read
    in place. ``parts: [0]`` does with the first tenth. A key is the id in six digits.

    Where ``IND_clusters.txt`` is in the root, the pictures of each of its lines have the number of
    the line as their label: they are near-duplicates of each other. ``clusters: NIND`` takes the
    other list. All others have no label.
    """

    card = Card(
        name="mirflickr1m",
        about="1,000,000 photographs of Flickr with the tags of their owners.",
        labels="none; with IND_clusters.txt, the cluster of near-duplicates that it is in, if any, "
        "and the same cluster is relevant",
        says=("tags", "single"),
        retrievals=(Retrieval.INSTANCE, Retrieval.CROSS_MODAL),
        cite="Huiskes, Thomee, Lew, New Trends and Ideas in Visual Concept Detection: The MIR "
        "Flickr Retrieval Evaluation Initiative, ACM MIR 2010",
        home=f"{HOME}/",
        licence="each photograph its own Creative Commons licence, by its licence file",
        access="open",
        splits={"all": 1_000_000},
        sources=(
            *(
                Source(
                    url=f"{HOME}/mirflickr1m.v3b/images{part}.zip",
                    holds="pictures, a tenth each",
                )
                for part in range(10)
            ),
            Source(url=f"{HOME}/mirflickr1m.v3b/tags.zip", holds="tags"),
        ),
        layout="images0.zip to images9.zip or the folder images, and tags.zip or the folder tags; "
        "IND_clusters.txt or NIND_clusters.txt of mfnd.similarity.eu for clusters.",
        marks=("images[0-9].zip", "IND_clusters.txt"),
        labels_in="IND_clusters.txt",
        verified="miniature",
        proof="Folders and zips of its layout that the tests write, with a few pictures each. No "
        "real file could be had.",
        traps=(
            "Five pictures are damaged in the archives themselves: they are left out, unless a "
            "recipe wants them.",
            "One picture in seven has no tags: its file is empty or missing.",
            "Names do not sort as ids do: pictures come by ascending id.",
            "Pictures count from 0, those of the 25,000 of the same authors from 1: the same "
            "number is another picture.",
        ),
    )
    takes = Mirflickr1mOptions
    options: Mirflickr1mOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures in the order of their ids, a folder at a time.

        Raises:
            FileNotFoundError: a zip, a folder or a list is missing; names it.
            ValueError: one of them is damaged, or holds an id where it should not be; names it.
        """
        fs, path = fsspec.url_to_fs(self.root)
        zipped = not fs.isdir(f"{path}/images")
        tags = self._tags()
        clusters = self._clusters()
        listed = np.zeros(COUNT, dtype=np.bool_)
        for part in sorted(set(self.options.parts)):
            for folder, table in self._folders(part, zipped):
                ids = table["id"].to_numpy()
                if listed[ids].any() or len(np.unique(ids)) < len(ids):
                    raise ValueError(f"{self.root}: a picture of folder {folder} comes twice.")
                listed[ids] = True
                columns: dict[str, Any] = {
                    name: table[name].combine_chunks() for name in ("uri", "size", "mtime", "etag")
                }
                columns["split"] = pa.repeat("all", len(ids))
                columns["key"] = [f"{number:06d}" for number in ids]
                if tags:
                    columns["tags"] = read_tags(tags.uris(folder, ids))
                if clusters:
                    columns["labels"] = clusters.labels(ids)
                yield listing_batch(len(ids), columns)

    def _folders(self, part: int, zipped: bool) -> Iterator[tuple[int, pa.Table]]:
        """The numbers of the folders of a tenth and their pictures, by id, with the column id."""
        if zipped:
            fs, path = fsspec.url_to_fs(self.root)
            archive = f"images{part}.zip"
            if not fs.exists(f"{path}/{archive}"):
                raise FileNotFoundError(f"No images or {archive} in {self.root}.")
            table = self._known(Pictures(runs_lying_in(f"{self.root}/{archive}"), ""), archive)
            folders = table["id"].to_numpy() // FOLDER
            for folder in np.unique(folders):
                start, stop = np.searchsorted(folders, [folder, folder + 1])
                yield int(folder), table.slice(start, stop - start)
            return
        for folder in range(10 * part, 10 * part + 10):
            name = f"images/{folder}"
            table = self._known(Pictures(picture_runs(self.root, name), ""), name)
            strange = table["id"].to_numpy() // FOLDER != folder
            if strange.any():
                number = table["id"].to_numpy()[strange][0]
                raise ValueError(f"{self.root}/{name} holds {number}.jpg, which is not of it.")
            yield folder, table

    def _known(self, pictures: Pictures, where: str) -> pa.Table:
        """The table of PICTURES by ascending id, with the column id; what is not wanted left out.

        Raises:
            ValueError: a picture in WHERE is not called by an id.
        """
        table = pictures.table
        keys = table["key"].combine_chunks()
        strange = keys.filter(pc.invert(pc.match_substring_regex(keys, NAME)))
        if len(strange):
            raise ValueError(f"{self.root}/{where} holds {strange[0]}, which is no <id>.jpg.")
        ids = pc.cast(pc.replace_substring_regex(keys, NAME, r"\1"), pa.int64())
        table = table.append_column("id", ids)
        if not self.options.corrupt:
            table = table.filter(pc.invert(pc.is_in(table["id"], value_set=pa.array(CORRUPT))))
        return table.sort_by("id")

    def _tags(self) -> FolderTags | ZippedTags | None:
        fs, path = fsspec.url_to_fs(self.root)
        if not self.options.tags:
            return None
        if fs.isdir(f"{path}/tags"):
            return FolderTags(self.root)
        if fs.exists(f"{path}/tags.zip"):
            return ZippedTags(f"{self.root}/tags.zip")
        raise FileNotFoundError(
            f"No tags or tags.zip in {self.root}; tags: false in a recipe does without."
        )

    def _clusters(self) -> Clusters | None:
        fs, path = fsspec.url_to_fs(self.root)
        name = self.options.clusters
        if name == "found":
            name = "IND" if fs.exists(f"{path}/IND_clusters.txt") else "none"
        return None if name == "none" else Clusters(f"{self.root}/{name}_clusters.txt", name)
