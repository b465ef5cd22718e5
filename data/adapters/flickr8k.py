"""Flickr8k in its official layout: photographs of people and dogs, five sentences each."""

import logging
from collections.abc import Iterator
from typing import Final

import fsspec
import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.columns import listing_batch
from data.adapters.listed_splits import ListedSplits
from data.adapters.named import lines_of
from data.adapters.pictures import Pictures, picture_runs
from data.adapters.unpacked import Unpacked
from data.taxonomy import Retrieval

MIRROR: Final = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k"

FOLDERS: Final = ("Flicker8k_Dataset", "Flickr8k_Dataset", "Images")
"""Where the pictures may lie; the first, with its slip of the pen, is the official one."""

LISTS: Final = {
    "train": "Flickr_8k.trainImages.txt",
    "dev": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}

log = logging.getLogger(__name__)


class Flickr8k(Columnar):
    """Photographs that five people each described; relevant to a picture are its own sentences.

    The root holds ``Flicker8k_Dataset/<id>_<code>.jpg`` or ``Flickr8k_Dataset.zip``, which is read
    in place, and ``Flickr8k.token.txt`` with ``Flickr_8k.{train,dev,test}Images.txt``, in
    ``Flickr8k_text``, in the root or in ``Flickr8k_text.zip``. A key is the name of the file. The
    91 pictures that no list names have the split ``rest``.
    """

    card = Card(
        name="flickr8k",
        about="8,091 photographs of people and dogs in action with five sentences each.",
        labels="none; a picture and its own five sentences are relevant to each other",
        says=("captions",),
        retrievals=(Retrieval.CROSS_MODAL,),
        cite="Hodosh, Young, Hockenmaier, Framing Image Description as a Ranking Task: Data, "
        "Models and Evaluation Metrics, JAIR 2013",
        home="http://hockenmaier.cs.illinois.edu/8k-pictures.html",
        licence="none stated; the photographs are their owners'",
        terms="For research and teaching only; the pictures may not be handed on.",
        access="open",
        splits={"train": 6_000, "dev": 1_000, "test": 1_000, "rest": 91},
        sources=(
            Source(
                url=f"{MIRROR}/Flickr8k_Dataset.zip",
                holds="pictures",
                md5="f18a1e2920de5bd84dae7cf08ec78978",
            ),
            Source(
                url=f"{MIRROR}/Flickr8k_text.zip",
                holds="sentences and splits",
                md5="bf6c1abcb8e4a833b7f922104de18627",
            ),
        ),
        layout="The folder Flicker8k_Dataset or Flickr8k_Dataset.zip, and the folder Flickr8k_text "
        "or its zip.",
        marks=("Flickr8k.token.txt", "Flickr8k_Dataset.zip", "Flicker8k_Dataset"),
        verified="part of the real files",
        proof="All 40,460 official sentences and the three official lists; of the pictures only "
        "the names are real. The addresses are a mirror's, not the authors'.",
        traps=(
            "The folder in the zip of pictures is spelled Flicker8k_Dataset.",
            "Sentences name a picture 2258277193_586949ec62.jpg.1 that does not exist: they are "
            "passed over.",
            "91 pictures are in none of the three lists: their split is rest.",
            "The zips were packed on a Mac, with a hidden file ._NAME beside each picture.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures that have sentences, in the order of their names.

        Raises:
            FileNotFoundError: the pictures or a file of text is missing; names it.
            ValueError: a file of text is not in its layout; names it and the line.
        """
        text = Unpacked(self.root, "Flickr8k_text.zip", ("Flickr8k_text/",))
        said = _sentences(text.find("Flickr8k.token.txt"))
        names = pa.array(sorted(said), pa.string())
        columns = self._pictures().columns(names)
        listed = {split: lines_of(text.find(name)) for split, name in LISTS.items()}
        splits = ListedSplits(
            "Flickr8k_text",
            [name for lines in listed.values() for name in lines],
            [split for split, lines in listed.items() for _ in lines],
        )
        columns["key"] = names
        columns["captions"] = pa.array(
            [said[name] for name in names.to_pylist()], pa.list_(pa.string())
        )
        columns["split"] = pc.fill_null(splits.of(names), "rest")
        splits.tell()
        yield self.of_wanted_splits(listing_batch(len(names), columns))

    def _pictures(self) -> Pictures:
        fs, path = fsspec.url_to_fs(self.root)
        there = [folder for folder in FOLDERS if fs.isdir(f"{path}/{folder}")]
        folder = there[0] if there else FOLDERS[0]
        runs = picture_runs(self.root, folder, "Flickr8k_Dataset.zip")
        return Pictures(runs, f"{self.root}/{folder}")


def _sentences(path: str) -> dict[str, list[str]]:
    """The sentences of each picture, in the order of their numbers.

    Raises:
        ValueError: a line is not ``NAME#NUMBER``, a tab and a sentence; names it.
    """
    found: dict[str, dict[int, str]] = {}
    passed = 0
    for number, line in enumerate(lines_of(path), 1):
        head, tab, sentence = line.partition("\t")
        name, sign, place = head.rpartition("#")
        if not tab or not sign or not place.isdecimal():
            raise ValueError(f"{path}: line {number} is not NAME#NUMBER, a tab and a sentence.")
        if not name.endswith(".jpg"):
            passed += 1
            continue
        found.setdefault(name, {})[int(place)] = sentence.strip()
    if passed:
        log.warning("%s: %d sentences of what is no .jpg passed over", path, passed)
    return {name: [said[place] for place in sorted(said)] for name, said in found.items()}
