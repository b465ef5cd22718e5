"""An inverted file: by visual word, which images have it and with what code."""

import numpy as np

from models.aggregation.match_kernel import Array, Bags, Selectivity, agreeing


class InvertedFile:
    """Images as `Bags`, searched exactly: only those that share a word with a query are looked at.

    It holds 4 + F / 8 bytes a word of an image, 4 bytes an image and 8 bytes a word of the
    codebook; an addition holds that twice while it lasts.

    Args:
        words: K, size of the codebook.
        width: F / 8, bytes of a code.
        selectivity: what a common word adds.
    """

    def __init__(self, words: int, width: int, selectivity: Selectivity | None = None) -> None:
        self._added = (selectivity or Selectivity()).table(8 * width)
        self.sizes: Array = np.empty(0, np.int32)
        self._starts: Array = np.zeros(words + 1, np.int64)
        self._images: Array = np.empty(0, np.int32)
        self._codes: Array = np.empty((0, width), np.uint8)

    def __len__(self) -> int:
        """How many images it holds."""
        return len(self.sizes)

    @property
    def nbytes(self) -> int:
        """Bytes that its arrays take."""
        return sum(of.nbytes for of in (self.sizes, self._starts, self._images, self._codes))

    def add(self, some: Bags) -> None:
        """Hold the images of SOME too, numbered on from those that are held.

        Raises:
            ValueError: their codes are of another width, or a word is not in the codebook.
        """
        self._check(some)
        words = np.concatenate([self._words(), some.words])
        order = np.argsort(words, kind="stable")  # within a word the images stay in order
        images = some.images + np.int32(len(self))
        self._images = np.concatenate([self._images, images])[order]
        self._codes = np.concatenate([self._codes, some.codes])[order]
        counts = np.bincount(words, minlength=len(self._starts) - 1)
        self._starts[1:] = np.cumsum(counts)
        self.sizes = np.concatenate([self.sizes, some.sizes.astype(np.int32)])

    def scores(self, queries: Bags) -> Array:
        """How alike QUERIES and the images held are, (Q, N) float32, 1 for an image and itself.

        The sum over common words of what `Selectivity` makes of the cosine of their codes, divided
        by the root of both images' numbers of words.

        Raises:
            ValueError: their codes are of another width, or a word is not in the codebook.
        """
        self._check(queries)
        found = np.zeros((queries.count, len(self)), np.float32)
        order = np.argsort(queries.words, kind="stable")
        words, first = np.unique(queries.words[order], return_index=True)
        for word, start, stop in zip(words, first, np.append(first[1:], len(order)), strict=False):
            asking = order[start:stop]
            here = slice(self._starts[word], self._starts[word + 1])
            alike = self._added[agreeing(queries.codes[asking], self._codes[here])]
            found[queries.images[asking][:, None], self._images[here][None, :]] += alike
        found /= np.sqrt(np.maximum(queries.sizes, 1).astype(np.float32))[:, None]
        found /= np.sqrt(np.maximum(self.sizes, 1).astype(np.float32))[None, :]
        return found

    def _words(self) -> Array:
        """The word of each entry, (M,) int32."""
        counts = np.diff(self._starts)
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)

    def _check(self, some: Bags) -> None:
        if some.codes.shape[1] != self._codes.shape[1]:
            raise ValueError(
                f"Codes must be of {self._codes.shape[1]} bytes but are of {some.codes.shape[1]}."
            )
        words = len(self._starts) - 1
        if len(some.words) and not 0 <= some.words.min() <= some.words.max() < words:
            raise ValueError(
                f"The codebook has words 0 to {words - 1}, but there are words "
                f"{some.words.min()} to {some.words.max()}."
            )
