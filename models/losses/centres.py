"""What the codes of a class point at: words of -1 and +1 far from each other."""

import torch


def codebook(classes: int, bits: int, seed: int) -> torch.Tensor:
    """Codewords far from each other, (C, K) of -1 and +1.

    Each is the best of 64 random ones: the one whose nearest predecessor is farthest in Hamming
    distance. So a new class leaves the codewords of the old ones as they are.
    """
    generator = torch.Generator().manual_seed(seed)
    words = torch.empty(classes, bits)
    for row in range(classes):
        drawn = torch.randint(0, 2, (64, bits), generator=generator) * 2.0 - 1  # (64, K)
        closeness = (drawn @ words[:row].T).amax(dim=1) if row else torch.zeros(64)
        words[row] = drawn[closeness.argmin()]
    return words


def hash_centres(classes: int, bits: int, seed: int) -> torch.Tensor:
    """Centres at least K / 2 bits apart where that can be had simply, (C, K) of -1 and +1.

    The rows of a Hadamard matrix and their opposites, where K is a power of two and C <= 2K; else
    random words (Yuan et al., "Central Similarity Quantization", 2020, algorithm 1), here those of
    `codebook`.
    """
    if bits & (bits - 1) or classes > 2 * bits:
        return codebook(classes, bits, seed)
    words = torch.ones(1, 1)
    while len(words) < bits:  # Sylvester's construction
        words = torch.cat([torch.cat([words, words], dim=1), torch.cat([words, -words], dim=1)])
    return torch.cat([words, -words])[:classes]


def majority(centres: torch.Tensor, targets: torch.Tensor, ties: torch.Tensor) -> torch.Tensor:
    """Of each image the centre of its labels, (B, K) of -1 and +1.

    A bit is what most of its labels' CENTRES (C, K) have, by TARGETS (B, C); where they are even it
    is that of TIES (K,), which must stay the same for a whole training (Yuan et al., 2020).
    """
    votes = targets.to(centres.dtype) @ centres  # (B, K)
    return torch.where(votes == 0, ties.to(votes.dtype), votes.sign())
