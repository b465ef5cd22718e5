"""The sources of pictures: one file and one line of the table each."""

from collections.abc import Mapping
from typing import Any, Final

from data.adapters.base import Dataset
from data.adapters.cars196 import Cars196
from data.adapters.cifar10 import Cifar10
from data.adapters.cub200 import Cub200
from data.adapters.flickr8k import Flickr8k
from data.adapters.folder import Folder
from data.adapters.grocery import Grocery
from data.adapters.hf import Hf
from data.adapters.inshop import InShop
from data.adapters.listed import Listed
from data.adapters.mnist import Mnist
from data.adapters.pix2pix import Pix2Pix
from data.adapters.qmul_chairs import QmulChairs
from data.adapters.sketchy import Sketchy
from data.adapters.sop import Sop
from data.adapters.svhn import Svhn
from data.adapters.tars import Tars
from data.adapters.tuberlin import TuBerlin
from data.adapters.ukbench import UkBench
from data.taxonomy import choose

DATASETS: Final[Mapping[str, type[Dataset]]] = {
    "cars196": Cars196,
    "cifar10": Cifar10,
    "cub200": Cub200,
    "flickr8k": Flickr8k,
    "folder": Folder,
    "grocery": Grocery,
    "hf": Hf,
    "inshop": InShop,
    "list": Listed,
    "mnist": Mnist,
    "pix2pix": Pix2Pix,
    "qmul-chairs": QmulChairs,
    "sketchy": Sketchy,
    "sop": Sop,
    "svhn": Svhn,
    "tars": Tars,
    "tuberlin": TuBerlin,
    "ukbench": UkBench,
}


def open_dataset(name: str, root: str, options: Mapping[str, Any]) -> Dataset:
    """The source that NAME, ROOT and OPTIONS stand for; nothing is read before it is asked.

    Raises:
        ValueError: an unknown dataset, option or split; names the choices.
    """
    return choose(DATASETS, name, "dataset")(root, **options)
