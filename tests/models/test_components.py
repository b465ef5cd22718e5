"""Components of a graph, against a walk from node to node."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.components import Components

NODES = 12
edges = st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)), max_size=16)


def oracle(nodes: int, pairs: list[tuple[int, int]]) -> list[int]:
    """The least node that each node can be reached from."""
    least = list(range(nodes))
    for start in range(nodes):
        waiting, seen = [start], {start}
        while waiting:
            node = waiting.pop()
            for a, b in pairs:
                for here, there in ((a, b), (b, a)):
                    if here == node and there not in seen:
                        seen.add(there)
                        waiting.append(there)
        least[start] = min(seen)
    return least


@given(st.lists(edges, max_size=4))
def test_nodes_hang_together_as_edges_lead_however_they_come(
    chunks: list[list[tuple[int, int]]],
) -> None:
    found = Components(NODES)
    for chunk in chunks:
        a, b = np.array(chunk, np.int64).reshape(-1, 2).T
        found.join(a, b)
    assert found.all().tolist() == oracle(NODES, [pair for chunk in chunks for pair in chunk])


@pytest.mark.parametrize("order", ["up", "down", "drawn"])
def test_a_long_chain_is_one_component(order: str) -> None:
    count = 20_000
    links = np.arange(count - 1)
    links = {
        "up": links,
        "down": links[::-1],
        "drawn": np.random.default_rng(0).permutation(links),
    }[order]
    found = Components(count)
    for part in np.array_split(links, 7):
        found.join(part, part + 1)
    assert not found.all().any()


def test_what_has_no_edge_is_its_own_component() -> None:
    assert Components(3).all().tolist() == [0, 1, 2]
    assert Components(0).all().tolist() == []
