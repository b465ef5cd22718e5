"""A Pixeltable table of images with a computed column of descriptors.

Arguments: STORE ENCODER FOLDER. As its documentation teaches: an `Image` column, which it decodes,
and a batched function on it; the encoder and the resizing are Nightjar's. Its home is the folder
that PIXELTABLE_HOME names.
"""

import json
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pixeltable as pxt
import torch
from pixeltable.func import Batch
from torch.nn import functional

from benchmarks.entrants.limit import BATCH
from data.store import Store
from models.weights import Embedder
from tasks.train import load_encoder

ROOT, ENCODER, FOLDER = sys.argv[1:]
finished: list[tuple[float, int]] = []


@cache
def embedder() -> Embedder:
    """The encoder, loaded once."""
    torch.set_num_threads(1)
    return load_encoder(Store(ROOT), ENCODER)


@pxt.udf(batch_size=BATCH)
def describe(images: Batch[pxt.Image]) -> Batch[pxt.Array[(128,), pxt.Float]]:
    """The descriptors of decoded IMAGES."""
    side = embedder().spec.transform.size
    pixels = torch.stack([_square(image, side) for image in images])
    rows = embedder().describe(embedder().features(pixels))
    finished.append((time.monotonic(), len(rows)))
    return list(rows)


def _square(image: Any, side: int) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None]
    return functional.interpolate(pixels, (side, side), mode="bilinear", antialias=True)[0]


def main() -> None:
    """Print when how many pictures were done."""
    table = pxt.create_table("pictures", {"image": pxt.Image})
    table.add_computed_column(vector=describe(table.image))
    paths = sorted(str(path) for path in Path(FOLDER).rglob("*.jpg"))
    table.insert([{"image": path} for path in paths], on_error="ignore")
    print(json.dumps({"completions": sorted(finished)}))


if __name__ == "__main__":
    main()
