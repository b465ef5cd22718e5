"""Where a dataset's lists lie, in a folder or in an archive, and the lines and fields of them."""

from collections.abc import Iterator
from typing import Final

import fsspec

from data.adapters.archives import content_of

ARCHIVES: Final = (".zip", ".tar", ".tgz", ".tar.gz")
"""What the name of an archive ends in whose members can be read where they lie."""


def place_in(root: str, what: str, *places: str) -> str:
    """The first of PLACES, folders or archives below ROOT, that is there; "" is ROOT itself.

    Raises:
        FileNotFoundError: none is; names WHAT should be there, and the choices.
    """
    fs, path = fsspec.url_to_fs(root)
    for place in places:
        if fs.exists(f"{path}/{place}".rstrip("/")):
            return f"{root}/{place}".rstrip("/")
    choices = " or ".join(place or "the folder itself" for place in places)
    raise FileNotFoundError(f"No {what} in {root}: it should hold {choices}.")


def within(place: str, name: str) -> str:
    """The path of the file NAME in PLACE, a folder or an archive, as `opened` understands it."""
    return f"{place}::{name}" if place.endswith(ARCHIVES) else f"{place}/{name}"


def lines_of(path: str) -> list[str]:
    """The lines of the text at PATH that are not blank, without blanks around them.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is not UTF-8.
    """
    try:
        text = content_of(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}.") from error
    return [line.strip() for line in text.split("\n") if line.strip()]


def fields_of(path: str, count: int, heads: int = 0) -> Iterator[list[str]]:
    """The COUNT fields, parted by blanks, of each line at PATH after its first HEADS; one a line.

    The last field may hold blanks of its own.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: a line has fewer fields; names file and line.
    """
    for line in lines_of(path)[heads:]:
        fields = line.split(None, count - 1)
        if len(fields) != count:
            raise ValueError(f"{path}: {line!r} should have {count} fields.")
        yield fields
