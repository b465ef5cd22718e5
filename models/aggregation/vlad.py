"""What is left of the local features over their visual words, added up word by word."""

import torch
from torch.nn import functional

from models.aggregation.base import Aggregation, local_features
from models.clustering import kmeans, nearest


class VLAD(Aggregation):
    """Maps (B, F, H, W) -> (B, K F) of unit length: the residuals of each of K visual words.

    Local features of unit length go to their nearest word, and their differences from it are added
    up (Jégou et al., "Aggregating Local Descriptors into a Compact Image Representation", 2010,
    equation 1), each word's sum brought to unit length (Arandjelović and Zisserman, "All about
    VLAD", 2013), and then the whole. A word that no feature came to is 0.

    Args:
        inputs: F.
        words: K.
    """

    fits = True
    words: torch.Tensor

    def __init__(self, inputs: int, words: int = 64) -> None:
        super().__init__()
        self.dimensions = words * inputs
        self.register_buffer("words", functional.normalize(torch.randn(words, inputs)))

    def aggregate(self, maps: torch.Tensor) -> torch.Tensor:
        """The vectors (B, K F) of MAPS."""
        return vlad(self.samples(maps), self.words)

    def samples(self, maps: torch.Tensor) -> torch.Tensor:
        """The local features (B, H W, F) of MAPS, of unit length."""
        return functional.normalize(local_features(maps), dim=2)

    def fit(self, samples: torch.Tensor, seed: int) -> None:
        """Take the centres of SAMPLES (N, F) as visual words."""
        self.words.copy_(kmeans(samples, len(self.words), seed).centres)


def vlad(local: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """LOCAL features (B, L, F) over WORDS (K, F) as one vector of unit length each, (B, K F)."""
    words = words.to(local)
    apart = words.square().sum(dim=1) - 2 * (local.detach() @ words.T)  # but for a length
    went = functional.one_hot(apart.argmin(dim=2), len(words)).to(local)  # (B, L, K)
    sums = torch.einsum("blk,blf->bkf", went, local) - went.sum(dim=1)[:, :, None] * words
    return functional.normalize(functional.normalize(sums, dim=2).flatten(1))


def residuals(
    local: torch.Tensor, words: torch.Tensor, assignments: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """What LOCAL features differ from their visual words, added up for each image and word.

    Args:
        local: (B, L, F), each of which goes to its nearest word.
        words: (K, F).
        assignments: how many nearest words each of them goes to.

    Returns:
        The slots (U,) that are not empty, image K + word, ascending; and their sums (U, F).
    """
    batch, count, width = local.shape
    words = words.to(local)
    rows = local.reshape(-1, width)  # (B L, F)
    chosen = nearest(rows.detach(), words, assignments)[0]  # (B L, m)
    image = torch.arange(batch, device=local.device).repeat_interleave(count)
    slots, place = torch.unique(image[:, None] * len(words) + chosen, return_inverse=True)
    apart = (rows[:, None, :] - words[chosen]).flatten(0, 1)  # (B L m, F)
    return slots, apart.new_zeros(len(slots), width).index_add(0, place.flatten(), apart)
