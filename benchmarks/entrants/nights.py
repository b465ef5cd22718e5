"""Nightjar's nights, one after the other in one process: all, nothing, and a change of 1 %.

Arguments: RECIPE STORE FOLDER COUNT ROUNDS. FOLDER holds pictures 0 to COUNT - 1 and is changed.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.pictures import delta
from data.store import Store
from flows.recipe import Recipe
from flows.reindex import reindex
from tasks.cluster import shutdown


def night(recipe: Recipe, store: Store) -> dict[str, Any]:
    """Seconds of one night, by stage and in all, and how many images it embedded."""
    began = time.monotonic()
    ledger = reindex(recipe, store=store)
    seconds = time.monotonic() - began
    return {
        "seconds": seconds,
        "stages": ledger.seconds,
        "embedded": ledger.embedded,
        "promoted": ledger.promoted,
    }


def main(word: str, root: str, folder: str, count: str, rounds: str) -> None:
    """Print what the first night, the quiet ones and those after a change took."""
    recipe, store = Recipe.named(word), Store(root)
    told: dict[str, Any] = {"full": night(recipe, store), "none": [], "delta": []}
    shutdown()
    night(recipe, store)  # what is imported and compiled by the first quiet night
    for turn in range(int(rounds)):
        told["none"].append(night(recipe, store))
        delta(Path(folder), int(count), turn)
        told["delta"].append(night(recipe, store))
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
