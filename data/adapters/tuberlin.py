"""TU-Berlin: what people drew when they were told a word."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.named import place_in
from data.adapters.pictures import runs_in
from data.adapters.runs import run_batches
from data.taxonomy import Retrieval

ZIP: Final = "sketches_png.zip"
ALL: Final = "all"


class TuBerlin(Columnar):
    """Sketches of 250 classes, 80 each; relevant are those of the same class.

    The root is, or holds, the folder ``png`` or ``sketches_png.zip``, which is read in place:
    ``png/airplane/1.png``, white with black strokes, 1111x1111. The key is the path below png, the
    label its folder; the order is that of the keys.
    """

    card = Card(
        name="tuberlin",
        about="20,000 sketches of 250 everyday classes, drawn by people who were told the word.",
        labels="exactly one of 250 classes, 80 sketches each",
        says=("single",),
        retrievals=(Retrieval.SKETCH_BASED, Retrieval.SEMANTIC),
        cite="Eitz, Hays, Alexa, How Do Humans Sketch Objects?, SIGGRAPH 2012",
        home="https://cybertron.cg.tu-berlin.de/eitz/projects/classifysketch/",
        licence="CC BY 4.0",
        access="open",
        splits={ALL: 20_000},
        sources=(
            Source(
                url=f"https://cybertron.cg.tu-berlin.de/eitz/projects/classifysketch/{ZIP}",
                holds="all sketches",
            ),
        ),
        layout="sketches_png.zip as it was downloaded, or the folder png that is in it.",
        marks=(ZIP, "filelist.txt"),
        verified="miniature",
        proof="Sketches in the documented layout, in a folder and in the zip.",
        traps=(
            "Classes have blanks and brackets in their names: car (sedan).",
            "Numbers run through all classes and are no number within the class.",
            "There are no photographs in it: those of sketch-based papers are another collection.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The sketches in the order of their keys.

        Raises:
            FileNotFoundError: neither folder nor zip is there.
            ValueError: a sketch lies in no class, or the zip is damaged; names it.
        """
        root = self.root.removesuffix(f"/{ZIP}").removesuffix("/png")
        place = place_in(root, "TU-Berlin", "png", ZIP)
        folder = "png" if place.endswith(ZIP) else ""
        for run in runs_in(place, folder, frozenset({"png"})):
            for key in run.keys:
                if key.count("/") != 1:
                    raise ValueError(f"{place} holds {key!r}, which is in no class.")
            yield from run_batches(run, ALL, [key.partition("/")[0] for key in run.keys])
