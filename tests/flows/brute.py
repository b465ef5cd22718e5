"""Rankings by plain loops over what an index holds: what the tests of protocols compare with."""

from typing import Any

import numpy as np

from tests.flows.album import Album

Ranking = list[tuple[float, str]]


def ranking(album: Album, query: Any, keys: list[str]) -> Ranking:
    """KEYS by their cosine distance to QUERY, computed in float64."""
    rows = album.rows()

    def unit(vector: Any) -> Any:
        wide = np.asarray(vector, np.float64)
        return wide / np.linalg.norm(wide)

    return sorted((float(1 - unit(query) @ unit(rows[key][2])), key) for key in keys)


def precision(ranked: Ranking, right: set[str]) -> float:
    """Average precision over all ranks."""
    hits = [key in right for _, key in ranked]
    return float(np.mean([sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit]))
