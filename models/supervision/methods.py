"""The methods of the supervisions, in words: what a table says of each without loading torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from data.taxonomy import DescriptorType

Batches = Literal["shuffled", "balanced", "mixed", "paired"]
"""How the pictures of a step are chosen: by lot; so many classes and so many pictures of each (the
P x K of metric learning); so many with labels and so many without; half of them by lot, and of each
one more that the supervision names."""

BITS: Final = (DescriptorType.BINARY,)
NUMBERS: Final = (DescriptorType.REAL_VALUED, DescriptorType.AGGREGATED)
ANY: Final = (*BITS, *NUMBERS)


@dataclass(frozen=True)
class Method:
    """One way to learn from the same annotations.

    Args:
        about: one sentence.
        cite: author, title, year of the paper.
        descriptors: for which it is made.
        batches: how it wants the pictures of a step chosen.
        closed_form: it learns by no steps, but finds the head of all pictures: no epochs needed.
        needs_term: it has no loss, and asks of the network one of its own.
        reads: it learns from whole sentences, and teaches a tower for text beside the encoder.
        codes: it learns the pictures' codes themselves, beside the encoder, which makes others'.
        renewed: before each epoch it finds its own targets of the pictures that it learns from, so
            that those of others are not known, and losses of two epochs say nothing of each other.
        anchors: its features point at `Anchors`, whose temperature hangs on the descriptor.
        temperature: of its loss, unless a recipe says another; None: none, or that of anchors.
        margin: of its loss, unless a recipe says another; None: it has none.
    """

    about: str
    cite: str
    descriptors: tuple[DescriptorType, ...] = ANY
    batches: Batches = "shuffled"
    closed_form: bool = False
    needs_term: bool = False
    reads: bool = False
    codes: bool = False
    renewed: bool = False
    anchors: bool = False
    temperature: float | None = None
    margin: float | None = None

    def has(self, number: str) -> bool:
        """Whether its loss has a NUMBER, temperature or margin, for a recipe to choose."""
        return getattr(self, number) is not None or (self.anchors and number == "temperature")


LABELS: Final[Mapping[str, Method]] = {
    "orthohash": Method(
        about="Bits point at the fixed codeword of their class.",
        cite="Hoe et al., One Loss for All: Deep Hashing with a Single Cosine Similarity "
        "based Learning Objective, 2021",
        descriptors=BITS,
        temperature=1 / 8,
        margin=0.2,
    ),
    "csq": Method(
        about="Each bit is that of the hash centre of the labels, a row of a Hadamard matrix.",
        cite="Yuan et al., Central Similarity Quantization for Efficient Image and Video "
        "Retrieval, 2020",
        descriptors=BITS,
    ),
    "greedyhash": Method(
        about="The very bits of a picture tell its class, and a gradient passes their sign.",
        cite="Su, Zhang, Han, Tian, Greedy Hash: Towards Fast Optimization for Accurate Hash "
        "Coding in CNN, 2018",
        descriptors=BITS,
    ),
    "dpsh": Method(
        about="The more bits two pictures share, the likelier they share a label.",
        cite="Li, Wang, Kang, Feature Learning based Deep Supervised Hashing with Pairwise "
        "Labels, 2016",
        descriptors=BITS,
    ),
    "hashnet": Method(
        about="As dpsh, rare likeness weighted up, with bits that sharpen as training goes on.",
        cite="Cao, Long, Wang, Yu, HashNet: Deep Learning to Hash by Continuation, 2017",
        descriptors=BITS,
    ),
    "idhn": Method(
        about="Two codes are as similar as the sets of labels of their pictures.",
        cite="Zhang et al., Improved Deep Hashing with Soft Pairwise Similarity for Multi-label "
        "Image Retrieval, 2019",
        descriptors=BITS,
    ),
    "adsh": Method(
        about="The codes of the pictures are learned themselves, and the network learns to say "
        "what finds them.",
        cite="Jiang, Li, Asymmetric Deep Supervised Hashing, 2018",
        descriptors=BITS,
        codes=True,
    ),
    "arcface": Method(
        about="Features point at the learned proxy of their class, by a margin of angle.",
        cite="Deng, Guo, Xue, Zafeiriou, ArcFace, 2019",
        descriptors=NUMBERS,
        temperature=1 / 16,
        margin=0.2,
    ),
    "proxy_anchor": Method(
        about="The learned proxy of a class pulls its pictures and pushes others, the hardest "
        "most.",
        cite="Kim, Kim, Cho, Kwak, Proxy Anchor Loss for Deep Metric Learning, 2020",
        descriptors=NUMBERS,
        temperature=1 / 32,
        margin=0.1,
    ),
    "supcon": Method(
        about="Each picture is to find all of its class among the batch.",
        cite="Khosla et al., Supervised Contrastive Learning, 2020",
        descriptors=NUMBERS,
        batches="balanced",
        temperature=0.1,
    ),
    "triplet": Method(
        about="The farthest picture of the class is to be nearer than the nearest other.",
        cite="Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person "
        "Re-Identification, 2017; the margin is that of Schroff et al., FaceNet, 2015",
        descriptors=NUMBERS,
        batches="balanced",
        margin=0.2,
    ),
    "contrastive": Method(
        about="Pictures of a class lie in one place, others farther apart than a margin.",
        cite="Hadsell, Chopra, LeCun, Dimensionality Reduction by Learning an Invariant Mapping, "
        "2006; the margin is that of Radenovic, Tolias, Chum, Fine-tuning CNN Image Retrieval "
        "with No Human Annotation, 2018",
        descriptors=NUMBERS,
        batches="balanced",
        margin=0.7,
    ),
}
"""Of class labels."""

WORDS: Final[Mapping[str, Method]] = {
    "wdht": Method(
        about="A picture points where its tags do, whose vectors are found from which tags stand "
        "together.",
        cite="Gattupalli, Zhuo, Li, Weakly Supervised Deep Image Hashing through Tag Embeddings, "
        "2019; the vectors are those of Levy, Goldberg, Neural Word Embedding as Implicit Matrix "
        "Factorization, 2014",
    ),
    "clicks": Method(
        about="Pictures find the words that were said of them and words their pictures, the "
        "oftener said the more it counts: by log(1 + clicks).",
        cite="Radford et al., Learning Transferable Visual Models From Natural Language "
        "Supervision, 2021; of clicks: Hua et al., Clickage, 2013",
        temperature=0.2,
    ),
    "clip": Method(
        about="Pictures find their sentences among those of the batch and sentences their "
        "pictures, by a temperature that is learned; a tower for text learns beside the encoder.",
        cite="Radford et al., Learning Transferable Visual Models From Natural Language "
        "Supervision, 2021",
        descriptors=(DescriptorType.BINARY, DescriptorType.REAL_VALUED),
        reads=True,
        temperature=0.07,
    ),
    "vsepp": Method(
        about="The nearest wrong sentence and picture are to be farther than the right ones, by a "
        "margin; a tower for text learns beside the encoder.",
        cite="Faghri, Fleet, Kiros, Fidler, VSE++: Improving Visual-Semantic Embeddings with Hard "
        "Negatives, 2018",
        descriptors=(DescriptorType.BINARY, DescriptorType.REAL_VALUED),
        reads=True,
        margin=0.2,
    ),
}
"""Of words: tags, captions, the queries of clicks."""

PICTURES: Final[Mapping[str, Method]] = {
    "cibhash": Method(
        about="The sampled bits of two views of a picture are to be the same.",
        cite="Qiu, Su, Ou, Yu, Chen, Unsupervised Hashing with Contrastive Information "
        "Bottleneck, 2021",
        descriptors=BITS,
        temperature=0.3,
    ),
    "simclr": Method(
        about="Each view of a picture is to find its twin among all views of the batch.",
        cite="Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive "
        "Learning of Visual Representations, 2020",
        descriptors=NUMBERS,
        temperature=0.2,
    ),
    "moco": Method(
        about="Each view is to find its twin, as a slower copy of the network sees it, among "
        "those of earlier batches.",
        cite="He, Fan, Wu, Xie, Girshick, Momentum Contrast for Unsupervised Visual "
        "Representation Learning, 2020",
        descriptors=NUMBERS,
        temperature=0.2,
    ),
    "dino": Method(
        about="Each view is to give the answer that a slower copy of the network gives to its "
        "twin.",
        cite="Caron et al., Emerging Properties in Self-Supervised Vision Transformers, 2021, "
        "without its local crops",
        descriptors=NUMBERS,
        temperature=0.1,
    ),
}
"""Of the pictures alone."""

STRUCTURE: Final[Mapping[str, Method]] = {
    "bihalf": Method(
        about="Bits of which each halves the batch are as similar as the pictures are.",
        cite="Li, van Gemert, Deep Unsupervised Image Hashing by Maximizing Bit Entropy, 2021",
        descriptors=BITS,
    ),
    "neighbours": Method(
        about="Features have the neighbours that the pictures have.",
        cite="Hinton, Roweis, Stochastic Neighbor Embedding, 2002",
        descriptors=NUMBERS,
        temperature=0.1,
    ),
    "mutual_neighbours": Method(
        about="Pictures find, among all of the step, the one that a walk from neighbour to "
        "neighbour leads to; neighbours are those that are among each other's nearest.",
        cite="Van Gansbeke et al., SCAN: Learning to Classify Images without Labels, 2020, of the "
        "nearest neighbours as positives; Tu, Mao, Wei, MLS3RDUH: Deep Unsupervised Hashing via "
        "Manifold based Local Semantic Similarity Structure Reconstructing, 2020, of likeness "
        "along the graph",
        batches="paired",
        temperature=0.3,
    ),
    "reconstruction": Method(
        about="What the network adds, a decoder's loss say, is all that teaches.",
        cite="Hinton, Salakhutdinov, Reducing the Dimensionality of Data with Neural "
        "Networks, 2006",
        needs_term=True,
    ),
    "itq": Method(
        about="Principal directions, turned so that their signs lose least.",
        cite="Gong, Lazebnik, Iterative Quantization: A Procrustean Approach to Learning "
        "Binary Codes, 2011",
        descriptors=BITS,
        closed_form=True,
    ),
    "pca_hash": Method(
        about="The signs of the principal directions.",
        cite="Wang, Kumar, Chang, Semi-Supervised Hashing for Scalable Image Retrieval, 2010",
        descriptors=BITS,
        closed_form=True,
    ),
    "pca": Method(
        about="The principal directions.",
        cite="Pearson, On Lines and Planes of Closest Fit to Systems of Points in Space, 1901",
        descriptors=(DescriptorType.REAL_VALUED,),
        closed_form=True,
    ),
}
"""Of the structure that the pictures have."""

SOME_LABELS: Final[Mapping[str, Method]] = {
    "fixmatch": Method(
        about="Where a weak view is sure of a class, it teaches the strong view.",
        cite="Sohn et al., FixMatch: Simplifying Semi-Supervised Learning with Consistency "
        "and Confidence, 2020",
        batches="mixed",
        anchors=True,
        margin=0.2,
    ),
    "mean_teacher": Method(
        about="The same, and an average of the encoder answers for the weak view.",
        cite="Tarvainen, Valpola, Mean Teachers are Better Role Models, 2017",
        batches="mixed",
        anchors=True,
        margin=0.2,
    ),
}
"""Of a few class labels and many pictures without."""

CLUSTERS: Final[Mapping[str, Method]] = {
    "deepcluster": Method(
        about="Features point at their cluster; before each epoch k-means finds new ones, the "
        "first ones among the pixels where the encoder is new.",
        cite="Caron, Bojanowski, Joulin, Douze, Deep Clustering for Unsupervised Learning "
        "of Visual Features, 2018",
        renewed=True,
        anchors=True,
        margin=0.0,
    ),
    "swav": Method(
        about="Each of two views is to tell the cluster of the other; all are used alike.",
        cite="Caron et al., Unsupervised Learning of Visual Features by Contrasting "
        "Cluster Assignments, 2020",
        temperature=0.1,
    ),
}
"""Of clusters, as if they were classes."""
