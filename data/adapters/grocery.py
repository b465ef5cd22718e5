"""Grocery Store: what a customer sees on the shelf, and the shop's own picture of each product."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

import pyarrow as pa
from pydantic import Field

from data.adapters.archives import content_of
from data.adapters.base import Columnar, Options
from data.adapters.card import Card, Source
from data.adapters.named import ARCHIVES, lines_of, place_in, within
from data.adapters.pictures import Pictures
from data.taxonomy import Retrieval

CLASSES: Final = "classes.csv"
ICONIC: Final = "iconic"
MASTER: Final = "GroceryStoreDataset-master"
PLACES: Final = (
    f"dataset/{CLASSES}",
    CLASSES,
    f"{MASTER}/dataset/{CLASSES}",
    f"{MASTER}.zip",
)
_NUMBER, _NAME, _COARSE = "Class ID (int)", "Class Name (str)", "Coarse Class Name (str)"
_PICTURE, _TEXT = "Iconic Image Path (str)", "Product Description Path (str)"


class GroceryOptions(Options):
    """What a label is."""

    labels: Literal["fine", "coarse"] = Field(
        "fine", description="fine: one of 81 products; coarse: one of 43 kinds, such as Apple"
    )


class Product(NamedTuple):
    """A row of classes.csv."""

    name: str
    coarse: str
    picture: str
    text: str


class Grocery(Columnar):
    """A photograph taken in a shop asks, and the product's own picture answers.

    The root is the folder ``dataset`` of the repository, or holds it, the repository or its zip:
    ``train.txt``, ``val.txt`` and ``test.txt`` have a line ``PATH, FINE, COARSE`` a photograph;
    ``classes.csv`` names the classes, and for each product one picture and one description. Those
    pictures are the split ``iconic``, with their description as caption. Keys are the paths below
    dataset.
    """

    card = Card(
        name="grocery",
        about="5,421 photographs of groceries on shop shelves, and a clean picture with a "
        "description of each of 81 products.",
        labels="exactly one of 81 products, or of 43 kinds by the option labels",
        says=("single", "captions"),
        retrievals=(Retrieval.INSTANCE, Retrieval.FINE_GRAINED, Retrieval.CROSS_MODAL),
        cite="Klasson, Zhang, Kjellstrom, A Hierarchical Grocery Store Image Dataset with Visual "
        "and Semantic Labels, WACV 2019",
        home="https://github.com/marcusklasson/GroceryStoreDataset",
        licence="MIT",
        access="open",
        splits={"train": 2_640, "val": 296, "test": 2_485, ICONIC: 81},
        sources=(
            Source(
                url="https://github.com/marcusklasson/GroceryStoreDataset/archive/refs/heads/"
                "master.zip",
                saved_as=f"{MASTER}.zip",
                holds="pictures, lists and descriptions",
            ),
        ),
        layout="The repository, its zip or its folder dataset.",
        marks=("GroceryStoreDataset*", "iconic-images-and-descriptions"),
        verified="part of the real files",
        proof="The real files of val and iconic: 296 photographs, 81 pictures with their "
        "descriptions, in the folder and in a zip.",
        traps=(
            "Paths in classes.csv begin with a slash and mean the folder dataset all the same.",
            "val.txt lists 296 photographs where the page speaks of 292, and classes.csv 43 kinds "
            "where it speaks of 42.",
            "A class's number is not its row: it is looked up.",
        ),
    )
    takes = GroceryOptions
    options: GroceryOptions

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The photographs of each split in the order of its list, the products' pictures last.

        Raises:
            FileNotFoundError: classes.csv, a list or a description is missing; names it.
            ValueError: a list is broken or names a class that there is not; names it.
        """
        place = place_in(self.root, "Grocery Store dataset", *PLACES).removesuffix(f"/{CLASSES}")
        folder = f"{MASTER}/dataset/" if place.endswith(ARCHIVES) else ""
        products = _products(within(place, folder + CLASSES))
        pictures = Pictures.within(place, folder.rstrip("/"))
        for split in filter(self.wants, self.card.splits):
            columns: dict[str, list[Any]]
            if split == ICONIC:
                names = [one.picture for one in products.values()]
                shown = list(products.values())
                columns = {
                    "captions": [_text(within(place, folder + one.text)) for one in shown],
                }
            else:
                names, shown = _listed(within(place, f"{folder}{split}.txt"), products)
                columns = {}
            fine = self.options.labels == "fine"
            columns["labels"] = [[one.name if fine else one.coarse] for one in shown]
            columns["split"] = [split] * len(names)
            yield from pictures.batches(names, columns)


def _products(path: str) -> dict[str, Product]:
    """The products by their numbers, as they are written."""
    text = content_of(path).decode("utf-8-sig")
    found = {}
    for row in csv.DictReader(io.StringIO(text)):
        try:
            found[row[_NUMBER].strip()] = Product(
                row[_NAME].strip(),
                row[_COARSE].strip(),
                row[_PICTURE].strip().lstrip("/"),
                row[_TEXT].strip().lstrip("/"),
            )
        except (KeyError, AttributeError) as error:
            raise ValueError(f"{path}: a row lacks a column: {error}.") from error
    return found


def _listed(path: str, products: Mapping[str, Product]) -> tuple[list[str], list[Product]]:
    """The photographs that the list at PATH names, and what each shows."""
    names, shown = [], []
    for line in lines_of(path):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 3 or fields[1] not in products:
            raise ValueError(f"{path}: {line!r} is no path with two classes that there are.")
        names.append(fields[0])
        shown.append(products[fields[1]])
    return names, shown


def _text(path: str) -> list[str]:
    """The description at PATH as one sentence or several, in one piece."""
    return [" ".join(lines_of(path))]
