"""Losses where the two sides of a search are not described by one network."""

from typing import NamedTuple

import torch
from torch.nn import functional

from models.losses.classes import soft_cross_entropy
from models.losses.terms import cosines, in_float32


class CodeSums(NamedTuple):
    """The codes V (N, K) of a database, summed up so far that a loss need not look at each.

    Images that are alike to the same others make a group; there are G of them.

    Args:
        gram: (K, K), V^T V.
        sums: (G, K), of the codes of each group.
        counts: (G,), images of each group.
    """

    gram: torch.Tensor
    sums: torch.Tensor
    counts: torch.Tensor

    @classmethod
    @in_float32
    def of(cls, codes: torch.Tensor, groups: torch.Tensor, many: int) -> "CodeSums":
        """Those of CODES (N, K), whose images are in GROUPS (N,) int64, of which there are MANY."""
        sums = codes.new_zeros(many, codes.shape[1]).index_add(0, groups, codes)
        counts = codes.new_zeros(many).index_add(0, groups, codes.new_ones(len(codes)))
        return cls(codes.T @ codes, sums, counts)


@in_float32
def adsh(
    features: torch.Tensor,
    database: CodeSums,
    similar: torch.Tensor,
    own: torch.Tensor | None = None,
    weight: float = 200.0,
) -> torch.Tensor:
    """How far the query network is from the codes of the database, a scalar.

    sum over i, j of (u_i v_j - K s_ij)^2 plus WEIGHT times the sum of (v_i - u_i)^2, u = tanh
    FEATURES, divided by B N (Jiang and Li, "Asymmetric Deep Supervised Hashing", 2018, equation 3).
    The squares are multiplied out, so that it costs B G K and not B N K.

    Args:
        features: (B, K) of sampled database images, before tanh.
        database: the codes of all N images.
        similar: (B, G), s of each with the images of each group: +1 where alike, -1 or another
            number where not.
        own: (B, K), the rows of V that are the sampled images' own; None where they have none.
        weight: gamma.
    """
    bits = torch.tanh(features)
    count = bits.shape[1]
    missed = (
        ((bits @ database.gram) * bits).sum()
        - 2 * count * ((similar @ database.sums) * bits).sum()
        + count**2 * (similar.square() @ database.counts).sum()
    )
    held = 0.0 if own is None else (own - bits).square().sum()
    return (missed + weight * held) / (len(features) * database.counts.sum())


@torch.no_grad()
@in_float32
def adsh_codes(
    codes: torch.Tensor,
    bits: torch.Tensor,
    pull: torch.Tensor,
    rows: torch.Tensor,
    weight: float = 200.0,
) -> torch.Tensor:
    """The codes (N, K) of the database after one round of coordinate descent, bit after bit.

    With the network fixed, the best k-th bit of all codes at once is
    sign(K S^T u_k + weight u'_k - V' U'^T u_k), V' and U' without column k, u' the outputs at the
    rows of the sampled images and 0 elsewhere (Jiang and Li, 2018, section 3.2). The sum of
    `adsh` over all sampled images never grows by it.

    Args:
        codes: (N, K) of -1 and +1, V; left as it is.
        bits: (M, K), tanh of the network's outputs for the M sampled images, U.
        pull: (N, K), S^T U, of the likeness S (M, N) of `adsh`; the same for a group's images.
        rows: (M,) int64, where the sampled images stand in the database, each once.
        weight: gamma.
    """
    count = bits.shape[1]
    wanted = (count * pull).index_add(0, rows, weight * bits)  # (N, K)
    codes, products = codes.clone(), bits.T @ bits  # (K, K)
    for bit in range(count):
        others = products[:, bit].clone()
        others[bit] = 0
        codes[:, bit] = torch.where(wanted[:, bit] - codes @ others >= 0, 1.0, -1.0)
    return codes


@in_float32
def teacher_regression(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """How far the student's descriptors (B, D) point from the teacher's (B, D), a scalar.

    The mean of 1 - cos; the teacher, a frozen larger network that described the database, learns
    nothing (Budnik and Avrithis, "Asymmetric Metric Learning for Knowledge Transfer", 2021,
    regression). The paper's contrastive loss is `contrastive` with the teacher's as ``others``.
    """
    return 1 - functional.cosine_similarity(student, teacher.detach(), dim=1).mean()


@in_float32
def prototypes(features: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean direction of each class, (C, D) of unit length; 0 for a class without images.

    FEATURES (B, D) are made unit vectors before, TARGETS are (B, C).
    """
    return functional.normalize(targets.T.to(features.dtype) @ functional.normalize(features))


@in_float32
def backward_compatible(
    features: torch.Tensor,
    old_prototypes: torch.Tensor,
    targets: torch.Tensor,
    temperature: float = 1 / 16,
) -> torch.Tensor:
    """How badly the old model's classifier understands the new model's features, a scalar.

    Cross-entropy over the cosines of FEATURES (B, D) to OLD_PROTOTYPES (C, D), which stay as they
    are, with TARGETS (B, C): the influence loss, added to the new model's own (Shen et al.,
    "Towards Backward-Compatible Representation Learning", 2020, section 3.2). Where the old model
    had no such classes, its `prototypes` of their images stand in.
    """
    return soft_cross_entropy(cosines(features, old_prototypes.detach()) / temperature, targets)
