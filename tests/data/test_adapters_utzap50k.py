"""UT-Zap50K: brands spelt in three ways, cells of several values, rows and pictures unmatched."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.adapters import open_dataset
from data.adapters.utzap50k import plain
from data.protocols import PROTOCOLS, Picture, sets_of
from data.sample import Sample
from tests.data.miniatures_utzap50k import KEYS, META, utzap50k, write_pictures, write_zip

Draw = Callable[..., bytes]


def samples(root: Path, **options: Any) -> list[Sample]:
    return list(open_dataset("utzap50k", str(root), options).samples())


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("form", ["images", "images-square"])
def test_a_brand_has_one_spelling_in_every_layout(
    tmp_path: Path, draw: Draw, form: str, packed: bool
) -> None:
    write_pictures(tmp_path, draw, form, packed)
    dataset = open_dataset("utzap50k", str(tmp_path), {"pictures": form, "attributes": False})
    found = list(dataset.samples())
    assert [one.key for one in found] == sorted(KEYS)
    assert list(dataset.read([one.uri for one in found])) == [
        draw(KEYS.index(key)) for key in sorted(KEYS)
    ]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("ut-zap50k-images-square/Shoes/Flats/W.A.G%2E/1.2.jpg", "Shoes/Flats/W.A.G/1.2.jpg"),
        ("Shoes/Flats/W.A.G./1.2.jpg", "Shoes/Flats/W.A.G/1.2.jpg"),
        ("./x/Shoes/Flats/Levi's&#174;/1.2.jpg", "Shoes/Flats/Levi's®/1.2.jpg"),
        ("Shoes/Flats/100%/1.2.jpg", "Shoes/Flats/100%/1.2.jpg"),
        ("ut-zap50k-images/readme.txt", ""),
    ],
)
def test_a_key_has_neither_last_dots_nor_escapes(name: str, key: str) -> None:
    assert plain(name) == key


def test_labels_are_four_categories_or_the_subcategories_below_them(
    tmp_path: Path, draw: Draw
) -> None:
    utzap50k(tmp_path, draw)
    found = samples(tmp_path)
    assert [one.labels for one in found] == [("Boots",), ("Sandals",), ("Shoes",), ("Shoes",)]
    assert [one.labels[0] for one in samples(tmp_path, labels="subcategory")] == [
        "Boots/Knee High", "Sandals/Flat", "Shoes/Heels", "Shoes/Oxfords",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"option labels.*'category' or 'subcategory'"):
        open_dataset("utzap50k", str(tmp_path), {"labels": "brand"})


@pytest.mark.parametrize("where", ["zip", "ut-zap50k-data/meta-data.csv", "meta-data.csv"])
def test_each_value_of_a_cell_is_a_tag_and_a_dash_is_a_dot(
    tmp_path: Path, draw: Draw, where: str
) -> None:
    utzap50k(tmp_path, draw)
    if where != "zip":
        (tmp_path / "ut-zap50k-data.zip").unlink()
        (tmp_path / where).parent.mkdir(exist_ok=True)
        (tmp_path / where).write_text(META)
    assert {one.key: one.tags for one in samples(tmp_path)} == {
        KEYS[0]: (
            "HeelHeight.3in - 3 3/4in",
            "Insole.Padded",
            "Closure.Zipper",
            "Closure.Pull-on",
            "Gender.Women",
        ),
        KEYS[1]: (),
        KEYS[2]: (),
        KEYS[3]: (
            "Closure.Lace up",
            "Gender.Men",
            "Material.Leather",
            "ToeStyle.Capped Toe",
            "ToeStyle.Round Toe",
        ),
    }


def test_rows_and_pictures_without_a_partner_are_counted_and_named(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    utzap50k(tmp_path, draw)
    with caplog.at_level(logging.WARNING):
        samples(tmp_path)
    assert "1 pictures without a row, first Shoes/Heels/Levi's®/5555.5.jpg" in caplog.text
    assert "1 rows without a picture, first Slippers/Slipper Flats/9999-3" in caplog.text


def test_a_row_is_found_by_its_cid_where_its_folders_are_spelt_otherwise(
    tmp_path: Path, draw: Draw, caplog: pytest.LogCaptureFixture
) -> None:
    write_pictures(tmp_path, draw)
    text = META.replace("Knee High", "Knee-High").replace("9999-3,", "5555-5,")
    (tmp_path / "meta-data.csv").write_text(text)
    tags = {one.key: one.tags for one in samples(tmp_path)}
    assert "Insole.Padded" in tags[KEYS[0]]
    assert "Material.Wool" in tags[KEYS[2]]
    assert "without" not in caplog.text


def test_a_cid_in_two_categories_is_told_apart_by_them(tmp_path: Path, draw: Draw) -> None:
    write_pictures(tmp_path, draw)
    twin = "100627-72,Boots,Ankle,,,,,Rubber,\n"
    (tmp_path / "meta-data.csv").write_text(META + twin)
    assert "Material.Leather" in samples(tmp_path)[3].tags
    (tmp_path / "meta-data.csv").write_text((META + twin).replace("Oxfords", "Oxford"))
    assert samples(tmp_path)[3].tags == (), "two rows have its CID, and none its folders"
    (tmp_path / "meta-data.csv").write_text(META + META.splitlines()[1] + "\n")
    with pytest.raises(ValueError, match=r"meta-data\.csv: Shoes/Oxfords/100627-72 is there twice"):
        samples(tmp_path)


def test_what_is_missing_is_named_and_how_to_do_without(tmp_path: Path, draw: Draw) -> None:
    write_pictures(tmp_path, draw)
    with pytest.raises(FileNotFoundError, match=r"No ut-zap50k-data\.zip .*attributes: false"):
        samples(tmp_path)
    assert [one.tags for one in samples(tmp_path, attributes=False)] == [()] * 4
    with pytest.raises(FileNotFoundError, match=r"images-square\.zip .*\(pictures: images takes"):
        samples(tmp_path, pictures="images-square")
    write_zip(tmp_path / "ut-zap50k-data.zip", {"readme.txt": b"x"})
    with pytest.raises(FileNotFoundError, match=r"holds no ut-zap50k-data/meta-data\.csv"):
        samples(tmp_path)
    (tmp_path / "ut-zap50k-images-square").mkdir()
    with pytest.raises(FileNotFoundError, match="No picture lies in"):
        samples(tmp_path, pictures="images-square")


def test_a_table_without_a_column_is_named(tmp_path: Path, draw: Draw) -> None:
    write_pictures(tmp_path, draw)
    (tmp_path / "meta-data.csv").write_text(META.replace("ToeStyle", "Toe"))
    with pytest.raises(ValueError, match=r"meta-data\.csv has no column ToeStyle"):
        samples(tmp_path)


@pytest.mark.parametrize("packed", [True, False])
def test_pictures_that_lie_elsewhere_or_have_one_key_are_named(
    tmp_path: Path, draw: Draw, packed: bool
) -> None:
    top = "ut-zap50k-images"
    for names, said in (
        (("Hats/Bowler/A/1.1.jpg",), "is in no category of shoes"),
        (("Shoes/Flats/A%2E/1.1.jpg", "Shoes/Flats/A/1.1.jpg"), "'Shoes/Flats/A/1.1.jpg' twice"),
    ):
        home = tmp_path / str(len(names))
        if packed:
            write_zip(home / f"{top}.zip", {f"{top}/{name}": draw(1) for name in names})
        for name in () if packed else names:
            (home / top / name).parent.mkdir(parents=True, exist_ok=True)
            (home / top / name).write_bytes(draw(1))
        with pytest.raises(ValueError, match=f"{top}.*{said}"):
            samples(home, attributes=False)


def test_the_unpublished_split_is_drawn_alike_and_as_large_as_the_papers(
    tmp_path: Path, draw: Draw
) -> None:
    told = PROTOCOLS["utzap50k-ssdh"]
    keys = [f"Shoes/Flats/A/{number}.1.jpg" for number in range(50_025)]
    sets = sets_of([Picture(key, ("Shoes",), "all") for key in keys], told)
    assert (len(sets.queries), len(sets.database), len(sets.train)) == told.sizes
    few = told.model_copy(update={"queries": told.queries.model_copy(update={"count": 2})})
    drawn = []
    for form in ("images", "images-square"):
        write_pictures(tmp_path, draw, form)
        found = samples(tmp_path, pictures=form, attributes=False)
        drawn.append(sets_of([Picture(one.key, one.labels, one.split) for one in found], few))
    assert drawn[0] == drawn[1]
    assert len(drawn[0].queries) == 2
