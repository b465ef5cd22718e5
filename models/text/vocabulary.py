"""Texts as numbers: a vocabulary learned from sentences, the same for the same sentences."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, Self

import torch

PADDING: Final = 0
UNKNOWN: Final = 1
"""The code of all words that are not in a vocabulary."""
FIRST: Final = 2
"""The code of the first word that is."""

LONGEST: Final = 64
"""Words of a text that are looked at."""

_WORD: Final = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """The words of TEXT in order: runs of letters and digits, in one form, without capitals."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


class Vocabulary:
    """Words, each with a code; all others share one.

    Args:
        words: in the order of their codes.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._codes = {word: code for code, word in enumerate(self.words, FIRST)}

    @classmethod
    def learned(cls, said: Iterable[Sequence[str]], most: int, least: int = 2) -> Self:
        """The words of what was SAID of each picture, in alphabetical order.

        Args:
            said: the texts of each picture.
            most: only so many words, those of the most pictures.
            least: only words that were said of so many pictures.
        """
        counts = Counter[str]()
        for texts in said:
            counts.update({word for text in texts for word in words_of(text)})
        order = sorted(counts, key=lambda word: (-counts[word], word))[:most]
        return cls(sorted(word for word in order if counts[word] >= least))

    def __len__(self) -> int:
        """How many codes there are, those of padding and of unknown words among them."""
        return FIRST + len(self.words)

    def codes(self, texts: Sequence[str]) -> torch.Tensor:
        """The codes of TEXTS, (B, L) int64; the shorter ones are padded, and L is at least 1."""
        rows = [[self._codes.get(word, UNKNOWN) for word in words_of(text)] for text in texts]
        longest = min(max([1, *map(len, rows)]), LONGEST)
        padded = torch.full((len(rows), longest), PADDING)
        for row, codes in zip(padded, rows, strict=True):
            row[: len(codes)] = torch.tensor(codes[:longest], dtype=torch.int64)
        return padded

    def knows(self, text: str) -> bool:
        """Whether a word of TEXT has a code of its own."""
        return any(word in self._codes for word in words_of(text)[:LONGEST])
