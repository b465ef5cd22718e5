"""Cross-modal retrieval: words ask for pictures, or a picture for words."""

from typing import Final

from tasks.retrieval.kind import Kind

CROSS_MODAL: Final = Kind(
    about="Words ask for pictures, or a picture for words.",
    asks=("text", "image"),
    relevance="caption",
    right="The picture of a sentence, or the sentences of a picture.",
    distances=("cosine", "hamming"),
    headline="cmc@1[text-to-image]",
    also=("cmc@5[text-to-image]", "cmc@10[text-to-image]", "cmc@1[image-to-text]"),
    says=frozenset({"captions", "tags", "clicks"}),
    needs="captions, tags or clicked queries",
    protocols=("coco-karpathy", "flickr8k", "clickture-dev"),
    command="nightjar search --text 'a dog on a beach' --recipe photos",
    cite="Karpathy and Fei-Fei, Deep Visual-Semantic Alignments, CVPR 2015",
)
