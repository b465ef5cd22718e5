"""Losses of retrieval, as plain functions; each names its paper.

Letters: B batch, D features, K bits, C classes, N other images or codes, P prototypes, T tags or
triplets. Whatever the precision around them, losses are computed in float32 at least. A batch that
has nothing to teach (no pairs alike, no labels) costs 0.
"""

from models.losses.adversaries import (
    cosine_matching,
    distance_matching,
    hinge_discriminator,
    hinge_generator,
    representation_entropy,
)
from models.losses.asymmetric import (
    CodeSums,
    adsh,
    adsh_codes,
    backward_compatible,
    prototypes,
    teacher_regression,
)
from models.losses.centres import codebook, hash_centres, majority
from models.losses.classes import (
    arcface,
    csq,
    greedyhash,
    orthohash,
    proxy_anchor,
    soft_cross_entropy,
)
from models.losses.codes import (
    bernoulli_divergence,
    bihalf,
    correlation,
    half_bits,
    imbalance,
    quantisation,
    sampled_bits,
    sign,
)
from models.losses.pairs import (
    Pairs,
    batch_hard,
    contrastive,
    dpsh,
    hashnet,
    idhn,
    semi_hard,
    supcon,
    triplet,
    triplet_of_all,
)
from models.losses.reward import average_precision_reward, reinforce, triplet_reward
from models.losses.structure import neighbourhoods
from models.losses.views import (
    cibhash,
    consistency,
    dino,
    moco,
    moved_centre,
    ntxent,
    pseudo_label,
    sinkhorn,
    swapped,
)
from models.losses.words import (
    HOTTEST,
    clip,
    infonce,
    rarity,
    tag_target,
    tag_vectors,
    vsepp,
    wdht,
)

__all__ = [
    "HOTTEST",
    "CodeSums",
    "Pairs",
    "adsh",
    "adsh_codes",
    "arcface",
    "average_precision_reward",
    "backward_compatible",
    "batch_hard",
    "bernoulli_divergence",
    "bihalf",
    "cibhash",
    "clip",
    "codebook",
    "consistency",
    "contrastive",
    "correlation",
    "cosine_matching",
    "csq",
    "dino",
    "distance_matching",
    "dpsh",
    "greedyhash",
    "half_bits",
    "hash_centres",
    "hashnet",
    "hinge_discriminator",
    "hinge_generator",
    "idhn",
    "imbalance",
    "infonce",
    "majority",
    "moco",
    "moved_centre",
    "neighbourhoods",
    "ntxent",
    "orthohash",
    "prototypes",
    "proxy_anchor",
    "pseudo_label",
    "quantisation",
    "rarity",
    "reinforce",
    "representation_entropy",
    "sampled_bits",
    "semi_hard",
    "sign",
    "sinkhorn",
    "soft_cross_entropy",
    "supcon",
    "swapped",
    "tag_target",
    "tag_vectors",
    "teacher_regression",
    "triplet",
    "triplet_of_all",
    "triplet_reward",
    "vsepp",
    "wdht",
]
