"""Get the files of a dataset: those that are open, checked; and whom to ask for the others."""

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from data.adapters.card import Card, Source
from data.fetch import Fetcher, new_client
from data.partial import mistaken
from data.taxonomy import unknown

State = Literal["there", "fetched", "to fetch", "to ask for", "failed"]

Progress = Callable[[int, int, int, int], None]
"""Hears files and bytes that are through, each followed by how many there are; 0: not known."""

JOBS: Final = 4
"""Files at a time: enough to fill a line, few enough for a university's server."""


@dataclass(frozen=True)
class File:
    """What became of one file: its path below the folder, its length, and why it is not there."""

    name: str
    state: State
    bytes: int
    url: str = ""
    note: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a download.

    Args:
        dataset: its name.
        folder: where its files are; a recipe's root.
        files: in the order of the card.
        ask: what is to be asked of whom; empty where nothing is.
    """

    dataset: str
    folder: str
    files: tuple[File, ...]
    ask: str = ""

    @property
    def complete(self) -> bool:
        """Whether all is there that the adapter reads."""
        return not self.ask and all(file.state in ("there", "fetched") for file in self.files)


def chosen(card: Card, splits: Iterable[str] = (), form: str = "") -> tuple[Source, ...]:
    """The files of CARD that SPLITS need (none named: all) in FORM (empty: the card's first).

    Raises:
        ValueError: the dataset has no such split or form; names the choices.
    """
    wanted = set(splits)
    for split in wanted:
        if split not in card.splits:
            raise ValueError(unknown(f"split of {card.name}", split, card.splits))
    if form and form not in card.forms:
        raise ValueError(unknown(f"form of {card.name}", form, card.forms))
    forms = {"", form or next(iter(card.forms), "")}
    return tuple(
        source
        for source in card.sources
        if source.form in forms and (not wanted or not source.splits or wanted & set(source.splits))
    )


def plan(card: Card, sources: Sequence[Source], folder: Path) -> Outcome:
    """What a download of SOURCES to FOLDER would do; looks at names and lengths, reads nothing."""
    return _outcome(card, folder, [_looked_at(source, folder) for source in sources])


def download(
    card: Card,
    sources: Sequence[Source],
    folder: Path,
    jobs: int = JOBS,
    progress: Progress = lambda *_: None,
    fetcher: Fetcher | None = None,
) -> Outcome:
    """Get SOURCES of CARD into FOLDER, JOBS at a time; a file that fails does not keep the others.

    What is there is checked by its digest and not fetched again. An interrupted download goes on
    from where it was.
    """
    if fetcher is None:
        with new_client() as client:
            return download(card, sources, folder, jobs, progress, Fetcher(client))
    tally = _Tally(sources, progress)
    with ThreadPoolExecutor(jobs) as pool:
        files = [pool.submit(_file, source, folder, fetcher, tally) for source in sources]
        try:
            return _outcome(card, folder, [file.result() for file in files])
        except BaseException:  # this thread was interrupted: end the others at their next piece
            fetcher.stop.set()
            pool.shutdown(cancel_futures=True)
            raise


class _Tally:
    """Counts what all threads together have got."""

    def __init__(self, sources: Sequence[Source], progress: Progress) -> None:
        self.files, self.of_files = 0, len(sources)
        whole = all(source.bytes for source in sources)
        self.bytes, self.of_bytes = 0, sum(source.bytes for source in sources) if whole else 0
        self.progress, self.lock = progress, threading.Lock()

    def add(self, count: int, files: int = 0) -> None:
        """Take note of COUNT bytes and FILES whole files more."""
        with self.lock:
            self.bytes += count
            self.files += files
            self.progress(self.files, self.of_files, self.bytes, self.of_bytes)


def _file(source: Source, folder: Path, fetcher: Fetcher, tally: _Tally) -> File:
    """Get SOURCE, or say why it is not there."""
    target = folder / source.name
    try:
        if not source.url:
            return _asked(source, target, tally)
        fetched = fetcher.fetch(source, target, tally.add)
    except OSError as error:
        return File(source.name, "failed", source.bytes, source.url, str(error))
    finally:
        tally.add(0, files=1)
    return File(source.name, fetched.state, fetched.bytes, source.url, fetched.note)


def _asked(source: Source, target: Path, tally: _Tally) -> File:
    """SOURCE, which only a person can get: whether it has been put in its place, and is right."""
    if not target.exists():
        return File(source.name, "to ask for", source.bytes)
    wrong = mistaken(source, target, tally.add)
    return File(source.name, "failed" if wrong else "there", target.stat().st_size, "", wrong)


def _looked_at(source: Source, folder: Path) -> File:
    target = folder / source.name
    size = target.stat().st_size if target.exists() else -1
    if size == (source.bytes or size) and size >= 0:
        return File(source.name, "there", size, source.url)
    state: State = "to fetch" if source.url else "to ask for"
    return File(source.name, state, source.bytes, source.url)


def _outcome(card: Card, folder: Path, files: Sequence[File]) -> Outcome:
    """The outcome, with what to ask for while something of a dataset that is not open is missing.

    Where the card names no file to ask for, nobody can tell whether all is there.
    """
    to_ask = [file for file in files if not file.url]
    satisfied = to_ask and all(file.state == "there" for file in to_ask)
    return Outcome(card.name, str(folder), tuple(files), "" if satisfied else card.ask)
