"""A whole night over datasets of products, pairs, captions and saved files, in official layouts."""

import io
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.data import miniatures_sketches, miniatures_texts, miniatures_unseen
from tests.flows.album import TRAIN, Album, balanced


def shade(seed: int) -> bytes:
    """A noisy picture of one of eight colours, which the thousands of SEED say at sight."""
    chance = np.random.default_rng(seed)
    colour = np.array([seed // 1000 >> bit & 1 for bit in range(3)]) * 220
    pixels = chance.integers(0, 20, (40, 48, 3)) + colour
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


class Night(NamedTuple):
    """A dataset of so many pictures, of which those of SPLIT ask; none: all of them.

    LEAST is the mAP that colours alone must give: 0.6, and where pictures are grey, 0.4, for lots
    give 0.24.
    """

    make: Callable[..., dict[str, Any]]
    each: int
    pictures: int
    split: str | None = None
    labelled: bool = True
    least: float = 0.6


LAYOUTS: dict[str, Night] = {
    "cars196": Night(miniatures_unseen.cars196, 5, 40),
    "cub200": Night(miniatures_unseen.cub200, 5, 40),
    "flickr8k": Night(miniatures_texts.flickr8k, 3, 36, labelled=False),
    "grocery": Night(miniatures_texts.grocery, 3, 40, "test"),
    "hf": Night(miniatures_texts.hf, 5, 40, "test"),
    "inshop": Night(miniatures_unseen.inshop, 4, 48, "query"),
    "pix2pix": Night(miniatures_sketches.pix2pix, 4, 16, "sketch-val"),
    "qmul-chairs": Night(miniatures_sketches.qmul_chairs, 4, 16, "sketch-test", least=0.4),
    "sketchy": Night(miniatures_sketches.sketchy, 4, 48, "sketch-test"),
    "sop": Night(miniatures_unseen.sop, 5, 40),
    "tuberlin": Night(miniatures_sketches.tuberlin, 8, 32),
    "ukbench": Night(miniatures_texts.ukbench, 4, 16),
}


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_dataset_in_its_official_layout_ends_in_a_published_index(bare: Album, name: str) -> None:
    night = LAYOUTS[name]
    night.make(bare.folder / "official", shade, night.each)
    bare.fields |= {
        "source": {"dataset": name, "root": "official"},
        "train": TRAIN | ({} if night.labelled else {"supervision": "self_supervised"}),
        "evaluate": {"split": night.split, "queries": 12, "k": 10},
    }
    ledger = bare.night()
    assert balanced(ledger) == (night.pictures, 0, 0, 0)
    assert ledger.headline.startswith("map@" if night.labelled else "mrr@")
    if night.labelled:
        assert ledger.metrics[ledger.headline] > night.least, (
            "colours tell the classes apart at sight"
        )
    assert ledger.production == f"{ledger.table}@{ledger.index_version}"
    rows = bare.rows()
    assert len(rows) == night.pictures
    assert all(bool(labels) == night.labelled for _, labels, _ in rows.values())
    assert bare.verified().ok
    assert bare.night().embedded == 0
