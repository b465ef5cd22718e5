"""Verified downloads: one file over HTTP, taken up where it broke off, false ones never kept."""

import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar

import httpx

from data.adapters.card import Source
from data.answers import Busy, WrongFile, must_suit, refuse, start_of, version_of
from data.partial import Gained, Part, Stopped, held, mistaken, set_aside

T = TypeVar("T")

HEADERS: Final = {"user-agent": "nightjar", "accept-encoding": "identity"}
TIMEOUT: Final = httpx.Timeout(60.0, connect=20.0)
SAID: Final = 1 << 20
"""Bytes of a publisher's file of digests at most."""


class Patience(NamedTuple):
    """How long a server is borne with.

    Args:
        tries: in a row that bring no byte more.
        first: seconds before the second, doubled each time; up to half of it is taken off by
            chance, so that many who were cut off together do not come back together.
        longest: seconds before a try at most.
        told: seconds that a server may ask for (Retry-After); more is an error.
    """

    tries: int = 6
    first: float = 1.0
    longest: float = 60.0
    told: float = 900.0


class Fetched(NamedTuple):
    """A file that is there: whether it came just now, its length, and what was set aside for it."""

    state: Literal["fetched", "there"]
    bytes: int
    note: str = ""


def new_client() -> httpx.Client:
    """Connections for a `Fetcher`; a proxy is taken from the environment."""
    return httpx.Client(headers=HEADERS, timeout=TIMEOUT, follow_redirects=True)


PATIENT: Final = Patience()


class _Count:
    """Passes on to GAINED how many bytes are through, until STOP is set."""

    def __init__(self, gained: Gained, stop: threading.Event) -> None:
        self.gained, self.stop, self.bytes = gained, stop, 0

    def __call__(self, more: int) -> None:
        self.bytes += more
        self.gained(more)
        if self.stop.is_set():
            raise Stopped("Stopped; what has come stays for the next time.")

    def back_to(self, count: int) -> None:
        """All but COUNT bytes were in vain."""
        if self.bytes > count:
            self(count - self.bytes)


@dataclass(frozen=True)
class Fetcher:
    """Downloads, for any number of threads.

    Args:
        client: its connections.
        patience: with servers that fail.
        stop: ends all downloads at their next piece.
    """

    client: httpx.Client
    patience: Patience = PATIENT
    stop: threading.Event = field(default_factory=threading.Event)

    def fetch(self, source: Source, target: Path, gained: Gained = lambda count: None) -> Fetched:
        """SOURCE as the file TARGET: what is there is checked, what is not is fetched and checked.

        GAINED hears how many bytes more are through, those included that were there; less than
        nothing says that so many were in vain.

        Raises:
            FileNotFoundError: the server has no such file.
            PermissionError: it does not hand it out to everyone.
            WrongFile: another file came; it is kept as ``NAME.bad``.
            Stopped: `stop` was set; what has come stays for the next time.
            OSError: it could not be had for another reason; the same.
        """
        source = self._with_digest(source)
        count = _Count(gained, self.stop)
        if target.exists() and not mistaken(source, target, count):
            return Fetched("there", count.bytes)
        count.back_to(0)
        target.parent.mkdir(parents=True, exist_ok=True)
        with held(target, self.stop) as part:
            note = ""
            if target.exists():  # a false one, or another download has been quicker
                wrong = mistaken(source, target, count)
                if not wrong:
                    return Fetched("there", count.bytes)
                count.back_to(0)
                note = f"What was there is now {set_aside(target, target).name}: {wrong}"
            resumed = part.begin(source, count)
            self._complete(source, part, count)
            wrong = part.mistake(source)
            if wrong and resumed:  # two versions of the file may stand in it, one after the other
                part.restart(count)
                self._complete(source, part, count)
                wrong = part.mistake(source)
            if wrong:
                bad = part.set_aside()
                raise WrongFile(f"{source.url}: {wrong} What came is kept as {bad}.")
            part.become(target)
            return Fetched("fetched", part.size, note)

    def _with_digest(self, source: Source) -> Source:
        """SOURCE with the md5 that its publisher states in a file of its own, if there is one."""
        if source.md5 or not source.md5_url:
            return source
        text = self._patiently(source.md5_url, lambda: self._text(source.md5_url), lambda: 0)
        return source.model_copy(update={"md5": _digest_in(text, source)})

    def _text(self, url: str) -> str:
        with self.client.stream("GET", url) as answer:
            refuse(answer)
            content = b""
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > SAID:
                    raise WrongFile(f"{url} is no file of digests: it has over {SAID:,} bytes.")
            return content.decode("utf-8", "replace")

    def _complete(self, source: Source, part: Part, gained: Gained) -> None:
        """Fetch what PART lacks of SOURCE."""
        self._patiently(source.url, lambda: self._go_on(source, part, gained), lambda: part.size)

    def _go_on(self, source: Source, part: Part, gained: Gained) -> None:
        """Ask once for what PART lacks.

        Raises:
            Busy: it is to be asked for again.
        """
        length = source.bytes or part.version.length
        if part.size and part.size == length:
            return
        with self.client.stream("GET", source.url, headers=_range(part)) as answer:
            if answer.status_code == 416:
                part.restart(gained)
                raise Busy("it has less than what came before")
            refuse(answer)
            version = version_of(source, answer)
            if answer.status_code != 206:
                part.restart(gained)
            elif start_of(answer) != part.size or version.differs(part.version):
                part.restart(gained)
                raise Busy("it has changed since the first part came")
            if not part.size:
                part.of(version)
            must_suit(source, answer, version)
            part.room(version.length)
            for piece in answer.iter_raw():
                part.write(piece)
                gained(len(piece))
        if version.length and part.size < version.length:
            raise Busy(f"it ended after {part.size:,} of {version.length:,} bytes")

    def _patiently(self, url: str, ask: Callable[[], T], size: Callable[[], int]) -> T:
        """What ASK gives, asked again while it fails for a reason that may pass.

        Patience counts tries after which SIZE has not grown.
        """
        vain = 0
        while True:
            before, after = size(), 0.0
            try:
                return ask()
            except Busy as busy:
                trouble, after = str(busy), busy.after
            except httpx.TransportError as error:
                trouble = str(error) or type(error).__name__
            except (httpx.RequestError, httpx.InvalidURL) as error:
                raise OSError(f"{url}: {error}.") from error
            vain = 1 if size() > before else vain + 1
            if vain >= self.patience.tries or after > self.patience.told:
                wait = f"; it asks to come back in {after:,.0f} s" if after else ""
                raise OSError(f"{url}: {trouble}, {vain} times in a row{wait}.")
            pause = min(self.patience.first * 2.0 ** (vain - 1), self.patience.longest)
            if self.stop.wait(max(pause * random.uniform(0.5, 1.0), after)):
                raise Stopped("Stopped; what has come stays for the next time.")


def _range(part: Part) -> dict[str, str]:
    """What asks for the rest of PART, or for the whole where the file has changed."""
    if not part.size:
        return {}
    known = part.version.etag or part.version.modified
    asked = {"range": f"bytes={part.size}-"}
    return asked | ({"if-range": known} if known else {})


def _digest_in(text: str, source: Source) -> str:
    """The md5 of SOURCE in TEXT, its publisher's list: of the line that names it, else the first.

    Raises:
        WrongFile: there is none.
    """
    base = source.name.rpartition("/")[2]
    lines = sorted(text.splitlines(), key=lambda line: base not in line)  # stable: its own first
    for line in lines:
        if found := re.search(r"\b[0-9a-fA-F]{32}\b", line):
            return found[0].lower()
    raise WrongFile(f"{source.md5_url} holds no md5 of {base}.")
