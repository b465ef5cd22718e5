"""Official layouts in a remote store: the same pictures under the same keys as on a disk."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pytest

from data.adapters import open_dataset
from data.adapters.base import Dataset
from tests.data import miniatures_ilsvrc2012 as imagenet
from tests.data import miniatures_sun397 as sun
from tests.data import miniatures_utzap50k as zappos
from tests.data import miniatures_yahoo1m as yahoo
from tests.data.miniatures_clickture import clickture
from tests.data.miniatures_coco import coco
from tests.data.miniatures_flickr8k import flickr8k
from tests.data.miniatures_landmarks import gldv1, gldv2
from tests.data.miniatures_mirflickr import mirflickr1m, mirflickr25k
from tests.data.miniatures_nuswide import nuswide
from tests.data.miniatures_revisited import roxford5k, rparis6k

Draw = Callable[..., bytes]


def sun_folder(root: Path, draw: Draw) -> None:
    sun.write_folder(root, sun.sun_files(draw))


def zappos_folder(root: Path, draw: Draw) -> None:
    zappos.utzap50k(root, draw)
    zappos.write_pictures(root, draw, "images-square", packed=False)


def yahoo_tables(root: Path, draw: Draw) -> None:
    yahoo.write_tables(root, draw)


LAYOUTS: dict[str, tuple[str, Callable[[Path, Draw], Any], dict[str, Any]]] = {
    "clicks": ("clickture", clickture, {}),
    "instances and captions": ("coco", coco, {}),
    "annotations in zips": ("coco", partial(coco, year=2014, zipped=True), {}),
    "sentences": ("flickr8k", flickr8k, {}),
    "sentences in zips": ("flickr8k", partial(flickr8k, zipped=True), {}),
    "landmarks v1": ("gldv1", gldv1, {}),
    "landmarks v2": ("gldv2", gldv2, {}),
    "a million in a hundred folders": ("mirflickr1m", mirflickr1m, {}),
    "a million in ten zips": ("mirflickr1m", partial(mirflickr1m, zipped=True), {}),
    "lists of labels": ("mirflickr25k", mirflickr25k, {}),
    "lists of labels in zips": ("mirflickr25k", partial(mirflickr25k, zipped=True), {}),
    "text files": ("nuswide", nuswide, {}),
    "text files in zips": ("nuswide", partial(nuswide, zipped=True), {}),
    "tars in a tar": ("ilsvrc2012", imagenet.ilsvrc2012, {}),
    "kaggle": ("ilsvrc2012", imagenet.kaggle, {}),
    "pickled truth": ("roxford5k", roxford5k, {}),
    "two packed tars": ("rparis6k", rparis6k, {}),
    "packed tar": ("sun397", sun.sun397, {"lists": "01"}),
    "folders of letters": ("sun397", sun_folder, {}),
    "zips": ("utzap50k", zappos.utzap50k, {}),
    "folders of brands": ("utzap50k", zappos_folder, {"pictures": "images-square"}),
    "lists": ("yahoo1m", yahoo.yahoo1m, {}),
    "tables": ("yahoo1m", yahoo_tables, {"classes": 0}),
    "folders of classes": ("yahoo1m", yahoo.write_folders, {"classes": 4}),
}


def told(dataset: Dataset) -> list[tuple[Any, ...]]:
    return [
        (one.key, one.labels, one.tags, one.captions, one.boxes, one.split, one.size)
        for one in dataset.samples()
    ]


def contents(dataset: Dataset) -> list[bytes | OSError]:
    return list(dataset.read([one.uri for one in dataset.samples()]))


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_a_layout_reads_from_a_store_as_from_a_disk(
    tmp_path: Path, draw: Draw, layout: str
) -> None:
    name, make, options = LAYOUTS[layout]
    make(tmp_path / "home", draw)
    here = open_dataset(name, str(tmp_path / "home"), options)
    place = f"memory://{tmp_path.name}/home"
    fsspec.filesystem("memory").put(here.root, f"/{tmp_path.name}/home", recursive=True)
    there = open_dataset(name, place, options)
    assert told(there) == told(here)
    assert contents(there) == contents(here)
    assert all(isinstance(content, bytes) for content in contents(there))
    assert all(one.uri.startswith(place) for one in there.samples())
