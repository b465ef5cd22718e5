"""Google Landmarks v1: the lists of the challenge of 2018, and whatever pictures are left of it."""

import logging
from collections.abc import Iterator
from functools import partial
from typing import Final

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.columns import at_most_one
from data.adapters.landmarks import Array, Ids, columns_of, ids_of, listed
from data.taxonomy import Retrieval

UNKNOWN: Final = "None"
"""What stands in train.csv where no landmark is known."""

log = logging.getLogger(__name__)


class Gldv1(Columnar):
    """Photographs of 15,000 landmarks, of which only web addresses were published.

    The root holds ``train.csv`` (id, url, landmark_id), ``index.csv`` and ``test.csv`` (id, url),
    and the pictures that somebody has got: in a folder of the split's name, else in ``images``,
    else anywhere under the root, as ``ID.jpg`` or ``a/b/c/ID.jpg``, or in ``images_NNN.tar``. Many
    addresses were dead from the beginning, so those that are not there are counted and logged.
    Keys are ``SPLIT/ID``. Nothing is fetched from the addresses.
    """

    card = Card(
        name="gldv1",
        about="2.4 million photographs of landmarks, 1.2 million of them labelled.",
        labels="one of 14,951 landmarks of a training picture; the lists say nothing of index and "
        "test",
        says=("single",),
        retrievals=(Retrieval.INSTANCE, Retrieval.FINE_GRAINED),
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
        sources=tuple(
            Source(saved_as=f"{split}.csv", holds="lists of addresses", splits=(split,))
            for split in ("train", "index", "test")
        ),
        layout="train.csv, index.csv and test.csv in the root; the pictures as ID.jpg or "
        "a/b/c/ID.jpg in train, index and test, in images, or anywhere under the root.",
        verified="miniature",
        proof="Lists and folders in the layout of the challenge, with a part of the pictures.",
        traps=(
            "Pictures that are not there are counted and logged: a number measured on this dataset "
            "says how many there were.",
            "The landmarks are numbered otherwise than in gldv2.",
            "A landmark may be None: such a picture has no label.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures of each split that are there, in the order of their ids.

        Raises:
            FileNotFoundError: a list is missing, or a split has no picture at all; names it.
            ValueError: a list is broken, or a picture is there twice; names it.
        """
        for split in filter(self.wants, self.card.splits):
            path = f"{self.root}/{split}.csv"
            ids, labels = self._listed(split, path)
            known = Ids(ids, path)
            home = self._home(split)
            yield from listed(home, split, known, partial(_said, labels))
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
        found, landmarks = [np.empty(0, np.uint64)], [pa.array([], pa.string())]
        for some, batch in columns_of(path, {"landmark_id": pa.string()}):
            unknown = pc.equal(batch["landmark_id"], UNKNOWN)
            found.append(some)
            landmarks.append(pc.if_else(unknown, "", batch["landmark_id"]))
        return np.concatenate(found), pa.concat_arrays(landmarks)

    def _home(self, split: str) -> str:
        fs, path = fsspec.url_to_fs(self.root)
        for folder in (split, "images"):
            if fs.isdir(f"{path}/{folder}"):
                return f"{self.root}/{folder}"
        return self.root


def _said(labels: pa.Array, rows: Array) -> dict[str, pa.Array]:
    return {"labels": at_most_one(labels.take(pa.array(rows)))}
