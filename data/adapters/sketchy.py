"""Sketchy: photographs of objects, and what people drew of each from memory."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import pyarrow as pa
from pydantic import Field

from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.files import Run
from data.adapters.named import lines_of, place_in
from data.adapters.pictures import runs_in
from data.adapters.runs import rows_of, run_batches
from data.taxonomy import Retrieval

KINDS: Final[Mapping[str, str]] = {"photo": "jpg", "sketch": "png"}
PLACES: Final = ("256x256", "rendered_256x256/256x256", "")
TEST: Final = "testset.txt"


class SketchyOptions(Options):
    """Which of the official renderings is taken, and which sketches are left out."""

    rendering: str = Field(
        "tx_000000000000",
        pattern=r"^tx_[0-9]{12}$",
        description="the folder below photo and sketch: tx_000000000000 as it was drawn, "
        "tx_000100000000 centred and scaled to the box of the object",
    )
    without: tuple[Literal["error", "ambiguous", "pose", "context"], ...] = Field(
        (), description="sketches that the authors' invalid-*.txt of these names call unfit"
    )


class Sketchy(Columnar):
    """Sketches ask and photographs answer: those of the same class, or the one that was drawn.

    The root is, or holds, the folder ``256x256`` or ``rendered_256x256/256x256``, in it
    ``photo/tx_000000000000/airplane/n02691156_10151.jpg`` and
    ``sketch/tx_000000000000/airplane/n02691156_10151-3.png``, the third sketch of that photograph:
    so a pair is known by its keys. ``testset.txt`` in ``info`` (there, beside it or above) lists
    the photographs that test, ``airplane/n02691156_10151.jpg``; a sketch goes with its photograph.
    The key is kind, class and name, the label the class. Photographs come first, each kind in the
    order of its keys.
    """

    card = Card(
        name="sketchy",
        about="12,500 photographs of 125 classes, and 75,471 sketches of them.",
        labels="exactly one of 125 classes; the sketches of a photograph bear its name",
        says=("single",),
        retrievals=(Retrieval.SKETCH_BASED, Retrieval.FINE_GRAINED),
        cite="Sangkloy, Burnell, Ham, Hays, The Sketchy Database: Learning to Retrieve Badly "
        "Drawn Bunnies, SIGGRAPH 2016",
        home="https://sketchy.eye.gatech.edu/",
        licence="none stated by the authors; the photographs are those of ImageNet",
        terms="For research only.",
        access="by agreement",
        ask="Get the rendered 256x256 set and the info archive by the links on the dataset's page "
        "(a cloud drive), unpack both into one folder: 256x256 and info.",
        splits={"photo-train": 11_250, "photo-test": 1_250, "sketch-train": 0, "sketch-test": 0},
        sources=(
            Source(saved_as="rendered_256x256.7z", holds="photographs and sketches"),
            Source(saved_as="info-06-04.7z", holds="split and what is unfit"),
        ),
        layout="The folder 256x256 with photo and sketch, and info with testset.txt beside it.",
        marks=("256x256", "rendered_256x256"),
        verified="miniature",
        proof="Folders of photographs and sketches with the lists in the documented layout.",
        traps=(
            "Test holds photographs back, and all their sketches with them.",
            "Sketches that the authors call unfit are in the folders; without leaves them out.",
            "A rendering is one of several of the same pictures: one is taken, not all.",
        ),
    )
    takes = SketchyOptions
    options: SketchyOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """Photographs, then sketches.

        Raises:
            FileNotFoundError: a folder or list is missing; names it.
            ValueError: a picture lies in no class, or a sketch names no photograph; or a
                photograph that tests is not there.
        """
        home = place_in(self.root, "Sketchy", *(f"{one}/photo".lstrip("/") for one in PLACES))
        home = home.removesuffix("/photo")
        info = _info(self.root, home)
        test = {line.removesuffix(".jpg") for line in lines_of(f"{info}/{TEST}")}
        unfit = {
            line.rpartition("/")[2].removesuffix(".png")
            for word in self.options.without
            for line in lines_of(f"{info}/invalid-{word}.txt")
        }
        for kind, suffix in KINDS.items():
            if not any(self.wants(f"{kind}-{half}") for half in ("train", "test")):
                continue
            missing = set(test) if kind == "photo" else set()
            folder = f"{kind}/{self.options.rendering}"
            for run in runs_in(home, folder, frozenset({suffix})):
                fit = _without(run, unfit) if kind == "sketch" else run
                photos = [_photo(f"{home}/{folder}", key, kind) for key in fit.keys]
                missing.difference_update(photos)
                labels = [photo.partition("/")[0] for photo in photos]
                splits = [f"{kind}-{'test' if photo in test else 'train'}" for photo in photos]
                for batch in run_batches(fit, splits, labels, before=f"{kind}/"):
                    yield self.of_wanted_splits(batch)
            if missing:
                raise ValueError(
                    f"{home}/{folder} lacks {len(missing)} photographs of {TEST}, first "
                    f"{min(missing)}."
                )


def _info(root: str, home: str) -> str:
    """The folder of the authors' lists."""
    folders = dict.fromkeys([home, home.rpartition("/")[0], root])
    for folder in folders:
        try:
            return place_in(
                folder, "lists", f"info/{TEST}", f"info-06-04/info/{TEST}"
            ).removesuffix(f"/{TEST}")
        except FileNotFoundError:
            continue
    raise FileNotFoundError(
        f"No info/{TEST} in {' or '.join(folders)}: it says which photographs test."
    )


def _photo(folder: str, key: str, kind: str) -> str:
    """Class and name of the photograph that the picture KEY is, or was drawn after."""
    stem = key.rpartition(".")[0]
    photo, dash, number = stem.rpartition("-")
    if key.count("/") != 1 or (kind == "sketch" and not (dash and number.isdecimal())):
        raise ValueError(f"{folder} holds {key!r}, which is no {kind} of a class.")
    return photo if kind == "sketch" else stem


def _without(run: Run, unfit: set[str]) -> Run:
    """RUN without the sketches whose names are UNFIT."""
    kept = Run(run.folder)
    for row in rows_of(run):
        if row[0].rpartition("/")[2].removesuffix(".png") not in unfit:
            kept.add(*row)
    return kept
