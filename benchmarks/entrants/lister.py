"""A listing from its first to its last row, none of it kept. Arguments: DATASET ROOT OPTIONS."""

import json
import sys
import time

from data.adapters import open_dataset


def main(name: str, root: str, options: str) -> None:
    """Print how long the listing took, and how many rows it has."""
    dataset = open_dataset(name, root, json.loads(options))
    began = time.monotonic()
    rows = sum(batch.num_rows for batch in dataset.listing())
    print(json.dumps({"seconds": time.monotonic() - began, "rows": rows}))


if __name__ == "__main__":
    main(*sys.argv[1:])
