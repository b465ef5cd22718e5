"""UKBench: four photographs each of 2,550 things."""

import re
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.named import place_in
from data.adapters.pictures import runs_in
from data.adapters.runs import run_batches
from data.taxonomy import Retrieval

ALL: Final = "all"
EACH: Final = 4
"""Photographs of a thing, one after the other."""
FIRST: Final = "ukbench00000.jpg"
"""By it a folder is known that holds the pictures themselves."""

_NAME: Final = re.compile(r"ukbench(\d{5})\.jpg")


class UkBench(Columnar):
    """Things photographed from four sides; each picture asks for the four of its thing.

    The root holds the pictures, as the folder ``full`` does, or is or holds that folder or
    ``ukbench.zip``, which is read in place: ``full/ukbench00000.jpg`` to ``ukbench10199.jpg``,
    640x480. Pictures 0 to 3 show one thing, 4 to 7 the next: the label is the number divided by
    four. The key is the name.
    """

    card = Card(
        name="ukbench",
        about="10,200 photographs of 2,550 things, four each.",
        labels="the thing; its four pictures are relevant, the query among them",
        says=("single",),
        retrievals=(Retrieval.INSTANCE, Retrieval.OBJECT),
        cite="Nister and Stewenius, Scalable Recognition with a Vocabulary Tree, CVPR 2006",
        home="https://archive.org/details/ukbench",
        licence="none stated by the authors",
        terms="For research only.",
        access="open",
        splits={ALL: 10_200},
        sources=(
            Source(
                url="https://archive.org/download/ukbench/ukbench.zip",
                holds="all pictures",
            ),
        ),
        layout="ukbench.zip as it was downloaded, or the pictures of the folder full in it.",
        marks=("ukbench.zip", FIRST),
        verified="part of the real files",
        proof="The first 56 real photographs, of 14 things, in the folder and in a zip.",
        traps=(
            "The thing is not written anywhere: it is the number in the name divided by four.",
            "The zip holds thumbnails of the same names too; those of full are the pictures.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The photographs in the order of their numbers.

        Raises:
            FileNotFoundError: neither folder, zip nor the first picture is there.
            ValueError: a picture has another name, or the zip is damaged; names it.
        """
        root = self.root.removesuffix("/ukbench.zip").removesuffix("/full")
        place = place_in(root, "UKBench", "full", "ukbench.zip", FIRST).removesuffix(f"/{FIRST}")
        for run in runs_in(place, "full" if place.endswith(".zip") else "", frozenset({"jpg"})):
            things = []
            for key in run.keys:
                found = _NAME.fullmatch(key)
                if not found:
                    raise ValueError(
                        f"{place} holds {key!r}: pictures are called ukbench00000.jpg."
                    )
                things.append(str(int(found[1]) // EACH))
            yield from run_batches(run, ALL, things)
