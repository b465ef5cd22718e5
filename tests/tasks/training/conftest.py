"""What the tests of training share: a dataset of forty pictures."""

import pytest

from data.store import Store
from tests.tasks.training.courses import BAD, Draw, fill


@pytest.fixture
def version(store: Store, draw: Draw) -> int:
    """40 pictures of four classes in two shards, one of which cannot be decoded."""
    contents = [draw(number) for number in range(39)] + [BAD]
    return fill(store, contents, [[f"c{number % 4}"] for number in range(40)])
