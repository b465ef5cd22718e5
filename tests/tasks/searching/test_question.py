"""A query of each form becomes a descriptor; one that cannot says which it was."""

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw

from data.regions import Region
from tasks.searching.question import FORMS, BadQuery, Query, descriptors
from tasks.searching.search import Searcher
from tasks.searching.versions import resolve

if TYPE_CHECKING:
    from tests.tasks.conftest import Life


def searcher(life: "Life") -> Searcher:
    life.night()
    return Searcher(life.store, *resolve(life.store, life.recipe))


def test_queries_of_several_forms_become_descriptors_in_their_order(life: "Life") -> None:
    asked = searcher(life)
    first, second = (path.read_bytes() for path in sorted(life.root.rglob("*.jpg"))[:2])
    ready = np.arange(asked.width, dtype=np.float32)
    queries = [Query.of(first), Query.of(ready), Query.of(second)]
    assert [query.form for query in queries] == ["image", "descriptor", "image"]
    assert Query.of(queries[0]) is queries[0]
    vectors = descriptors(asked, queries)
    assert vectors.shape == (3, asked.width)
    assert np.array_equal(vectors[1], ready)
    for place, content in ((0, first), (2, second)):
        alone = descriptors(asked, [Query("image", content)])
        np.testing.assert_allclose(vectors[place], alone[0], atol=1e-6)


def test_a_region_asks_as_its_cut_out_does_and_one_beside_the_image_is_named(
    life: "Life",
) -> None:
    asked = searcher(life)
    content = next(life.root.rglob("*.jpg")).read_bytes()
    region = Region(4, 6, 20, 16)
    found = descriptors(asked, [Query("region", (content, region))])
    out = io.BytesIO()
    Image.open(io.BytesIO(content)).crop((4, 6, 24, 22)).save(out, "PNG")
    np.testing.assert_allclose(found, descriptors(asked, [Query.of(out.getvalue())]), atol=1e-6)
    for beside, wrong in ((Region(400, 6, 20, 16), content), (region, b"no image")):
        with pytest.raises(BadQuery, match=r"^a\.jpg#xywh=.* cannot be searched for: .*"):
            descriptors(asked, [Query("region", (wrong, beside), "a.jpg")])


def test_a_drawing_asks_as_black_on_white_whatever_it_is_drawn_on(life: "Life") -> None:
    asked = searcher(life)
    pencil, chalk = (drawing(*colours) for colours in (("white", "black"), ("black", "white")))
    plain = descriptors(asked, [Query("image", pencil)])
    both = descriptors(asked, [Query("sketch", pencil), Query("sketch", chalk)])
    np.testing.assert_allclose(both, np.repeat(plain, 2, axis=0), atol=1e-6)
    assert not np.allclose(descriptors(asked, [Query("image", chalk)]), plain, atol=1e-3)
    with pytest.raises(ValueError, match=r"^blank\.png cannot be searched for: it has no lines"):
        descriptors(asked, [Query("sketch", drawing("white", "white"), "blank.png")])
    with pytest.raises(BadQuery, match=r"^bad\.png cannot be searched for: not an image"):
        descriptors(asked, [Query("sketch", b"no image", "bad.png")])


def drawing(paper: str, ink: str) -> bytes:
    """A box of INK on PAPER, as a PNG."""
    image = Image.new("RGB", (64, 64), paper)
    ImageDraw.Draw(image).rectangle((12, 20, 50, 44), outline=ink, width=2)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_a_query_that_is_no_image_is_named(life: "Life") -> None:
    asked = searcher(life)
    good = Query("image", next(life.root.rglob("*.jpg")).read_bytes(), "good.jpg")
    with pytest.raises(BadQuery, match=r"^bad\.jpg cannot be searched for: not an image") as found:
        descriptors(asked, [good, Query("image", b"no image", "bad.jpg")])
    assert found.value.reason == "not an image"


def test_an_unknown_form_is_refused_with_those_there_are(life: "Life") -> None:
    with pytest.raises(ValueError, match="Unknown form of query 'smell': choose from descriptor"):
        descriptors(searcher(life), [Query("smell", "roses")])
    assert all(form.about for form in FORMS.values())
