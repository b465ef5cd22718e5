"""The codebooks of a product quantiser as a part of an encoder, found in closed form.

They are found when all is learned, by k-means of each part of what the encoder makes of pictures
that it learned from (Jegou, Douze, Schmid, "Product Quantization for Nearest Neighbor Search",
2011), and lie in the encoder's file like any weight.
"""

import torch
from torch import nn

from models.clustering import kmeans
from models.codebooks import WORDS


class Quantiser(nn.Module):
    """M codebooks of 256 words; what an encoder computes does not depend on them.

    Args:
        dimensions: D, of the features.
        parts: M.

    Raises:
        ValueError: D is no multiple of M.
    """

    words: torch.Tensor
    """(M, 256, D / M)."""

    def __init__(self, dimensions: int, parts: int) -> None:
        super().__init__()
        self.register_buffer("words", torch.zeros(parts, WORDS, dimensions // parts))

    @torch.no_grad()
    def fit(self, features: torch.Tensor, seed: int) -> None:
        """Find the words from FEATURES (N, D); equal seeds find equal ones on a CPU.

        Raises:
            ValueError: there are fewer FEATURES than words.
        """
        enough(len(features))
        parts = features.reshape(len(features), len(self.words), -1)
        for part, words in enumerate(self.words):
            found = kmeans(parts[:, part].contiguous(), WORDS, seed + part)
            words.copy_(found.centres)


def enough(pictures: int) -> None:
    """Return if PICTURES are as many as the words of a codebook.

    Raises:
        ValueError: they are fewer; says what to do.
    """
    if pictures < WORDS:
        raise ValueError(
            f"storage: pq finds {WORDS} words for each part of a descriptor, and there are "
            f"{pictures} pictures to find them from: train on {WORDS} at least, and rather on ten "
            "times as many, or set storage: float32, which an index of so few pictures can afford."
        )
