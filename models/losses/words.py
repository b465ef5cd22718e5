"""Losses of images and words: tags, queries that were clicked on, captions."""

import math

import torch
from torch.nn import functional

from models.losses.codes import quantisation
from models.losses.terms import cosines, in_float32, mean_where, off_diagonal

HOTTEST = math.log(100)
"""Log of the largest scale of cosines (Radford et al., "CLIP", 2021, section 2.5)."""


def tag_vectors(together: torch.Tensor, dimensions: int) -> torch.Tensor:
    """Vectors of T tags, (T, E) float32, from how often they stand TOGETHER, (T, T) symmetric.

    The positive pointwise mutual information max(0, log(n_ij n / (n_i n_j))), factorised: U sqrt(S)
    of its E largest singular values (Levy and Goldberg, "Neural Word Embedding as Implicit Matrix
    Factorization", 2014, equation 12 and section 5.1). The diagonal holds how many images have a
    tag, so that one that never meets another still has a direction. Nothing is drawn; of each
    column the entry of largest magnitude is positive. With fewer than E tags the rest is 0.
    """
    counts = together.double()
    each = counts.sum(dim=1)
    expected = each[:, None] * each / each.sum().clamp_min(1)
    ratio = torch.where(counts > 0, counts / torch.where(expected > 0, expected, 1), 1)
    information = ratio.log().clamp_min(0)
    # symmetric: the singular values are the magnitudes of the eigenvalues
    values, vectors = torch.linalg.eigh(information)
    largest = values.abs().argsort(descending=True, stable=True)[:dimensions]
    found = vectors[:, largest] * values[largest].abs().sqrt()
    peaks = found.gather(0, found.abs().argmax(dim=0, keepdim=True))
    found = torch.where(peaks < 0, -found, found)
    return functional.pad(found, (0, dimensions - found.shape[1])).float()


def rarity(images: torch.Tensor, total: int) -> torch.Tensor:
    """log(TOTAL / n) of tags that n IMAGES (T,) of TOTAL have, (T,); 0 for one that none has.

    Inverse document frequency (Spärck Jones, 1972).
    """
    return torch.where(images > 0, (total / images.clamp_min(1)).log(), 0.0)


@in_float32
def tag_target(tags: torch.Tensor, vectors: torch.Tensor, rarities: torch.Tensor) -> torch.Tensor:
    """The direction of each image's tags, (B, E), of unit length; 0 where it has none.

    The mean of its tags' VECTORS (T, E), weighted by how often it has the tag (TAGS (B, T)) and by
    its RARITIES (T,) (Gattupalli et al., "Weakly Supervised Deep Image Hashing through Tag
    Embeddings", 2019, section 3.2).
    """
    return functional.normalize((tags.to(vectors.dtype) * rarities) @ vectors)


@in_float32
def wdht(
    features: torch.Tensor,
    projected: torch.Tensor,
    targets: torch.Tensor,
    pair_weight: float = 1.0,
    weight: float = 0.1,
) -> torch.Tensor:
    """How far images are from what their tags say, a scalar.

    The mean of 1 - cos(PROJECTED, target), plus PAIR_WEIGHT times the mean over pairs of
    (cos(u_i, u_j) - cos(t_i, t_j))^2, plus WEIGHT times the `quantisation` of u (after Gattupalli
    et al., 2019, whose first term is a hinge over the batch).

    Args:
        features: (B, K), u.
        projected: (B, E), the features in the space of the tags: W u, W learned.
        targets: (B, E), t, see `tag_target`; a row of 0 counts for the last term alone.
        pair_weight: of the pairs.
        weight: of the quantisation.
    """
    tagged = targets.square().sum(dim=1) > 0
    away = 1 - functional.cosine_similarity(projected, targets, dim=1)
    apart = (cosines(features, features) - cosines(targets, targets)).square()  # (B, B)
    counted = tagged[:, None] & tagged & off_diagonal(apart)
    pairs = mean_where(apart, counted)
    return mean_where(away, tagged) + pair_weight * pairs + weight * quantisation(features)


@in_float32
def infonce(
    images: torch.Tensor,
    words: torch.Tensor,
    temperature: float | torch.Tensor,
    clicks: torch.Tensor | None = None,
    same: torch.Tensor | None = None,
) -> torch.Tensor:
    """How badly images find their words and words their images in the batch, a scalar.

    The mean of both cross-entropies over the cosines (van den Oord et al., "Representation Learning
    with Contrastive Predictive Coding", 2018, equation 4; Radford et al., "CLIP", 2021, figure 3).

    Args:
        images: (B, D).
        words: (B, D), row by row those of the images.
        temperature: what cosines are divided by.
        clicks: (B,) how often the image was chosen for the words; a row counts log(1 + clicks).
            None where all count alike.
        same: (B, B) bool, row i and column j where image i also goes with words j, because they
            share a query or an image: these are no negatives. The diagonal does not matter.
    """
    logits = cosines(images, words) / temperature  # (B, B)
    if same is not None:
        lowest = torch.finfo(logits.dtype).min
        logits = logits.masked_fill(same & off_diagonal(logits), lowest)
    own = torch.arange(len(logits), device=logits.device)
    costs = functional.cross_entropy(logits, own, reduction="none")
    costs = (costs + functional.cross_entropy(logits.T, own, reduction="none")) / 2  # (B,)
    if clicks is None:
        return costs.mean()
    weights = torch.log1p(clicks.to(costs.dtype))
    total = weights.sum()
    return (weights * costs).sum() / torch.where(total > 0, total, torch.ones_like(total))


@in_float32
def clip(
    images: torch.Tensor,
    words: torch.Tensor,
    log_scale: torch.Tensor,
    same: torch.Tensor | None = None,
) -> torch.Tensor:
    """`infonce` at a learned temperature of 1 / exp(LOG_SCALE), a scalar.

    The scale is never more than 100: LOG_SCALE (), a parameter that starts at log(1 / 0.07), is
    clamped to `HOTTEST` here, without a gradient above it (Radford et al., 2021, section 2.5).
    """
    return infonce(images, words, torch.exp(-log_scale.clamp(max=HOTTEST)), same=same)


@in_float32
def vsepp(
    images: torch.Tensor,
    words: torch.Tensor,
    margin: float = 0.2,
    same: torch.Tensor | None = None,
) -> torch.Tensor:
    """How near the hardest wrong words and image come to the right ones, a scalar.

    The mean over the batch of max(0, margin + cos(i, w') - cos(i, w)) + max(0, margin + cos(i', w)
    - cos(i, w)), w' and i' the nearest others (Faghri et al., "VSE++", 2018, equation 6).
    IMAGES and WORDS are (B, D), SAME (B, B) as of `infonce`.
    """
    near = cosines(images, words)  # (B, B)
    wrong = off_diagonal(near) if same is None else off_diagonal(near) & ~same
    others = near.masked_fill(~wrong, -torch.inf)
    right = near.diagonal()
    hinges = [functional.relu(margin + others.amax(dim=way) - right) for way in (0, 1)]
    return (hinges[0] + hinges[1]).mean()
