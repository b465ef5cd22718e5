"""Losses of two or more views of the same images, which need no labels."""

import torch
from torch.nn import functional

from models.losses.codes import bernoulli_divergence, sampled_bits
from models.losses.terms import cosines, in_float32, mean_where, off_diagonal


@in_float32
def ntxent(
    first: torch.Tensor,
    second: torch.Tensor,
    temperature: float,
    alike: torch.Tensor | None = None,
) -> torch.Tensor:
    """How badly each view finds its twin among all 2B views, a scalar.

    FIRST and SECOND (B, D) are two views of the same images; similarity is the cosine (Chen et al.,
    "A Simple Framework for Contrastive Learning of Visual Representations", 2020, equation 1).
    Where ALIKE (2B, 2B) bool says of other views that they show the same, they are not compared.
    """
    views = torch.cat([first, second])  # (2B, D)
    near = cosines(views, views) / temperature
    places = torch.arange(len(views), device=views.device)
    twins = places.roll(len(first))
    compared = off_diagonal(near)
    if alike is not None:
        compared = compared & ~alike | (places == twins[:, None])
    return functional.cross_entropy(near.masked_fill(~compared, float("-inf")), twins)


@in_float32
def cibhash(
    first: torch.Tensor,
    second: torch.Tensor,
    noise: torch.Tensor,
    temperature: float,
    weight: float = 1e-3,
    alike: torch.Tensor | None = None,
) -> torch.Tensor:
    """How badly the sampled codes of each view find their twins, a scalar.

    FIRST and SECOND (B, K) are logits of bits; NOISE (2, B, K), uniform in [0, 1), draws the bits,
    through which gradients pass straight to the probabilities. To the `ntxent` of the codes, where
    views that are ALIKE are not compared, comes WEIGHT times the divergence between the two views'
    bits (Qiu et al., "Unsupervised Hashing with Contrastive Information Bottleneck", 2021).
    """
    p, q = torch.sigmoid(first), torch.sigmoid(second)
    codes = ntxent(sampled_bits(p, noise[0]), sampled_bits(q, noise[1]), temperature, alike)
    apart = (bernoulli_divergence(p, q) + bernoulli_divergence(q, p)) / 2
    return codes + weight * apart


@in_float32
def moco(
    queries: torch.Tensor, keys: torch.Tensor, queue: torch.Tensor, temperature: float = 0.2
) -> torch.Tensor:
    """How badly each query finds its own key among those of earlier batches, a scalar.

    Cross-entropy over the cosines of a query to its key and to the whole queue (He et al.,
    "Momentum Contrast", 2020, equation 1).

    Args:
        queries: (B, D) of the network that learns.
        keys: (B, D) of its moving average, other views of the same images; they learn nothing.
        queue: (N, D), keys of earlier batches.
        temperature: what cosines are divided by.
    """
    queries, keys = functional.normalize(queries), functional.normalize(keys.detach())
    own = (queries * keys).sum(dim=1, keepdim=True)  # (B, 1)
    logits = torch.cat([own, cosines(queries, queue.detach())], dim=1) / temperature
    return functional.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))


@in_float32
def dino(
    student: torch.Tensor,
    teacher: torch.Tensor,
    centre: torch.Tensor,
    student_temperature: float = 0.1,
    teacher_temperature: float = 0.04,
) -> torch.Tensor:
    """How far the student's view of each crop is from the teacher's of every other, a scalar.

    The mean cross-entropy of softmax(STUDENT / its temperature) to softmax((TEACHER - CENTRE) / its
    temperature) over the pairs of different crops (Caron et al., "Emerging Properties in
    Self-Supervised Vision Transformers", 2021, equation 3 and algorithm 1).

    Args:
        student: (V, B, P) logits of V crops, the first of them those that the teacher sees.
        teacher: (U, B, P) logits of the U global crops, 1 <= U <= V; they learn nothing.
        centre: (P,), see `moved_centre`.
        student_temperature: of the student.
        teacher_temperature: of the teacher, lower, so that its answer is sharper.

    Raises:
        ValueError: there are no two different crops.
    """
    if len(student) < 2:
        raise ValueError(f"DINO compares different crops, but the student saw {len(student)}.")
    answers = functional.softmax((teacher.detach() - centre) / teacher_temperature, dim=2)
    chances = functional.log_softmax(student / student_temperature, dim=2)
    costs = -torch.einsum("ubp,vbp->uv", answers, chances) / student.shape[1]  # (U, V)
    same = torch.eye(len(teacher), len(student), dtype=torch.bool, device=costs.device)
    return mean_where(costs, ~same)


@torch.no_grad()
@in_float32
def moved_centre(
    centre: torch.Tensor, teacher: torch.Tensor, momentum: float = 0.9
) -> torch.Tensor:
    """The moving average (P,) of the teacher's logits (U, B, P), a bias that `dino` takes away.

    So the teacher cannot give the same answer to all images (Caron et al., "Emerging Properties in
    Self-Supervised Vision Transformers", 2021, equation 4).
    """
    return momentum * centre + (1 - momentum) * teacher.mean(dim=(0, 1))


@in_float32
def swapped(
    first: torch.Tensor,
    second: torch.Tensor,
    first_codes: torch.Tensor,
    second_codes: torch.Tensor,
    temperature: float = 0.1,
) -> torch.Tensor:
    """How badly each view tells to which clusters the other one went, a scalar.

    Half the cross-entropy of the scores of one view to the codes of the other, both ways (Caron et
    al., "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments" (SwAV), 2020,
    equation 2; halved, so that it stays a mean).

    Args:
        first: (B, P) cosines of one view to P prototypes.
        second: (B, P) cosines of another view of the same images.
        first_codes: (B, P) each row a distribution over the prototypes, see `sinkhorn`.
        second_codes: (B, P).
        temperature: what cosines are divided by.
    """
    one = functional.cross_entropy(first / temperature, second_codes.detach())
    other = functional.cross_entropy(second / temperature, first_codes.detach())
    return (one + other) / 2


@torch.no_grad()
@in_float32
def sinkhorn(scores: torch.Tensor, epsilon: float = 0.05, iterations: int = 3) -> torch.Tensor:
    """Codes (B, P) for SCORES (B, P): every row sums to 1 and every prototype is used about alike.

    exp(SCORES / EPSILON), its columns and rows normalised in turn (Sinkhorn and Knopp; Caron et
    al., SwAV, 2020, equations 3 to 5).
    """
    logs = scores / epsilon
    for _ in range(iterations):
        logs = logs - torch.logsumexp(logs, dim=0, keepdim=True)
        logs = logs - torch.logsumexp(logs, dim=1, keepdim=True)
    return logs.exp()


@in_float32
def consistency(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """How far two views (B, D) of the same images point apart, a scalar: the mean of 1 - cos."""
    return 1 - functional.cosine_similarity(first, second, dim=1).mean()


@in_float32
def pseudo_label(weak: torch.Tensor, strong: torch.Tensor, threshold: float = 0.95) -> torch.Tensor:
    """How badly a strongly changed view agrees with what a weakly changed one is sure of, a scalar.

    Cross-entropy of the logits STRONG (B, C) to the likeliest class by the logits WEAK (B, C),
    which learn nothing, where its probability reaches THRESHOLD; the mean over all B, so that it
    grows as more is sure (Sohn et al., "FixMatch", 2020, equation 4).
    """
    sure, classes = functional.softmax(weak.detach(), dim=1).max(dim=1)
    costs = functional.cross_entropy(strong, classes, reduction="none")
    return (costs * (sure >= threshold)).mean()
