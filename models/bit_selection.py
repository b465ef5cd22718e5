"""Which bits of a code to keep, and in what order, so that each prefix of the order searches well.

A model that made K bits so serves codes of every length: the first k of the order are its k-bit
code, and the code of k + 1 bits is that and one bit more. The order is a fact of training or
validation codes; no query of a test has any part in it.

Letters: N codes, K bits. CODES are (N, K) bool, ALIKE (N, N) bool says which show the same, each
itself among them.
"""

from collections.abc import Sequence

import torch

from models import losses


def worth(codes: torch.Tensor, alike: torch.Tensor, bits: torch.Tensor) -> float:
    """The mean average precision at which CODES find those alike among each other by BITS (k,).

    The expectation over all orders of ties; whoever is like nobody else is not asked.
    """
    signs = codes[:, bits].float() * 2 - 1
    pairs = losses.Pairs.known(alike)
    asked = pairs.alike.any(dim=1)
    if not asked.any():
        raise ValueError("No two of these codes are alike: there is nothing to find among them.")
    return float(losses.average_precision_reward(signs, pairs)[asked].mean())


def forward_order(
    codes: torch.Tensor, alike: torch.Tensor, count: int | None = None
) -> torch.Tensor:
    """The bits in greedy order, (COUNT,) int64, all K of them if None.

    Each is the one that makes the prefix that ends with it worth most; of equals the first.
    """
    left = list(range(codes.shape[1]))
    order: list[int] = []
    for _ in range(len(left) if count is None else count):
        gains = [worth(codes, alike, torch.tensor([*order, bit])) for bit in left]
        order.append(left.pop(max(range(len(left)), key=gains.__getitem__)))
    return torch.tensor(order)


def policy_order(
    codes: torch.Tensor,
    alike: torch.Tensor,
    lengths: Sequence[int],
    start: torch.Tensor | None = None,
    *,
    steps: int = 60,
    samples: int = 8,
    rate: float = 0.3,
    seed: int = 0,
) -> torch.Tensor:
    """The order (K,) int64 that a policy found for the mean `worth` of the prefixes of LENGTHS.

    The policy is a score a bit. An order is drawn by taking bit after bit with a probability that
    grows with its score among those left (Plackett and Luce: Plackett, "The Analysis of
    Permutations", 1975), and what it is worth above the order of the scores themselves teaches the
    scores (REINFORCE with the self-critical baseline: Rennie et al., 2017, equation 8). The best
    order that was met is the answer, so it is never worth less than START.

    Args:
        codes: (N, K) bool.
        alike: (N, N) bool.
        lengths: of codes that will be used.
        start: (K,) int64, the order to begin with, of `forward_order` say; None: each bit by what
            it is worth alone.
        steps: of learning.
        samples: orders drawn a step.
        rate: learning rate of the scores.
        seed: of what is drawn.
    """
    count = codes.shape[1]
    if not lengths or min(lengths) < 1 or max(lengths) > count:
        raise ValueError(f"Codes of {count} bits have prefixes of 1 to {count}, not {lengths}.")
    if start is None:
        alone = torch.tensor([worth(codes, alike, torch.tensor([bit])) for bit in range(count)])
        start = alone.argsort(descending=True, stable=True)
    scores = torch.empty(count)
    scores[start] = torch.linspace(2, -2, count)  # neighbours change places, the ends hardly
    scores.requires_grad_()
    optimiser = torch.optim.Adam([scores], lr=rate)
    lots = torch.Generator().manual_seed(seed)

    def earned(order: torch.Tensor) -> float:
        return sum(worth(codes, alike, order[:length]) for length in lengths) / len(lengths)

    best, most = start, earned(start)
    for _ in range(steps):
        greedy = scores.detach().argsort(descending=True, stable=True)
        baseline = earned(greedy)
        if baseline > most:
            best, most = greedy, baseline
        loss = torch.zeros(())
        for _ in range(samples):
            order = _drawn(scores.detach(), lots)
            reward = earned(order)
            if reward > most:
                best, most = order, reward
            loss = loss - (reward - baseline) * log_chance(scores, order[: max(lengths)])
        optimiser.zero_grad()
        torch.autograd.backward(loss / samples)
        optimiser.step()
    return best


def log_chance(scores: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    """The logarithm of the probability that ORDER (k,) is how an order by SCORES (K,) begins."""
    rest = torch.ones_like(scores, dtype=torch.bool)
    total = scores.new_zeros(())
    for bit in order.tolist():
        total = total + scores[bit] - scores.masked_fill(~rest, float("-inf")).logsumexp(dim=0)
        rest = rest.clone()
        rest[bit] = False
    return total


def _drawn(scores: torch.Tensor, lots: torch.Generator) -> torch.Tensor:
    """An order (K,) drawn by SCORES: those of Gumbel-noised scores (Yellott, 1977)."""
    noise = torch.rand(scores.shape, generator=lots).clamp_min(1e-12)
    return (scores - (-noise.log()).log()).argsort(descending=True, stable=True)
