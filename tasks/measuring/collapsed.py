"""Encoders that give nearly all pictures one descriptor: what has to be known of their figures."""

import numpy as np

from tasks.measuring.queries import Queries


def collapse_notes(queries: Queries) -> list[str]:
    """That the descriptors of QUERIES are nearly all the same, in a sentence; else nothing.

    They are where there are fewer than half as many as there are kinds of pictures: sets of labels
    where labels say who is alike, else the pictures themselves. A few codes for each label are what
    learning from labels aims at, and no fault. One pass over their vectors (Q, width).
    """
    labelled = queries.protocol == "labels"
    kinds = len(set(queries.labels if labelled else queries.keys))
    found = len(np.unique(queries.vectors, axis=0))
    if kinds < 2 or (found > 1 and 2 * found >= kinds):
        return []
    of = f", of {kinds:,} different labels," if labelled else ""
    return [
        f"The encoder collapsed: {len(queries.keys):,} queries{of} have {found:,} different "
        "descriptors among them, so search can hardly tell pictures apart. Train it for more "
        "epochs, or by another method (nightjar methods lists them)."
    ]
