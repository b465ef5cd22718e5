"""MS COCO in its official layouts of 2014 and 2017: photographs, classes, boxes, captions."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final, Literal

import fsspec
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.coco_annotations import Images, read_captions, read_instances
from data.adapters.columns import listing_batch
from data.adapters.jsons import items
from data.adapters.listed_splits import HASHING, ListedSplits, hashing_splits
from data.adapters.pictures import Pictures, picture_runs
from data.taxonomy import Retrieval

ROWS: Final = 10_000
"""Rows in a batch of a listing."""

SPLITS: Final = ("train", "val")
FILES: Final = "http://images.cocodataset.org"

KARPATHY: Final[Mapping[str, str]] = {
    "train": "train", "restval": "train", "val": "val", "test": "test",
}  # fmt: skip
"""The splits of dataset_coco.json; restval teaches, as in every paper that uses the split."""


class CocoOptions(Options):
    """Which edition, whose split, and which annotations."""

    year: Literal[0, 2014, 2017] = Field(0, description="the edition; 0: the one that is there")
    lists: Literal["", "hashnet", "karpathy"] = Field(
        "", description="whose split: the official one, or that of lists put beside the pictures"
    )
    annotations: tuple[Literal["instances", "captions"], ...] = Field(
        ("instances", "captions"),
        min_length=1,
        description="the files of annotations that are read",
    )

    def choices(self, official: Collection[str]) -> Collection[str]:
        """The official splits, or those of the lists that are asked for."""
        return {"": official, "hashnet": HASHING, "karpathy": ("train", "val", "test")}[self.lists]


class Coco(Columnar):
    """Photographs of everyday scenes with 80 kinds of things; relevant is what shares a kind.

    The root holds ``train2017`` and ``val2017`` (or their zips, which are read in place) and
    ``annotations/{instances,captions}_{train,val}2017.json`` (or
    ``annotations_trainval2017.zip``); or the same of 2014, whose file names begin with
    ``COCO_train2014_``. Pictures may lie in a folder ``images``. ``annotations: [captions]`` or
    ``[instances]`` in a recipe does without the other file.

    The two editions hold the same 123,287 pictures, split otherwise. A key is the picture's id in
    twelve digits, so it is the same in both, and so are the named splits: ``lists: karpathy`` reads
    ``dataset_coco.json`` in the root, ``lists: hashnet`` the files ``{train,test,database}.txt`` in
    its folder ``hashnet``; pictures that they do not list are left out.
    """

    card = Card(
        name="coco",
        about="123,287 photographs of everyday scenes with boxes of 80 kinds of things, and at "
        "least five sentences each.",
        labels="the kinds of things in it, of 80, in the dataset's words; sharing one is relevant; "
        "1,069 pictures have none",
        says=("multi", "captions", "boxes"),
        retrievals=(
            Retrieval.CROSS_MODAL,
            Retrieval.MULTI_LABEL,
            Retrieval.OBJECT,
            Retrieval.ASYMMETRIC,
        ),
        cite="Lin, Maire, Belongie, Hays, Perona, Ramanan, Dollar, Zitnick, Microsoft COCO: Common "
        "Objects in Context, ECCV 2014",
        home="https://cocodataset.org/",
        licence="annotations CC BY 4.0; each photograph its own, named in the JSON",
        terms="Most photographs are for non-commercial use only.",
        access="open",
        splits={"train": 118_287, "val": 5_000},
        sources=(
            Source(
                url=f"{FILES}/zips/train2017.zip",
                holds="pictures",
                splits=("train",),
                form="2017",
                bytes=19_336_861_798,
                md5="cced6f7f71b7629ddf16f17bbcfab6b2",
            ),
            Source(
                url=f"{FILES}/zips/val2017.zip",
                holds="pictures",
                splits=("val",),
                form="2017",
                bytes=815_585_330,
                md5="442b8da7639aecaf257c1dceb8ba8c80",
            ),
            Source(
                url=f"{FILES}/annotations/annotations_trainval2017.zip",
                holds="classes, boxes and captions",
                form="2017",
                bytes=252_907_541,
                md5="f4bbac642086de4f52a3fdda2de5fa2c",
            ),
            Source(
                url=f"{FILES}/zips/train2014.zip",
                holds="pictures",
                splits=("train",),
                form="2014",
                bytes=13_510_573_713,
                md5="0da8c0bd3d6becc4dcb32757491aca88",
            ),
            Source(
                url=f"{FILES}/zips/val2014.zip",
                holds="pictures",
                splits=("val",),
                form="2014",
                bytes=6_645_013_297,
                md5="a3d79f5ed8d289b7a7554ce06a5782b3",
            ),
            Source(
                url=f"{FILES}/annotations/annotations_trainval2014.zip",
                holds="classes, boxes and captions",
                form="2014",
                bytes=252_872_794,
                md5="0a379cfc70b0e71301e0f377548639bd",
            ),
        ),
        layout="train2017 and val2017, or their zips, and annotations, or its zip; or those of "
        "2014. dataset_coco.json (Karpathy) and hashnet/{train,test,database}.txt where a recipe "
        "asks for these splits.",
        marks=(
            "instances_train20??.json",
            "instances_val20??.json",
            "captions_train20??.json",
            "captions_val20??.json",
            "annotations_trainval20??.zip",
        ),
        verified="part of the real files",
        proof="159 real photographs with their 1,363 boxes and 795 captions, out of the official "
        "JSON of 2017; the published HashNet lists agree with it in the number of classes of "
        "the 26 pictures that are in both. Karpathy's split and zips: miniatures.",
        traps=(
            "The 80 classes have ids from 1 to 90, with holes: a label is a name.",
            "1,069 pictures have no box at all: they are listed, without a label.",
            "Boxes of crowds stand for many things at once: they are marked, and their class "
            "counts.",
            "A picture has five to seven captions: all are given by ascending id, and protocols "
            "take the first five.",
            "2014 and 2017 are the same pictures under other names and in another split.",
            "The columns of the HashNet lists are not in the order of the class ids: only the "
            "split is taken from them.",
            "Some of the photographs are grey.",
        ),
    )
    takes = CocoOptions
    options: CocoOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures of the training files, then those of the validation files, each by its id.

        Raises:
            FileNotFoundError: a file of annotations, the pictures or a list is missing; names it.
            ValueError: one of them is damaged, or both editions are there and none is asked for.
        """
        year = self.options.year or self._year()
        lists = self._lists()
        for split in SPLITS:
            if lists is None and not self.wants(split):
                continue
            images, columns = self._said(f"{split}{year}")
            columns |= self._where(f"{split}{year}").columns(images.names)
            columns["key"] = pa.array([f"{number:012d}" for number in images.ids.tolist()])
            columns["split"] = pa.repeat(split, len(images.ids))
            if lists is not None:
                columns["split"] = lists.of(columns["key"])
            batch = listing_batch(len(images.ids), columns)
            for start in range(0, batch.num_rows, ROWS):
                some = batch.slice(start, ROWS)
                if lists is not None:
                    some = some.filter(pc.is_valid(some["split"]))
                yield self.of_wanted_splits(some)
        if lists is not None:
            lists.tell()

    def _year(self) -> int:
        """The edition that is there.

        Raises:
            FileNotFoundError: none is.
            ValueError: both are.
        """
        fs, path = fsspec.url_to_fs(self.root)
        found = [
            year
            for year in (2014, 2017)
            if fs.exists(f"{path}/annotations_trainval{year}.zip")
            or any(
                fs.exists(f"{path}/annotations/{name}_{split}{year}.json")
                for name in self.options.annotations
                for split in SPLITS
            )
        ]
        if len(found) == 2:
            raise ValueError(f"{self.root} holds COCO of 2014 and of 2017: say year: 2017 or 2014.")
        if not found:
            raise FileNotFoundError(
                f"No COCO in {self.root}: it should hold annotations/instances_train2017.json or "
                "annotations_trainval2017.zip, or those of 2014."
            )
        return found[0]

    def _lists(self) -> ListedSplits | None:
        if self.options.lists == "hashnet":
            return hashing_splits(f"{self.root}/hashnet", lambda name: name[-16:-4])
        if self.options.lists == "karpathy":
            return _karpathy(f"{self.root}/dataset_coco.json")
        return None

    def _said(self, part: str) -> tuple[Images, dict[str, pa.Array]]:
        """The pictures of PART, such as ``train2017``, and what is said of them."""
        if "instances" not in self.options.annotations:
            return read_captions(self._annotations("captions", part))
        images, columns = read_instances(self._annotations("instances", part))
        if "captions" in self.options.annotations:
            _, captions = read_captions(self._annotations("captions", part), images)
            columns |= captions
        return images, columns

    def _annotations(self, what: str, part: str) -> str:
        fs, path = fsspec.url_to_fs(self.root)
        name, archive = f"{what}_{part}.json", f"annotations_trainval{part[-4:]}.zip"
        if not fs.exists(f"{path}/annotations/{name}") and fs.exists(f"{path}/{archive}"):
            return f"{self.root}/{archive}::annotations/{name}"
        return f"{self.root}/annotations/{name}"

    def _where(self, part: str) -> Pictures:
        """Where the pictures of PART lie, by file name."""
        fs, path = fsspec.url_to_fs(self.root)
        home = f"{self.root}/images" if fs.isdir(f"{path}/images/{part}") else self.root
        return Pictures(picture_runs(home, part, f"{part}.zip"), f"{home}/{part}")


def _karpathy(path: str) -> ListedSplits:
    """What Karpathy's ``dataset_coco.json`` at PATH says.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is damaged, or has another split.
    """
    names: list[str] = []
    words: list[str] = []
    for _, image in items(path, "images"):
        try:
            names.append(f"{int(image['cocoid']):012d}")
            words.append(KARPATHY[image["split"]])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: an image has no cocoid or no split: {error!r}.") from error
    return ListedSplits(path, names, words)
