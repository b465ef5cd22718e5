"""Local features aggregated for selective match kernels: by visual word, the signs of residuals.

ASMK* of Tolias, Avrithis and Jégou, 2016 (see `models.aggregation.match_kernel`), over features of
a network as Tolias, Jenicek and Chum, "Learning and Aggregating Deep Local Descriptors for
Instance-Level Recognition", 2020, use it.
"""

import numpy as np
import torch

from models.aggregation.match_kernel import Bags
from models.aggregation.vlad import residuals


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
