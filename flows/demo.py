"""The whole life on generated pictures: index, search, a night of changes, two new encoders."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from data.aliases import Alias
from data.places import a_night_of_changes, photograph, place_name, write_places
from data.store import Store
from flows.gather import write_report
from flows.night import Progress, quiet
from flows.preview import preview
from flows.recipe import Recipe
from flows.reindex import reindex
from tasks.balance import Ledger
from tasks.promote import rollback
from tasks.searching.search import Searcher
from tasks.searching.versions import resolve

PLACES: Final = 40
VIEWS: Final = 16
ASKED: Final = 4
"""Views of each place that are not learned from, and ask for the others."""
FIRST_ASKED: Final = 500
QUERY_PLACE, QUERY_VIEW = 3, 900
"""The photograph that is searched for: one that no folder holds."""
SEED: Final = 0
MARK: Final = ".nightjar-demo"

TRAIN: Final = {
    "supervision": "supervised",
    "network": "convolutional",
    "width": 16,
    "size": 64,
    "epochs": 8,
    "batch": 64,
}
"""Day one: a small encoder, trained briefly."""
UNTRAINED: Final = {**TRAIN, "epochs": 0}
BETTER: Final = {**TRAIN, "width": 32, "epochs": 14, "flip": False}

Say = Callable[[str], None]


def demo(folder: Path, *, progress: Progress = quiet, say: Say) -> dict[str, Any]:
    """Live through it in FOLDER, telling each step to SAY; the ledgers and places of what it left.

    What an earlier demo left in FOLDER is replaced.

    Args:
        folder: gets ``pictures/``, ``query.jpg``, ``store/``, ``places.yaml`` and ``report.html``.
        progress: who watches.
        say: told a line at a time.

    Raises:
        FileExistsError: FOLDER holds something that no demo left there.
    """
    _clear(folder)
    store = Store(str(folder / "store"))
    count = PLACES * (VIEWS + ASKED)
    say(f"Drawing {count} photographs of {PLACES} places into {folder / 'pictures'}")
    learned = folder / "pictures" / "train"
    _draw(learned, VIEWS, 0, progress)
    _draw(folder / "pictures" / "test", ASKED, FIRST_ASKED, progress)
    query = folder / "query.jpg"
    query.write_bytes(photograph(SEED, QUERY_PLACE, QUERY_VIEW))

    say("\nDay one: shard, train an encoder, embed, index, measure, publish")
    first = _night(folder, store, TRAIN, progress, say)
    _search(store, query, say)

    done = a_night_of_changes(learned, PLACES, VIEWS, SEED)
    say(f"\nThe day after: {done}")
    planned = preview(_recipe(folder, TRAIN), store)
    say(f"nightjar plan: {planned['embeds']} of {planned['listed']} pictures must be embedded")
    second = _night(folder, store, TRAIN, progress, say)
    for item in second.ledger.missing[:3]:
        say(f"  {item.key} is {item.state}: {item.reason}")

    say("\nSomebody brings an encoder that was never trained")
    held = _night(folder, store, UNTRAINED, progress, say)

    say("\nSomebody brings a wider one, trained for longer")
    better = _night(folder, store, BETTER, progress, say)
    _search(store, query, say)

    back = rollback(store, "places")
    say(f"\nnightjar rollback: search uses {back} again, with its own encoder, at once")
    forth = Alias(store, "places").history()[-2]
    Alias(store, "places").move(forth.model_copy(update={"why": "by hand"}), after=back)
    say(f"nightjar promote: and {forth} again")

    page = folder / "report.html"
    name = write_report(store, _recipe(folder, BETTER), better)
    page.write_bytes(store.read(name))
    say(f"\nThe report of the last night, with pictures: {page}")
    say("\nNow your own pictures:")
    for line in (
        "nightjar init ~/Pictures --name mine    # writes mine.yaml: read it",
        "nightjar plan mine.yaml                 # what the first run will do",
        "nightjar reindex mine.yaml              # do it; again tomorrow, for what changed",
        "nightjar search ONE.jpg --recipe mine.yaml",
    ):
        say(f"  {line}")
    return {
        "folder": str(folder),
        "report": str(page),
        "nights": [night.model_dump(mode="json") for night in (first, second, held, better)],
    }


def _clear(folder: Path) -> None:
    """Make FOLDER an empty one of the demo's."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise FileExistsError(
                f"{folder} is not empty, and no demo made it: name another folder, as in "
                f"nightjar demo {folder}-2."
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


def _draw(root: Path, views: int, first: int, progress: Progress) -> list[str]:
    return write_places(
        root,
        PLACES,
        views,
        SEED,
        first=first,
        progress=lambda done, total: progress("draw", done, total, root.name),
    )


def _recipe(folder: Path, train: dict[str, Any]) -> Recipe:
    """The recipe of the demo with TRAIN as its encoder, as it stands in ``places.yaml``."""
    path = folder / "places.yaml"
    source = {"dataset": "folder", "root": "pictures"}
    fields = {"name": "places", "source": source, "train": train, "evaluate": {"split": "test"}}
    path.write_text(yaml.safe_dump(fields, sort_keys=False))
    return Recipe.named(str(path))


def _night(
    folder: Path, store: Store, train: dict[str, Any], progress: Progress, say: Say
) -> Ledger:
    """One run of the recipe with the encoder of TRAIN, told in a few lines."""
    ledger = reindex(_recipe(folder, train), store=store, progress=progress)
    say(f"  {ledger.ledger.sentence}; {ledger.embedded} embedded")
    ours = ledger.metrics[ledger.headline]
    theirs = (ledger.production_metrics or {}).get(ledger.headline)
    beside = "" if theirs is None else f", production {theirs:.3f}"
    took = sum(ledger.seconds.values())
    say(f"  {ledger.protocol} {ledger.headline} {ours:.3f}{beside}, in {took:.1f} s")
    if ledger.held_by:
        say(f"  held by the gate {', '.join(ledger.held_by)}: production stays {ledger.before}")
    else:
        say(f"  published: search uses {ledger.production}")
    return ledger


def _search(store: Store, query: Path, say: Say) -> None:
    """Ask production for the nearest to the picture QUERY."""
    found = Searcher(store, *resolve(store, "places")).search(query.read_bytes(), 5).to_pylist()
    place = place_name(SEED, QUERY_PLACE)
    say(f"nightjar search {query} -k 5    # a new photograph of {place}")
    for row in found:
        right = "right" if place in row["labels"] else "-----"
        say(f"  {row['rank']}  {row['distance']:.3f}  {right}  {row['key']}")
