"""A query of each form becomes a descriptor; one that cannot says which it was."""

import io
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image, ImageDraw

from data.regions import Region
from data.store import Store
from data.taxonomy import DescriptorType
from models.pixels import Transform
from tasks.searching.question import FORMS, REAL, BadQuery, Query, descriptors
from tasks.searching.search import Searcher
from tasks.searching.versions import resolve
from tests.tasks.conftest import World
from tests.tasks.rows import pictures

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


SCALES = (0.5, 1.0, 1.5)
SIDES = (16, 32, 48)


def at_sides(asked: Searcher, content: bytes) -> np.ndarray:
    """The mean of the descriptors of CONTENT at `SIDES`, at unit length, one after the other."""
    total = np.zeros(asked.width)
    for side in SIDES:
        pixels = torch.stack([Transform(size=side)(content)])
        total += asked.embedder.features(pixels)[0].numpy()
    return total / np.linalg.norm(total)


def test_a_picture_asks_with_the_mean_of_its_scales_whatever_its_form(life: "Life") -> None:
    asked = searcher(life)
    content, other = (path.read_bytes() for path in sorted(life.root.rglob("*.jpg"))[:2])
    sheet, region = drawing("white", "black"), Region(4, 6, 20, 16)
    out = io.BytesIO()
    Image.open(io.BytesIO(content)).crop((4, 6, 24, 22)).save(out, "PNG")
    queries = [
        Query("image", content, scales=SCALES),
        Query("sketch", drawing("black", "white"), scales=SCALES),
        Query("image", other),
        Query("region", (content, region), scales=SCALES),
    ]
    found = descriptors(asked, queries)
    for place, shown in ((0, content), (1, sheet), (3, out.getvalue())):
        np.testing.assert_allclose(found[place], at_sides(asked, shown), atol=1e-5)
    np.testing.assert_allclose(found[2], descriptors(asked, [Query.of(other)])[0], atol=1e-6)
    plain = descriptors(asked, [Query.of(content)])
    np.testing.assert_allclose(descriptors(asked, [Query("image", content, "", (1.0,))]), plain)
    assert not np.allclose(found[0], plain[0], atol=1e-3)
    with pytest.raises(BadQuery, match=r"^bad\.jpg cannot be searched for: not an image"):
        descriptors(asked, [queries[0], Query("image", b"no image", "bad.jpg", SCALES)])


def test_of_codes_the_features_have_the_mean_and_its_signs_ask(life: "Life") -> None:
    life.train = life.train.model_copy(update={"descriptor": DescriptorType.BINARY})
    asked = searcher(life)
    assert asked.metric == "hamming"
    content = next(life.root.rglob("*.jpg")).read_bytes()
    total = torch.zeros(16)
    for side in SIDES:
        total += asked.embedder.features(torch.stack([Transform(size=side)(content)]))[0]
    bits, real = (
        descriptors(asked, [Query(form, content, "", SCALES)])[0] for form in ("image", REAL)
    )
    assert np.array_equal(np.unpackbits(bits), (total >= 0).numpy())
    np.testing.assert_allclose(real, (total / total.norm()).numpy(), atol=1e-5)


def test_what_has_no_size_or_no_mean_is_asked_at_no_scales(life: "Life", store: Store) -> None:
    asked = searcher(life)
    for query in (
        Query("text", "a rose", scales=SCALES),
        Query("descriptor", np.ones(16, np.float32), scales=SCALES),
    ):
        with pytest.raises(ValueError, match="has no size at which it could be seen: leave the"):
            descriptors(asked, [query])
    with pytest.raises(ValueError, match="greater than 0 and at most 4, and not 5"):
        Query("image", b"", scales=(1, 5))
    with pytest.raises(ValueError, match="would see 3 x 3, and pictures have 8 to 1024 a side"):
        descriptors(asked, [Query("image", drawing("white", "black"), scales=(0.1,))])
    words = World(store, pa.uint16(), recipe="words", dataset="words")
    words.write(pictures(5))
    words.describe_all()
    lineage = words.night("run-1")
    held = Searcher(store, lineage.table, lineage.version)
    with pytest.raises(ValueError, match="holds visual words: scales ask with a mean of vectors"):
        descriptors(held, [Query("image", b"", scales=SCALES)])


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
