"""Sketch-based retrieval: a drawing asks for photographs."""

from typing import Final

from tasks.retrieval.kind import LABELS, Kind

SKETCH_BASED: Final = Kind(
    about="A drawing asks for photographs of what is drawn.",
    asks=("sketch", "image"),
    relevance="same_label",
    right="Photographs of the class that is drawn, or the one that was drawn from.",
    distances=("cosine", "hamming", "asmk"),
    headline="map[all]",
    also=("map@200[hits]", "p@100"),
    says=LABELS,
    needs="sketches and photographs under the same labels",
    protocols=("sketchy", "qmul-chairs", "pix2pix-edges2shoes", "pix2pix-unseen"),
    command="nightjar search SKETCH --as sketch --recipe RECIPE",
    cite="Sangkloy, Burnell, Ham, Hays, The Sketchy Database, SIGGRAPH 2016",
)
