"""Google Landmarks v2 in its official layout: tars or unpacked folders, and the lists of it."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.columns import at_most_one, lists
from data.adapters.gldv2_attribution import attribution_batches
from data.adapters.landmarks import Array, Growing, Ids, columns_of, ids_of, listed, numbers
from data.adapters.rows import row_batches
from data.taxonomy import Retrieval

HOME: Final = "https://s3.amazonaws.com/google-landmark"
TARS: Final[Mapping[str, int]] = {"train": 500, "index": 100, "test": 20}
LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "train": (
        "metadata/train.csv", "metadata/train_clean.csv", "metadata/train_attribution.csv",
        "metadata/train_label_to_category.csv", "metadata/train_label_to_hierarchical.csv",
    ),
    "index": (
        "metadata/index.csv", "metadata/index_image_to_landmark.csv",
        "metadata/index_label_to_category.csv", "metadata/index_label_to_hierarchical.csv",
    ),
    "test": (
        "metadata/test.csv", "ground_truth/recognition_solution_v2.1.csv",
        "ground_truth/retrieval_solution_v2.1.csv",
    ),
}  # fmt: skip
"""The lists of each split, as they lie at the publisher's."""

KINDS: Final = ("hierarchical_label", "supercategory", "natural_or_human_made")

log = logging.getLogger(__name__)

Say = Callable[[Array], Mapping[str, pa.Array]]
"""The columns of a listing that say something, of the rows of a list."""


class Gldv2Options(Options):
    """Which training pictures count, and what becomes of those that are not there."""

    train: Literal["all", "clean"] = Field(
        "all", description="clean: of the training pictures those of train_clean.csv alone"
    )
    hierarchy: bool = Field(
        False, description="tags from SPLIT_label_to_hierarchical.csv: what kind of place it is"
    )
    missing: Literal["refuse", "pass"] = Field(
        "refuse", description="pass: a listed picture that is in no folder or tar is only counted"
    )


class Gldv2(Columnar):
    """Photographs of 200,000 landmarks; relevant is the same landmark, as the truth lists it.

    The root holds the lists (or its folders ``train``, ``index``, ``test``, ``metadata`` or
    ``ground_truth`` do), and the folders ``train``, ``index`` and ``test`` the pictures: either the
    official ``images_NNN.tar``, which are read in place, or ``a/b/c/ID.jpg``, where a, b and c are
    the first digits of the id. Where there are tars, unpacked pictures beside them are not looked
    at. Pictures come as they lie: in the order of the tars, or of the ids. Keys are ``SPLIT/ID``.

    Landmarks are numbered anew in the index, so a label is ``train/140690`` or ``index/140690``. A
    test picture has the labels ``train/…`` of the recognition truth, and as tags what the truth
    says of it: ``answer/KEY`` for each picture of the index that answers it, ``retrieval/USAGE``
    and ``recognition/USAGE`` (Public, Private or Ignored). An ignored one has no answers.
    """

    card = Card(
        name="gldv2",
        about="5 million photographs of 200,000 landmarks, from Wikimedia Commons.",
        labels="one landmark of a training or index picture, numbered apart; some or none of a "
        "test picture; the truth lists which index pictures answer a test picture; "
        "SPLIT_label_to_hierarchical.csv is a tree above them, for a protocol's parents",
        says=("multi", "answers"),
        retrievals=(Retrieval.INSTANCE, Retrieval.FINE_GRAINED),
        cite="Weyand, Araujo, Cao, Sim, Google Landmarks Dataset v2: A Large-Scale Benchmark for "
        "Instance-Level Recognition and Retrieval, CVPR 2020",
        home="https://github.com/cvdfoundation/google-landmark",
        licence="lists CC BY 4.0; training pictures CC BY without ND, index and test CC0 or public "
        "domain",
        terms="Whoever shows a training picture names its author: train_attribution.csv says who "
        "that is, with licence and title; nightjar table gldv2 attribution prints it for a list of "
        "keys.",
        access="open",
        splits={"train": 4_132_914, "index": 761_757, "test": 117_577},
        sources=(
            *(
                Source(
                    url=f"{HOME}/{path}",
                    saved_as=path.rpartition("/")[2],
                    holds="lists and truth",
                    splits=(split,),
                )
                for split, paths in LISTS.items()
                for path in paths
            ),
            *(
                Source(
                    url=f"{HOME}/{split}/images_{number:03d}.tar",
                    saved_as=f"{split}/images_{number:03d}.tar",
                    holds=f"pictures of {split}",
                    splits=(split,),
                    md5_url=f"{HOME}/md5sum/{split}/md5.images_{number:03d}.txt",
                )
                for split, count in TARS.items()
                for number in range(count)
            ),
        ),
        layout="The lists in the root; the folders train, index and test with images_NNN.tar as "
        "they come, or with the pictures unpacked as a/b/c/ID.jpg.",
        marks=("index_image_to_landmark.csv", "retrieval_solution_v2*.csv", "train_clean.csv"),
        verified="part of the real files",
        proof="24 real rows of train.csv, with drawn pictures in both layouts; the other lists in "
        "the layout that the publisher describes.",
        traps=(
            "The same number is another landmark in train and in the index: labels say which.",
            "The truth was changed after the challenge: only that of version 2.1 is read.",
            "Test pictures that the truth ignores say None instead of answers.",
            "Tars often arrive damaged: each is checked by the md5 beside it, and a cut one is an "
            "error that names it.",
            "train.csv has many wrong labels; option train: clean takes the cleaned third.",
        ),
    )
    takes = Gldv2Options
    options: Gldv2Options

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures of each split as they lie; of the lists, what is said of them.

        Raises:
            FileNotFoundError: a list or a folder is missing, or pictures are; names it.
            DamagedTar: a tar is cut or damaged; names it.
            ValueError: a list is broken, or a picture is there twice; names it.
        """
        for split in filter(self.wants, TARS):
            ids, said = {"train": self._train, "index": self._index, "test": self._test}[split]()
            yield from listed(f"{self.root}/{split}", split, ids, said)
            missing, first = ids.missing()
            if not missing:
                continue
            what = f"{missing} of the {len(ids)} pictures in {ids.path} are not there"
            if self.options.missing == "refuse":
                raise FileNotFoundError(
                    f"{what}, such as {split}/{first}: get the rest of the tars, or set missing: "
                    "pass to do without them."
                )
            log.warning("%s: first %s/%s", what, split, first)

    def tables(self) -> Mapping[str, Callable[[], Iterator[pa.RecordBatch]]]:
        """The author, licence and title of each training picture."""
        return {"attribution": lambda: attribution_batches(self._list("train_attribution.csv"))}

    def _train(self) -> tuple[Ids, Say]:
        if self.options.train == "all":
            path = self._list("train.csv")
            return self._labelled("train", path, *_pairs(path))
        path = self._list("train_clean.csv")
        return self._labelled("train", path, *_clean(path))

    def _index(self) -> tuple[Ids, Say]:
        path = self._list("index_image_to_landmark.csv")
        labelled, landmarks = _pairs(path)
        known = Ids(labelled, path)
        path = self._list("index.csv")
        ids = ids_of(path)
        return self._labelled("index", path, ids, np.append(landmarks, -1)[known.rows(ids)])

    def _labelled(self, space: str, path: str, ids: Array, landmarks: Array) -> tuple[Ids, Say]:
        """The IDS of the list PATH, and what is said of them: a landmark of SPACE, or -1."""
        tells = self.options.hierarchy
        kinds = _Kinds(self._list(f"{space}_label_to_hierarchical.csv") if tells else "")

        def said(rows: Array) -> dict[str, pa.Array]:
            found = landmarks[rows]
            names = pc.binary_join_element_wise(space, pa.array(found).cast(pa.string()), "/")
            columns = {"labels": at_most_one(pc.if_else(pa.array(found >= 0), names, ""))}
            return columns | ({"tags": kinds.of(found)} if tells else {})

        return Ids(ids, path), said

    def _test(self) -> tuple[Ids, Say]:
        path = self._list("test.csv")
        ids = ids_of(path)
        recognition = self._solution("recognition", "landmarks", ids, "train")
        retrieval = self._solution("retrieval", "images", ids, "answer/index")

        def said(rows: Array) -> dict[str, pa.Array]:
            labels, recognised = (column.take(pa.array(rows)) for column in recognition)
            answers, retrieved = (column.take(pa.array(rows)) for column in retrieval)
            tags = pc.binary_join_element_wise(retrieved, recognised, answers, " ")
            return {"labels": _words(labels), "tags": _words(tags)}

        return Ids(ids, path), said

    def _solution(
        self, task: str, column: str, ids: Array, space: str
    ) -> tuple[pa.Array, pa.Array]:
        """Of each of IDS the words in COLUMN of TASK's truth, SPACE before each, and its usage."""
        path = self._list(f"{task}_solution_v2.1.csv")
        kinds = {"id": pa.string(), column: pa.string(), "Usage": pa.string()}
        table = pa.Table.from_batches(row_batches(path, kinds), pa.schema(list(kinds.items())))
        known = Ids(numbers(table["id"].combine_chunks(), path), path)
        rows = known.rows(ids)
        table = table.take(pa.array(rows, mask=rows < 0))
        words = pc.fill_null(table[column], "")
        words = pc.if_else(pc.equal(words, "None"), "", words)
        words = pc.replace_substring_regex(words, r"(\S+)", rf"{space}/\1")
        usage = pc.fill_null(table["Usage"], "")
        usage = pc.if_else(pc.equal(usage, ""), "", pc.binary_join_element_wise(task, usage, "/"))
        return words.combine_chunks(), usage.combine_chunks()

    def _list(self, name: str) -> str:
        """Where the list NAME lies.

        Raises:
            FileNotFoundError: nowhere; names the places.
        """
        fs, path = fsspec.url_to_fs(self.root)
        folders = ("", *(f"{folder}/" for folder in (*TARS, "metadata", "ground_truth")))
        for folder in folders:
            if fs.exists(f"{path}/{folder}{name}"):
                return f"{self.root}/{folder}{name}"
        raise FileNotFoundError(f"No {name} in {self.root}, nor in its {', '.join(folders[1:])}.")


class _Kinds:
    """What kind of place each landmark of the list at PATH is; empty: nothing is known."""

    def __init__(self, path: str) -> None:
        names = {"landmark_id": pa.int64(), **dict.fromkeys(KINDS, pa.string())}
        empty = pa.schema(list(names.items())).empty_table()
        tables = (
            [pa.Table.from_batches([batch]) for batch in row_batches(path, names)] if path else []
        )
        self.table = pa.concat_tables([empty, *tables]).sort_by("landmark_id").combine_chunks()
        self.landmarks = self.table["landmark_id"].to_numpy()

    def of(self, landmarks: Array) -> pa.ListArray:
        """The kinds of each of LANDMARKS (N,), a list of words each."""
        places = np.searchsorted(self.landmarks, landmarks)
        there = np.isin(landmarks, self.landmarks)
        rows = self.table.take(pa.array(np.where(there, places, 0), mask=~there))
        words = pa.concat_arrays([rows[name].combine_chunks() for name in KINDS])
        order = np.arange(len(KINDS) * len(landmarks)).reshape(len(KINDS), -1).T.ravel()
        return lists(pc.fill_null(words, "").take(order), np.full(len(landmarks), len(KINDS)))


def _words(texts: pa.Array) -> pa.ListArray:
    """TEXTS cut at their blanks."""
    parts = pc.split_pattern(texts, " ")
    return lists(parts.flatten(), parts.value_lengths().to_numpy().astype(np.int64))


def _pairs(path: str) -> tuple[Array, Array]:
    """The ids in the list at PATH, (N,) uint64, and their landmarks, (N,) int32."""
    ids, landmarks = Growing(np.uint64), Growing(np.int32)
    for found, batch in columns_of(path, {"landmark_id": pa.int32()}):
        ids.add(found)
        landmarks.add(batch["landmark_id"].to_numpy())
    return ids.whole(), landmarks.whole()


def _clean(path: str) -> tuple[Array, Array]:
    """The same of a list that names the pictures of each landmark, parted by blanks."""
    ids, landmarks = Growing(np.uint64), Growing(np.int32)
    for batch in row_batches(path, {"landmark_id": pa.int32(), "images": pa.string()}):
        parts = pc.split_pattern(batch["images"], " ")
        ids.add(numbers(parts.flatten(), path))
        lengths = parts.value_lengths().to_numpy()
        landmarks.add(np.repeat(batch["landmark_id"].to_numpy(), lengths))
    return ids.whole(), landmarks.whole()
