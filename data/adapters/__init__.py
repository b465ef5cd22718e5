"""The sources of pictures: one file and one line of the table each."""

from collections.abc import Mapping
from typing import Any, Final

from data.adapters.base import Dataset
from data.adapters.cars196 import Cars196
from data.adapters.cifar10 import Cifar10
from data.adapters.clickture import Clickture
from data.adapters.coco import Coco
from data.adapters.cub200 import Cub200
from data.adapters.flickr8k import Flickr8k
from data.adapters.folder import Folder
from data.adapters.gldv1 import Gldv1
from data.adapters.gldv2 import Gldv2
from data.adapters.grocery import Grocery
from data.adapters.hf import Hf
from data.adapters.ilsvrc2012 import Ilsvrc2012
from data.adapters.inshop import InShop
from data.adapters.listed import Listed
from data.adapters.mirflickr1m import Mirflickr1m
from data.adapters.mirflickr25k import Mirflickr25k
from data.adapters.mnist import Mnist
from data.adapters.nuswide import Nuswide
from data.adapters.pix2pix import Pix2Pix
from data.adapters.qmul_chairs import QmulChairs
from data.adapters.regions import Objects, Regions
from data.adapters.roxford5k import Roxford5k
from data.adapters.rparis6k import Rparis6k
from data.adapters.sketchy import Sketchy
from data.adapters.sop import Sop
from data.adapters.sun397 import Sun397
from data.adapters.svhn import Svhn
from data.adapters.svhn_full import SvhnFull
from data.adapters.tars import Tars
from data.adapters.tuberlin import TuBerlin
from data.adapters.ukbench import UkBench
from data.adapters.utzap50k import UtZap50k
from data.adapters.yahoo1m import Yahoo1M
from data.taxonomy import choose

DATASETS: Final[Mapping[str, type[Dataset]]] = {
    "cars196": Cars196,
    "cifar10": Cifar10,
    "clickture": Clickture,
    "coco": Coco,
    "cub200": Cub200,
    "flickr8k": Flickr8k,
    "folder": Folder,
    "gldv1": Gldv1,
    "gldv2": Gldv2,
    "grocery": Grocery,
    "hf": Hf,
    "ilsvrc2012": Ilsvrc2012,
    "inshop": InShop,
    "list": Listed,
    "mirflickr1m": Mirflickr1m,
    "mirflickr25k": Mirflickr25k,
    "mnist": Mnist,
    "nuswide": Nuswide,
    "pix2pix": Pix2Pix,
    "qmul-chairs": QmulChairs,
    "roxford5k": Roxford5k,
    "rparis6k": Rparis6k,
    "sketchy": Sketchy,
    "sop": Sop,
    "sun397": Sun397,
    "svhn": Svhn,
    "svhn-full": SvhnFull,
    "tars": Tars,
    "tuberlin": TuBerlin,
    "ukbench": UkBench,
    "utzap50k": UtZap50k,
    "yahoo1m": Yahoo1M,
}


def open_dataset(
    name: str, root: str, options: Mapping[str, Any], objects: Objects | None = None
) -> Dataset:
    """The source that NAME, ROOT and OPTIONS stand for; nothing is read before it is asked.

    With OBJECTS its items are parts of the pictures, and not the pictures.

    Raises:
        ValueError: an unknown dataset, option or split, or boxes of what has none; names the
            choices.
    """
    whole = choose(DATASETS, name, "dataset")(root, **options)
    return Regions(whole, objects) if objects else whole
