"""The items of the arrays in one large JSON object, one by one, such as COCO's annotations."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any, Final

from data.adapters.archives import opened

PIECE: Final = 1 << 20
"""Bytes that are read at once; an item longer than that is read in ever larger ones."""

LONGEST: Final = 1 << 28
"""Bytes of an item that nobody means."""

_ONGOING: Final = re.compile(r"[0-9.eE+-]*")  # may follow a number that is cut
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


def items(path: str, *names: str) -> Iterator[tuple[str, Any]]:
    """Each item of the arrays NAMES of the object in the file at PATH, with its array's name.

    They come in the order of the file; what stands under other names is read over. PATH is as
    `opened` understands it, so it may lie in a zip.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is no JSON object, or damaged; names the file and about where.
    """
    with opened(path) as stream:
        text = _Text(stream, path)
        text.expect("{")
        while not text.found("}"):
            name = text.value()
            text.expect(":")
            if text.found("["):
                while not text.found("]"):
                    item = text.value()
                    if name in names:
                        yield name, item
                    if not text.found(","):
                        text.expect("]")
                        break
            else:
                text.value()
            if not text.found(","):
                text.expect("}")
                break


class _Text:
    """The text that STREAM reads, as far as it has been read and is not used up."""

    def __init__(self, stream: IO[bytes], path: str) -> None:
        self.stream, self.path = stream, path
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.at, self.passed, self.ended = "", 0, 0, False

    def found(self, sign: str) -> bool:
        """Whether SIGN comes next; it is used up then."""
        if self._next() != sign:
            return False
        self.at += 1
        return True

    def expect(self, sign: str) -> None:
        """Use up SIGN, which must come next.

        Raises:
            ValueError: something else does.
        """
        if not self.found(sign):
            raise ValueError(f"{self.path}: {sign!r} should come after {self._place():,} letters.")

    def value(self) -> Any:
        """The next value, whole.

        Raises:
            ValueError: it is none.
        """
        self._next()
        more = PIECE
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except (ValueError, RecursionError) as error:
                if self.ended or more > LONGEST or isinstance(error, RecursionError):
                    where = f"after {self._place():,} letters"
                    raise ValueError(f"{self.path} is no JSON {where}: {error}.") from error
            else:
                if self.ended or not _ONGOING.fullmatch(self.text, end) or not _is_number(value):
                    self.at = end
                    return value
            self._read(more)
            more *= 2

    def _next(self) -> str:
        """The next letter that is not blank, not used up; empty at the end."""
        while True:
            blank = _BLANK.match(self.text, self.at)
            self.at = blank.end() if blank else self.at
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1]
            self._read(PIECE)

    def _read(self, count: int) -> None:
        content = self.stream.read(count)
        self.ended = not content
        try:
            more = self.decoder.decode(content, final=self.ended)
        except UnicodeDecodeError as error:
            raise ValueError(f"{self.path} is not UTF-8: {error}.") from error
        self.passed += self.at
        self.text, self.at = self.text[self.at :] + more, 0

    def _place(self) -> int:
        return self.passed + self.at


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
