"""Official layouts under a URL say and give the same as on a disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest

from data.adapters import open_dataset
from tests.data.miniatures_clickture import clickture
from tests.data.miniatures_landmarks import gldv1, gldv2
from tests.data.miniatures_revisited import roxford5k, rparis6k

Draw = Callable[..., bytes]


@pytest.mark.parametrize("make", [clickture, gldv1, gldv2, roxford5k, rparis6k])
def test_a_layout_under_a_url_holds_the_same(
    make: Callable[[Path, Draw], dict[str, Any]], tmp_path: Path, draw: Draw
) -> None:
    name, home = make.__name__, tmp_path / "home"
    make(home, draw)
    files = fsspec.filesystem("memory")
    for path in home.rglob("*"):
        if path.is_file():
            files.pipe(f"/{name}/{path.relative_to(home).as_posix()}", path.read_bytes())
    here = open_dataset(name, str(home), {})
    there = open_dataset(name, f"memory://{name}", {})
    near, far = list(here.samples()), list(there.samples())
    for one, two in zip(near, far, strict=True):
        assert (one.key, one.split, one.size) == (two.key, two.split, two.size)
        assert (one.labels, one.tags, one.boxes) == (two.labels, two.tags, two.boxes)
        assert two.uri.startswith("memory://")
    expected = list(here.read([one.uri for one in near]))
    assert list(there.read([one.uri for one in far])) == expected
    files.rm(f"/{name}", recursive=True)
