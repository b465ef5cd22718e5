"""What a code is worth, and the loss of the policy that chose its bits."""

import torch
from torch.nn import functional

from models import metrics
from models.losses.pairs import Pairs
from models.losses.terms import in_float32


@in_float32
def reinforce(
    logits: torch.Tensor,
    bits: torch.Tensor,
    rewards: torch.Tensor,
    baseline: torch.Tensor,
    bonus: float = 0.01,
) -> torch.Tensor:
    """A scalar whose gradient is that of the policy: -(r - r_baseline) log p(code), mean of B.

    Minus BONUS times the entropy of the bits, summed over K (Williams, 1992; the baseline is the
    reward of the policy's own greedy code: Rennie et al., "Self-critical Sequence Training", 2017,
    equation 8).

    Args:
        logits: (B, K) log-odds by which each bit was drawn.
        bits: (B, K) of -1 and +1, those drawn.
        rewards: (B,) of the drawn codes.
        baseline: (B,) rewards of the greedy codes, the signs of the logits.
        bonus: weight of the entropy.
    """
    chance = -functional.softplus(-bits.detach() * logits).sum(dim=1)  # (B,) log p(code)
    entropy = (functional.softplus(logits) - logits * torch.sigmoid(logits)).sum(dim=1)
    return -((rewards - baseline).detach() * chance + bonus * entropy).mean()


@torch.no_grad()
@in_float32
def average_precision_reward(
    bits: torch.Tensor, pairs: Pairs, others: torch.Tensor | None = None
) -> torch.Tensor:
    """Of each code the average precision with which it finds those alike in the batch, (B,).

    In [0, 1], the expectation over all orders of ties; 0 where none is alike (DRLIH: Peng and
    Zhang, "Deep Reinforcement Learning for Image Hashing", 2019). BITS (B, K) are -1 and +1, and
    so are OTHERS, the codes that are searched: BITS themselves if None.
    """
    counted = torch.stack(_histograms(bits, pairs, others)).long()  # (2, B, K + 1)
    hits, misses = counted.cpu().numpy()
    precision = metrics.expected_average_precision(hits + misses, hits, None, "R")
    return torch.from_numpy(precision).nan_to_num(0.0).to(bits)


@torch.no_grad()
@in_float32
def triplet_reward(
    bits: torch.Tensor, pairs: Pairs, margin: float, others: torch.Tensor | None = None
) -> torch.Tensor:
    """Of each code minus how far its triplets miss the MARGIN, in bits, as a share of K; (B,).

    The mean of -max(0, MARGIN + h(a, p) - h(a, n)) / K over all p alike and n unlike, h the Hamming
    distance; at most 0, and 0 where there is no triplet. BITS (B, K) are -1 and +1, and so are
    OTHERS, the codes of p and n: BITS themselves if None.
    """
    hits, misses = _histograms(bits, pairs, others)  # (B, K + 1)
    steps = torch.arange(hits.shape[1], device=bits.device, dtype=hits.dtype)
    short = functional.relu(margin + steps[:, None] - steps)  # (K + 1, K + 1), p by n
    near, far = (kind / kind.sum(dim=1, keepdim=True).clamp_min(1) for kind in (hits, misses))
    return -((near @ short) * far).sum(dim=1) / bits.shape[1]


def _histograms(
    bits: torch.Tensor, pairs: Pairs, others: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """How many alike and unlike codes lie at each Hamming distance, two of (B, K + 1)."""
    count, others = bits.shape[1], bits if others is None else others
    distances = ((count - bits @ others.T) / 2).round().long()  # (B, B)
    empty = bits.new_zeros(len(bits), count + 1)
    alike, unlike = (empty.scatter_add(1, distances, kind.to(bits.dtype)) for kind in pairs)
    return alike, unlike
