"""Flickr8k: photographs with five sentences each, in the splits of its authors."""

from collections.abc import Iterator, Mapping
from typing import Final

import pyarrow as pa

from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.named import ARCHIVES, Pictures, lines_of, place_in, within
from data.taxonomy import Retrieval

TOKENS: Final = "Flickr8k.token.txt"
LISTS: Final[Mapping[str, str]] = {
    "train": "Flickr_8k.trainImages.txt",
    "dev": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
FOLDER: Final = "Flicker8k_Dataset"
"""As the archive of the pictures spells it."""

MIRROR: Final = "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k"


class Flickr8k(Columnar):
    """Photographs of people and animals, five sentences each; a sentence's answer is its picture.

    The root holds the pictures, ``Flicker8k_Dataset`` (sic; ``Flickr8k_Dataset``
    and ``Images`` will do) or ``Flickr8k_Dataset.zip``, and the texts, ``Flickr8k_text.zip``, the
    folder ``Flickr8k_text`` or its files. ``Flickr8k.token.txt`` has a line ``NAME#NUMBER``, tab,
    sentence; the three lists name the pictures of a split, and their order is the listing's. The
    key is the picture's name.
    """

    card = Card(
        name="flickr8k",
        about="8,000 photographs with five sentences each.",
        labels="none; a sentence belongs to one picture",
        says=("captions",),
        retrievals=(Retrieval.CROSS_MODAL,),
        cite="Hodosh, Young, Hockenmaier, Framing Image Description as a Ranking Task: Data, "
        "Models and Evaluation Metrics, JAIR 2013",
        home="https://hockenmaier.cs.illinois.edu/8k-pictures.html",
        licence="none stated; the photographs are those of their Flickr authors",
        terms="For research and education only, not to be handed on.",
        access="open",
        splits={"train": 6_000, "dev": 1_000, "test": 1_000},
        sources=(
            Source(
                url=f"{MIRROR}/Flickr8k_text.zip",
                holds="sentences and splits",
                md5="bf6c1abcb8e4a833b7f922104de18627",
            ),
            Source(
                url=f"{MIRROR}/Flickr8k_Dataset.zip",
                holds="all pictures",
                md5="f18a1e2920de5bd84dae7cf08ec78978",
            ),
        ),
        layout="The two zips as they were downloaded, or what is in them: the folder "
        "Flicker8k_Dataset, and the texts in Flickr8k_text or in the root.",
        marks=("Flickr8k*", "Flicker8k_Dataset"),
        verified="part of the real files",
        proof="The official lists and all 40,460 sentences: 8,000 pictures, five sentences each. "
        "The photographs are a miniature's.",
        traps=(
            "The authors hand the files out no longer: the address is a mirror.",
            "The folder of the pictures is spelt Flicker8k.",
            "Sentences are there for 92 pictures that are in no split; they are left out.",
            "One name with sentences, 2258277193_586949ec62.jpg.1, is no picture.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures of each split in the order of its list.

        Raises:
            FileNotFoundError: pictures, sentences or a list are missing; names them.
            ValueError: a line of the sentences has none, or a picture of a list has none.
        """
        texts = place_in(self.root, "texts of Flickr8k", "Flickr8k_text", "Flickr8k_text.zip", "")
        place = place_in(
            self.root,
            "pictures of Flickr8k",
            FOLDER,
            "Flickr8k_Dataset",
            "Images",
            "Flickr8k_Dataset.zip",
        )
        said = _sentences(within(texts, TOKENS))
        pictures = Pictures(place, f"{FOLDER}/" if place.endswith(ARCHIVES) else "")
        for split in filter(self.wants, LISTS):
            names = lines_of(within(texts, LISTS[split]))
            for name in names:
                if name not in said:
                    raise ValueError(f"{within(texts, TOKENS)} has no sentence for {name}.")
            columns = {
                "captions": [said[name] for name in names],
                "split": [split] * len(names),
            }
            yield from pictures.batches(names, columns)


def _sentences(path: str) -> dict[str, list[str]]:
    """The sentences of each picture, in the order of their numbers."""
    found: dict[str, list[tuple[int, str]]] = {}
    for line in lines_of(path):
        name, _, rest = line.partition("#")
        number, tab, sentence = rest.partition("\t")
        if not tab or not number.isdecimal():
            raise ValueError(f"{path}: {line!r} should be NAME#NUMBER, a tab and a sentence.")
        found.setdefault(name, []).append((int(number), sentence.strip()))
    return {name: [sentence for _, sentence in sorted(told)] for name, told in found.items()}
