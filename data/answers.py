"""What a server's answer means for a download: the file, a part of it, later, never, or another."""

import email.utils
import re
import time
from typing import Final

import httpx

from data.adapters.card import Source
from data.partial import Version

AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
GONE: Final = frozenset({404, 410})
CLOSED: Final = frozenset({401, 402, 403, 407, 451})


class WrongFile(OSError):
    """A file that is not the one its card describes; says what was found and what became of it."""


class Busy(Exception):
    """A server that asks to come again, after so many seconds."""

    def __init__(self, said: str, after: float = 0.0) -> None:
        super().__init__(said)
        self.after = after


def refuse(answer: httpx.Response) -> None:
    """Nothing, where ANSWER brings a file.

    Raises:
        Busy: the server will perhaps later.
        FileNotFoundError: there is none.
        PermissionError: not for everyone.
        OSError: for another reason.
    """
    code, url = answer.status_code, answer.url
    if code in (200, 206):
        return
    said = f"{code} {answer.reason_phrase}".strip()
    if code in AGAIN:
        raise Busy(f"the server answers {said}", _seconds(answer.headers.get("retry-after", "")))
    if code in GONE:
        raise FileNotFoundError(
            f"{url} is not there ({said}): its publisher has moved or withdrawn it. A copy from "
            "elsewhere can be put in its place; its digest will tell whether it is the same."
        )
    if code in CLOSED:
        raise PermissionError(
            f"{url} is not handed out to everyone ({said}): get it as its publisher says, and put "
            "it in its place."
        )
    raise OSError(f"{url}: the server answers {said}.")


def _seconds(after: str) -> float:
    """What Retry-After asks for: seconds, or a date; 0 where it is neither."""
    if after.strip().isdecimal():
        return float(after)
    try:
        moment = email.utils.parsedate_to_datetime(after)
    except ValueError:
        return 0.0
    return max(0.0, moment.timestamp() - time.time())


def version_of(source: Source, answer: httpx.Response) -> Version:
    """Which content ANSWER is of, or is a part of."""
    headers = answer.headers
    etag = headers.get("etag", "")
    total = headers.get("content-range", "").rpartition("/")[2]
    length = total if answer.status_code == 206 else headers.get("content-length", "")
    return Version(
        url=source.url,
        etag="" if etag.startswith("W/") else etag,
        modified=headers.get("last-modified", ""),
        length=int(length) if length.isdecimal() else 0,
    )


def start_of(answer: httpx.Response) -> int:
    """The offset of the first byte of a part; -1 where it does not say."""
    found = re.match(r"bytes (\d+)-", answer.headers.get("content-range", ""))
    return int(found[1]) if found else -1


def must_suit(source: Source, answer: httpx.Response, version: Version) -> None:
    """Nothing, where ANSWER may be SOURCE.

    Raises:
        WrongFile: it cannot be, by its length or kind.
    """
    if source.bytes and version.length and version.length != source.bytes:
        raise WrongFile(
            f"{source.url} has {version.length:,} bytes where {source.bytes:,} are expected: it is "
            "another file by now, or a page instead of it. Nothing was kept."
        )
    page = answer.headers.get("content-type", "").startswith("text/html")
    known = source.bytes or source.md5 or source.sha256
    if page and not known and not source.name.endswith((".html", ".htm")):
        raise WrongFile(f"{source.url} answers with a page and no file. Nothing was kept.")
