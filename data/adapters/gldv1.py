"""Google Landmarks v1: the lists of the challenge of 2018, and whatever pictures are left of it."""

import logging
from collections.abc import Iterator
from functools import partial
from typing import Final

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.columns import at_most_one
from data.adapters.gldv1_boxes import FILES, Boxes
from data.adapters.landmarks import Array, Growing, Ids, columns_of, ids_of, listed, pictures
from data.adapters.placeholders import Files, placeholders
from data.taxonomy import Retrieval

UNKNOWN: Final = "None"
"""What stands in train.csv where no landmark is known."""

log = logging.getLogger(__name__)


class Gldv1Options(Options):
    """What of the withdrawn dataset is wanted beside pictures and landmarks."""

    boxes: bool = Field(
        False,
        description="boxes of boxes_split1.csv and boxes_split2.csv; each picture that has one is "
        "read to learn its size",
    )
    placeholders: int = Field(
        0, ge=0, description="bytes that so many files share are a placeholder; they are left out"
    )


class Gldv1(Columnar):
    """Photographs of 15,000 landmarks, of which only web addresses were published.

    The root holds ``train.csv`` (id, url, landmark_id), ``index.csv`` and ``test.csv`` (id, url),
    and the pictures that somebody has got: in a folder of the split's name, else in ``images``,
    else anywhere under the root, as ``ID.jpg`` or ``a/b/c/ID.jpg``, or in ``images_NNN.tar``. Many
    addresses were dead from the beginning, so those that are not there are counted and logged.
    Keys are ``SPLIT/ID``. Nothing is fetched from the addresses. Who fetched them may have got a
    service's placeholder for what was gone: ``placeholders: 100`` leaves out what a hundred share.
    """

    card = Card(
        name="gldv1",
        about="2.4 million photographs of landmarks, 1.2 million of them labelled.",
        labels="one of 14,951 landmarks of a training picture; the lists say nothing of index and "
        "test",
        says=("single", "boxes"),
        retrievals=(Retrieval.INSTANCE, Retrieval.FINE_GRAINED, Retrieval.OBJECT),
        cite="Noh, Araujo, Sim, Weyand, Han, Large-Scale Image Retrieval with Attentive Deep Local "
        "Features, ICCV 2017",
        home="https://www.kaggle.com/google/google-landmarks-dataset",
        licence="none stated for the pictures: each has its own",
        terms="The publisher has withdrawn the dataset.",
        access="withdrawn",
        ask="It is no longer handed out by anyone who may: gldv2 takes its place. Whoever has kept "
        "it puts train.csv, index.csv and test.csv into this folder, and the pictures into train, "
        "index and test below it.",
        splits={"train": 1_225_029, "index": 1_098_461, "test": 117_703},
        sources=(
            *(
                Source(saved_as=f"{split}.csv", holds="lists of addresses", splits=(split,))
                for split in ("train", "index", "test")
            ),
            *(
                Source(saved_as=name, holds="boxes of 94,000 training pictures", splits=("train",))
                for name in FILES
            ),
        ),
        layout="train.csv, index.csv and test.csv in the root; the pictures as ID.jpg or "
        "a/b/c/ID.jpg in train, index and test, in images, or anywhere under the root. For the "
        "option boxes also boxes_split1.csv and boxes_split2.csv.",
        marks=("boxes_split[12].csv", "index.csv"),
        verified="miniature",
        proof="Lists and folders in the layout of the challenge, with a part of the pictures.",
        traps=(
            "Pictures that are not there are counted and logged: a number measured on this dataset "
            "says how many there were.",
            "The landmarks are numbered otherwise than in gldv2.",
            "A landmark may be None: such a picture has no label.",
            "Boxes are shares of the picture, top before left: they come in pixels.",
            "A dead address may have answered with a placeholder instead of an error.",
        ),
    )

    takes = Gldv1Options
    options: Gldv1Options

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures of each split that are there, in the order of their ids.

        Raises:
            FileNotFoundError: a list is missing, or a split has no picture at all; names it.
            ValueError: a list is broken, or a picture is there twice; names it.
        """
        fakes: dict[str, pa.Array] = {}
        for split in filter(self.wants, self.card.splits):
            path = f"{self.root}/{split}.csv"
            ids, labels = self._listed(split, path)
            known = Ids(ids, path)
            home = self._home(split)
            if self.options.placeholders and home not in fakes:
                fakes[home] = self._placeholders(home)
            boxes = Boxes(self.root) if self.options.boxes and split == "train" else None
            for batch in listed(home, split, known, partial(_said, labels)):
                if home in fakes:
                    batch = batch.filter(pc.invert(pc.is_in(batch["uri"], value_set=fakes[home])))
                yield boxes.put_on(batch, self.read) if boxes else batch
            missing, first = known.missing()
            if missing == len(known):
                raise FileNotFoundError(f"None of the {missing} pictures in {path} is in {home}.")
            if missing:
                share = f"{missing / len(known):.1%}"
                what = f"{missing} of the {len(known)} pictures in {path} are not there ({share})"
                log.warning("%s: first %s/%s", what, split, first)

    def _listed(self, split: str, path: str) -> tuple[Array, pa.Array]:
        """The ids in the list of SPLIT at PATH, and the landmark of each; empty where none is."""
        fs, file = fsspec.url_to_fs(path)
        if not fs.exists(file):
            raise FileNotFoundError(f"No {split}.csv in {self.root}.")
        if split != "train":
            ids = ids_of(path)
            return ids, pa.repeat("", len(ids))
        found, landmarks = Growing(np.uint64), [pa.array([], pa.string())]
        for some, batch in columns_of(path, {"landmark_id": pa.string()}):
            unknown = pc.equal(batch["landmark_id"], UNKNOWN)
            found.add(some)
            landmarks.append(pc.if_else(unknown, "", batch["landmark_id"]))
        return found.whole(), pa.concat_arrays(landmarks)

    def _placeholders(self, home: str) -> pa.Array:
        """The uris in HOME that are placeholders."""

        def files() -> Files:
            for run in pictures(home):
                yield pa.array(run.uris, pa.string()), pa.array(run.sizes, pa.int64())

        fakes = placeholders(files, self.options.placeholders, self.read)
        log.warning("%s: %d files are placeholders, left out", home, len(fakes))
        return fakes

    def _home(self, split: str) -> str:
        fs, path = fsspec.url_to_fs(self.root)
        for folder in (split, "images"):
            if fs.isdir(f"{path}/{folder}"):
                return f"{self.root}/{folder}"
        return self.root


def _said(labels: pa.Array, rows: Array) -> dict[str, pa.Array]:
    return {"labels": at_most_one(labels.take(pa.array(rows)))}
