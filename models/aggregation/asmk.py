"""Local features aggregated for selective match kernels: by visual word, the signs of residuals.

ASMK* of Tolias, Avrithis and Jégou, 2016 (see `models.aggregation.match_kernel`), over features of
a network as Tolias, Jenicek and Chum, "Learning and Aggregating Deep Local Descriptors for
Instance-Level Recognition", 2020, use it.
"""

import numpy as np
import torch

from models.aggregation.match_kernel import Bags
from models.aggregation.vlad import VLAD, residuals, vlad
from models.clustering import kmeans
from models.whitening import Whitening, pca_whitening


class ASMK(VLAD):
    """Maps (B, F, H, W) -> (B, K D) of unit length, whose signs, word by word, are the `Bags`.

    Local features are whitened to D numbers, and go to their nearest of K visual words as in
    `VLAD`. A word that no feature came to is 0.

    Args:
        inputs: F.
        words: K.
        bits: D, of a word's code; F if 0.
    """

    def __init__(self, inputs: int, words: int = 256, bits: int = 0) -> None:
        super().__init__(bits or inputs, words)
        if bits > inputs:
            raise ValueError(f"Local features of {inputs} numbers make no codes of {bits} bits.")
        self.whitening = Whitening(inputs, bits or inputs)

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The vectors (B, K D) of MAPS."""
        return vlad(self.whitening(self.samples(maps)), self.words)

    def fit(self, samples: torch.Tensor, seed: int) -> None:
        """Whiten as SAMPLES (N, F) tell, and take their centres then as visual words."""
        samples = samples.to(self.words)
        self.whitening.set(pca_whitening(samples, self.words.shape[1]))
        self.words.copy_(kmeans(self.whitening(samples), len(self.words), seed).centres)


def bags(local: torch.Tensor, words: torch.Tensor, assignments: int = 1) -> Bags:
    """LOCAL features (B, L, F) as visual words with the signs of their residuals.

    A sign of 0 counts as positive.

    Args:
        local: F a multiple of 8.
        words: the codebook (K, F).
        assignments: nearest words that each local feature goes to: 1 in an index, and up to 5 of a
            query, for a feature near the border of two words.

    Raises:
        ValueError: F bits fill no whole bytes.
    """
    if local.shape[2] % 8:
        raise ValueError(
            f"The signs of a residual fill whole bytes: {local.shape[2]} are not a multiple of 8."
        )
    slots, sums = residuals(local, words, assignments)
    image, word = np.divmod(slots.cpu().numpy(), len(words))
    codes = np.packbits(sums.detach().cpu().numpy() >= 0, axis=1, bitorder="big")
    return Bags(len(local), image.astype(np.int32), word.astype(np.int32), codes)
