"""What tells that a file has changed without reading it: size, time stamp, etag."""

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import fsspec

from data.adapters.reading import Place, local_path, member_of, overlapped, place_of


class Stamp(NamedTuple):
    """Size in bytes, time stamp in ns since 1970 (0: none), etag ("": none)."""

    size: int
    mtime: int
    etag: str


NOTHING = Stamp(0, 0, "")


def stamp(info: dict[str, Any]) -> Stamp:
    """The stamp of a file that an fsspec filesystem describes by INFO."""
    size = int(info.get("size") or 0)
    etag = str(info.get("ETag") or info.get("etag") or info.get("md5Hash") or "").strip('"')
    for name in ("LastModified", "mtime", "last_modified", "created"):
        moment = info.get(name)
        if isinstance(moment, datetime):
            return Stamp(size, int(moment.timestamp()) * 10**9 + moment.microsecond * 1000, etag)
        if isinstance(moment, int | float) and moment:
            return Stamp(size, int(moment * 10**9), etag)
    return Stamp(size, 0, etag)


def stamp_of(path: str) -> Stamp:
    """The stamp of the file at PATH, or of the archive that it lies in.

    Raises:
        FileNotFoundError: it is not there.
    """
    fs, file = fsspec.url_to_fs(local_path(member_of(path)[0]))
    return stamp(fs.info(file))


def stamps_of(uris: Sequence[str]) -> list[Stamp]:
    """The stamp of each of URIS: a range's own length, and the rest of the file it lies in.

    A file that cannot be looked at has the stamp `NOTHING`, unlike any that was ever read: so it is
    asked for its bytes, and the answer says what is wrong.
    """
    places = [place_of(uri) for uri in uris]
    if any(place.remote for place in places):
        return list(overlapped(_stamp_at, places))
    return [_stamp_at(place) for place in places]


def _stamp_at(place: Place) -> Stamp:
    try:
        if place.remote:
            fs, path = fsspec.url_to_fs(place.path)
            whole = stamp(fs.info(path))
        else:
            status = os.stat(local_path(place.path))
            whole = Stamp(status.st_size, status.st_mtime_ns, "")
    except OSError:
        return NOTHING
    return whole if place.length is None else whole._replace(size=place.length)
