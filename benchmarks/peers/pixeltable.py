"""A Pixeltable table of images with a computed column of descriptors.

Arguments: FOLDER. As its documentation teaches: an `Image` column, which it decodes,
and a batched function on it; the encoder and the resizing are Nightjar's. Its home is the folder
that PIXELTABLE_HOME names, store and encoder are those of NIGHTJAR_STORE and BENCHMARK_ENCODER.
"""

import json
import os
import sys
from pathlib import Path

import pixeltable as pxt

from benchmarks.peers.pixeltable_functions import describe, finished


def main(folder: str) -> None:
    """Print when how many pictures were done."""
    out = os.dup(1)
    os.dup2(2, 1)  # Pixeltable tells people of its progress there
    table = pxt.create_table("pictures", {"image": pxt.Image})
    table.add_computed_column(vector=describe(table.image))
    paths = sorted(str(path) for path in Path(folder).rglob("*.jpg"))
    table.insert([{"image": path} for path in paths], on_error="ignore")
    os.write(out, json.dumps({"completions": sorted(finished)}).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
