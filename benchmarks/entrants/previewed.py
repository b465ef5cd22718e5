"""What the next night would do, by `flows.preview`. Arguments: RECIPE STORE."""

import json
import sys
import time

from data.store import Store
from flows.preview import preview
from flows.recipe import Recipe


def main(word: str, root: str) -> None:
    """Print how long the answer took, and the answer's counts."""
    recipe, store = Recipe.named(word), Store(root)
    began = time.monotonic()
    found = preview(recipe, store)
    seconds = time.monotonic() - began
    counts = {name: found[name] for name in ("listed", "unchanged", "changed", "embeds")}
    print(json.dumps({"seconds": seconds, **counts}))


if __name__ == "__main__":
    main(*sys.argv[1:])
