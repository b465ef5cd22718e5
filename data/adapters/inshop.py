"""DeepFashion In-shop: garments photographed by a shop, by item."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from data.adapters.base import Columnar
from data.adapters.card import Card, Source
from data.adapters.named import fields_of, lines_of, place_in
from data.adapters.pictures import Pictures
from data.taxonomy import Retrieval

LIST: Final = "list_eval_partition.txt"


class InShop(Columnar):
    """Garments in several poses; a query's relevant pictures are those of its item in the gallery.

    The root holds ``list_eval_partition.txt``, itself or in ``Eval``, and the pictures: the folder
    ``img`` or ``img.zip``, itself or in ``Img``. The list has the number of its rows, a header and
    the columns ``image_name`` (``img/WOMEN/Dresses/id_00000002/02_1_front.jpg``), ``item_id`` and
    ``evaluation_status``, one of train, query and gallery. The key is the name below img, the label
    the item; the order is the list's.
    """

    card = Card(
        name="inshop",
        about="52,712 photographs of 7,982 garments in several poses.",
        labels="the item; the items of query and gallery are unseen in training",
        says=("single",),
        retrievals=(Retrieval.INSTANCE, Retrieval.FINE_GRAINED),
        cite="Liu, Luo, Qiu, Wang, Tang, DeepFashion: Powering Robust Clothes Recognition and "
        "Retrieval with Rich Annotations, CVPR 2016",
        home="https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/InShopRetrieval.html",
        licence="none stated by the authors",
        terms="For non-commercial research only, by agreement.",
        access="by agreement",
        ask="Accept the terms on the dataset's page, get Img/img.zip and "
        "Eval/list_eval_partition.txt of the In-shop Clothes Retrieval Benchmark, and put them "
        "into the root under these names.",
        splits={"train": 25_882, "query": 14_218, "gallery": 12_612},
        sources=(
            Source(saved_as="Img/img.zip", holds="all pictures"),
            Source(saved_as=f"Eval/{LIST}", holds="items and splits"),
        ),
        layout="list_eval_partition.txt, there or in Eval, and the folder img or img.zip, there or "
        "in Img.",
        marks=(LIST,),
        verified="miniature",
        proof="A list and pictures in the documented layout, in a folder and in the zip.",
        traps=(
            "The first line of the list is the number of its rows: a list that was cut is refused.",
            "Columns are parted by as many blanks as it takes to line them up.",
            "CelebA has a list of the same name without items: it is refused.",
        ),
    )

    def listing(self) -> Iterator[pa.RecordBatch]:
        """The pictures in the order of the list.

        Raises:
            FileNotFoundError: the list or the pictures are missing; names them.
            ValueError: the list is cut or broken; names it and the row.
        """
        path = place_in(self.root, "list of In-shop", f"Eval/{LIST}", LIST)
        first, *rest = lines_of(path) or [""]
        if not first.isdecimal() or int(first) != len(rest) - 1:
            raise ValueError(
                f"{path} is cut, or not the list of In-shop: it should begin with the number of "
                f"its rows, has {len(rest) - 1}, and begins {first!r}."
            )
        rows = list(fields_of(path, 3, heads=2))
        for name, _, split in rows:
            if split not in self.card.splits:
                raise ValueError(f"{path}: {name} is of split {split!r}, which there is not.")
        place = place_in(
            self.root, "pictures of In-shop", "Img/img", "img", "Img/img.zip", "img.zip"
        )
        pictures = Pictures.within(place, "img")
        wanted = [row for row in rows if self.wants(row[2])]
        columns = {
            "labels": [[item] for _, item, _ in wanted],
            "split": [split for _, _, split in wanted],
        }
        yield from pictures.batches([name.removeprefix("img/") for name, _, _ in wanted], columns)
