"""Stanford Online Products: photographs of products from an auction house, by product."""

from collections.abc import Iterator, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.columns import at_most_one
from data.adapters.named import ARCHIVES, place_in, within
from data.adapters.pictures import Pictures
from data.adapters.rows import Dialect, row_batches
from data.taxonomy import Retrieval

FOLDER: Final = "Stanford_Online_Products"
LISTS: Final[Mapping[str, str]] = {"train": "Ebay_train.txt", "test": "Ebay_test.txt"}
KINDS: Final[Mapping[str, pa.DataType]] = {"class_id": pa.int64(), "path": pa.string()}


class Sop(Columnar):
    """Products photographed by their sellers; relevant are the pictures of the same product.

    The root is the folder ``Stanford_Online_Products``, or holds it or its ``.zip``, which is read
    in place. ``Ebay_train.txt`` and ``Ebay_test.txt`` have a header and the columns ``image_id``,
    ``class_id`` (the product, 1 to 22,634), ``super_class_id`` and ``path``,
    ``bicycle_final/111085122871_0.JPG``, which is the key. The label is the product's number.
    """

    card = Card(
        name="sop",
        about="120,053 photographs of 22,634 products of twelve kinds, by their sellers.",
        labels="the number of the product; only pictures of the same product are relevant",
        says=("single",),
        retrievals=(Retrieval.INSTANCE, Retrieval.FINE_GRAINED),
        cite="Oh Song, Xiang, Jegelka, Savarese, Deep Metric Learning via Lifted Structured "
        "Feature Embedding, CVPR 2016",
        home="https://cvgl.stanford.edu/projects/lifted_struct/",
        licence="that of the file LICENSE in the archive; the photographs are their sellers'",
        access="open",
        splits={"train": 59_551, "test": 60_502},
        sources=(
            Source(
                url="http://ftp.cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip",
                holds="pictures and lists",
                md5="7f73d41a2f44250d4779881525aea32e",
            ),
        ),
        layout="Stanford_Online_Products.zip as it was downloaded, or the folder that is in it.",
        marks=("Stanford_Online_Products*", "Ebay_train.txt"),
        verified="miniature",
        proof="Lists and pictures in the documented layout, in a folder and in the zip.",
        traps=(
            "A label is a product (class_id), not one of the twelve kinds (super_class_id).",
            "Ebay_info.txt lists both splits once more and is not asked.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures of each split in the order of its list.

        Raises:
            FileNotFoundError: the folder or a list is missing; names it.
            ValueError: a list is broken; names it and the row.
        """
        root = self.root.removesuffix(f"/{FOLDER}.zip")
        place = place_in(root, "Stanford Online Products", FOLDER, f"{FOLDER}.zip", LISTS["train"])
        place = place.removesuffix(f"/{LISTS['train']}")
        folder = f"{FOLDER}/" if place.endswith(ARCHIVES) else ""
        pictures = Pictures.within(place, FOLDER)
        for split in filter(self.wants, LISTS):
            for rows in row_batches(within(place, folder + LISTS[split]), KINDS, Dialect(" ")):
                columns = {
                    "labels": at_most_one(pc.cast(rows["class_id"], pa.string())),
                    "split": pa.repeat(split, rows.num_rows),
                }
                yield from pictures.batches(rows["path"].to_pylist(), columns)
