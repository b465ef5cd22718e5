"""CUB-200-2011: birds of 200 species, of which the second hundred are unseen in training."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.named import ARCHIVES, fields_of, place_in, within
from data.adapters.packed import read_packed
from data.adapters.pictures import Pictures
from data.taxonomy import Retrieval

FOLDER: Final = "CUB_200_2011"
SEEN: Final = 100
"""Species 1 to 100 teach, the others test."""


class Cub200(Columnar):
    """Photographs of birds; relevant are those of the same species, which training has not seen.

    The root is the folder ``CUB_200_2011``, or holds it or the archive that it comes in, packed or
    not (``.tgz``, ``.tar``), which is read in place. ``images.txt`` gives each picture a number and
    a path below ``images``, ``image_class_labels.txt`` its species, ``bounding_boxes.txt`` its box:
    left, top, width, height. The key is the path, the label its folder,
    ``001.Black_footed_Albatross``. Pictures come in the order of their numbers, those of a packed
    archive as they lie in it.
    """

    card = Card(
        name="cub200",
        about="11,788 photographs of birds of 200 species, each with a box around the bird.",
        labels="exactly one of 200 species; the same species is relevant",
        says=("single", "boxes"),
        retrievals=(Retrieval.FINE_GRAINED, Retrieval.OBJECT),
        cite="Wah, Branson, Welinder, Perona, Belongie, The Caltech-UCSD Birds-200-2011 Dataset, "
        "CNS-TR-2011-001, 2011",
        home="https://www.vision.caltech.edu/datasets/cub_200_2011/",
        licence="none stated by the authors",
        terms="For non-commercial research and education; the photographs are their authors'.",
        access="open",
        splits={"train": 5_864, "test": 5_924},
        sources=(
            Source(
                url="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
                holds="pictures and lists",
                bytes=1_150_585_339,
                md5="97eceeb196236b17998738112f37df78",
            ),
        ),
        layout="CUB_200_2011.tgz as it was downloaded, the .tar that gunzip makes of it, or the "
        "folder CUB_200_2011 that is in it.",
        marks=("CUB_200_2011*", "image_class_labels.txt"),
        verified="miniature",
        proof="Lists, boxes and pictures in the documented layout, as a folder, a tar and a packed "
        "tar.",
        traps=(
            "Retrieval splits by species: 1 to 100 teach, 101 to 200 test; the lists' own "
            "train_test_split.txt has all species on both sides and is not asked.",
            "Three lists lie in the packed archive too: each costs a pass as far as it.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures of each split in the order of their numbers.

        Raises:
            FileNotFoundError: the folder or one of its lists is missing; names it.
            ValueError: a list is broken, or leaves out a picture; names it.
        """
        place = _found(self.root)
        folder = f"{FOLDER}/" if place.endswith(ARCHIVES) else ""
        names, classes, corners = (
            within(place, folder + name)
            for name in ("images.txt", "image_class_labels.txt", "bounding_boxes.txt")
        )
        paths, species = dict(fields_of(names, 2)), dict(fields_of(classes, 2))
        boxes = {number: _box(corners, rest) for number, rest in fields_of(corners, 2)}
        for number in paths:
            if not species.get(number, "").isdecimal() or number not in boxes:
                raise ValueError(f"{place}: the lists give picture {number} no species or no box.")
        pictures = Pictures.within(place, FOLDER)
        for split in filter(self.wants, self.card.splits):
            of_split = [
                number for number in paths if (int(species[number]) <= SEEN) == (split == "train")
            ]
            labels = [paths[number].rpartition("/")[0] for number in of_split]
            columns: dict[str, list[Any]] = {
                "key": [paths[number] for number in of_split],
                "labels": [[label] for label in labels],
                "boxes": [
                    [{"label": label, "crowd": False} | boxes[number]]
                    for number, label in zip(of_split, labels, strict=True)
                ],
                "split": [split] * len(of_split),
            }
            yield from pictures.batches([f"images/{paths[one]}" for one in of_split], columns)

    def read(self, uris: Sequence[str]) -> Iterator[bytes | OSError]:
        """The pictures of URIS; those of the packed archive in one pass, in their order."""
        return read_packed(uris)


def _found(root: str) -> str:
    """The folder or archive of the lists."""
    if root.endswith(ARCHIVES):
        return place_in(root, "CUB-200-2011", "")
    names = (FOLDER, f"{FOLDER}.tar", f"{FOLDER}.tgz", "images.txt")
    place = place_in(root, "CUB-200-2011", *names)
    return place.removesuffix("/images.txt")


def _box(path: str, text: str) -> dict[str, float]:
    try:
        left, top, width, height = map(float, text.split())
    except ValueError as error:
        raise ValueError(f"{path}: {text!r} should be four numbers.") from error
    return {"x": left, "y": top, "width": width, "height": height}
