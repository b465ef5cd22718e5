"""A list of images: its columns, its rows, its stamps, and what is said of a broken one."""

import gzip
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.adapters import open_dataset
from data.adapters.columns import at_most_one
from data.adapters.duplicates import SeenKeys, marks
from data.sample import BOX, Box, Sample


def samples(path: Path, text: str | pa.Table, **options: Any) -> list[Sample]:
    if isinstance(text, pa.Table):
        pq.write_table(text, path)
    else:
        path.write_text(text)
    return list(open_dataset("list", str(path), options).samples())


def test_a_csv_says_all_that_a_sample_can_hold_but_boxes(tmp_path: Path) -> None:
    text = (
        "key,uri,size,mtime,etag,labels,tags,captions,split\n"
        "k1,/a/1.jpg,5,7,e1, cat ; dog;,sea;sun,a boat;a man,train\n"
        "k2,s3://b/2.jpg,6,8,,,,,\n"
    )
    assert samples(tmp_path / "l.csv", text) == [
        Sample(
            "k1", "/a/1.jpg", 5, 7, "e1",
            ("cat", "dog"), ("sea", "sun"), ("a boat", "a man"), (), "train",
        ),
        Sample("k2", "s3://b/2.jpg", 6, 8),
    ]  # fmt: skip


def test_parquet_says_it_in_lists_numbers_and_time_stamps_of_any_width(tmp_path: Path) -> None:
    box = {"label": "cat", "x": 1.0, "y": 2.0, "width": 3.0, "height": 4.0, "crowd": False}
    rows = pa.table(
        {
            "path": pa.array(["a.jpg", "b.jpg"]).dictionary_encode(),
            "size": pa.array([5, 6], pa.uint32()),
            "mtime": pa.array([1_700_000_000_000_001, None], pa.timestamp("us", tz="UTC")),
            "etag": ["", "e"],
            "labels": pa.array([[1, 2], None], pa.large_list(pa.int16())),
            "caption": ["one; whole", None],
            "boxes": pa.array([[box], None], pa.list_(BOX)),
        }
    )
    first, second = samples(tmp_path / "l.parquet", rows)
    assert first.uri == f"{tmp_path}/a.jpg"
    assert (first.key, first.size, first.mtime) == ("a.jpg", 5, 1_700_000_000_000_001_000)
    assert (first.labels, first.captions) == (("1", "2"), ("one; whole",))
    assert first.boxes == (Box("cat", 1, 2, 3, 4),)
    assert (second.labels, second.captions, second.boxes) == ((), (), ())
    assert (second.mtime, second.etag) == (0, "e")


def test_a_path_lies_beside_the_list_and_names_its_picture(tmp_path: Path) -> None:
    text = "path,size,etag\nsub/a b.jpg,1,e\n../c.jpg,1,e\nt.tar#512,9,e\n"
    (tmp_path / "lists").mkdir()
    found = samples(tmp_path / "lists" / "l.csv", text.replace("t.tar#512,9", '"t.tar#512,9",9'))
    assert [(one.key, one.uri) for one in found] == [
        ("sub/a b.jpg", f"{tmp_path}/lists/sub/a b.jpg"),
        ("../c.jpg", f"{tmp_path}/lists/../c.jpg"),
        ("t.tar#512,9", f"{tmp_path}/lists/t.tar#512,9"),
    ]


def test_files_are_asked_for_what_the_list_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"12345")
    os.utime(tmp_path / "a.jpg", ns=(1, 1_700_000_000_000_000_001))
    text = "path,size,mtime\na.jpg,,\na.jpg#1,2,9\nlost.jpg,,\n"
    text = "key,path,size,mtime\nk,a.jpg,,\nl,a.jpg,4,\nm,a.jpg,4,9\nn,lost.jpg,,\n"
    text += 'o,"a.jpg#1,2",,\n'
    stamp = 1_700_000_000_000_000_001
    found = samples(tmp_path / "l.csv", text)
    assert [(one.key, one.size, one.mtime) for one in found] == [
        ("k", 5, stamp), ("l", 4, stamp), ("m", 4, 9), ("n", 0, 0), ("o", 2, stamp)
    ]  # fmt: skip
    trusting = samples(tmp_path / "l.csv", text, stat=False)
    assert [(one.size, one.mtime) for one in trusting] == [(0, 0), (4, 0), (4, 9), (0, 0), (0, 0)]


def test_columns_may_have_any_name(tmp_path: Path) -> None:
    text = "datei;x\ta\ta b\n1.jpg\tcat|dog\tmany words; here\n"
    found = samples(
        tmp_path / "l.tsv",
        text,
        columns={"uri": "datei;x", "labels": "a", "captions": "a b"},
        separator="|",
    )
    assert found[0].labels == ("cat", "dog")
    assert found[0].captions == ("many words; here",)


def test_a_text_of_one_column_may_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    found = samples(
        tmp_path / "l.csv", 'path,label,caption\na.jpg,x;y,"he said ""no"";\nand left"\n'
    )
    assert found[0].labels == ("x;y",)
    assert found[0].captions == ('he said "no";\nand left',)


def test_words_that_look_like_numbers_or_nothing_stay_words(tmp_path: Path) -> None:
    found = samples(tmp_path / "l.csv", "path,label,split\n007.jpg,0042,NA\n1e5,null,1.0\n")
    assert [(one.key, one.labels, one.split) for one in found] == [
        ("007.jpg", ("0042",), "NA"),
        ("1e5", ("null",), "1.0"),
    ]


def test_a_packed_list_is_unpacked_on_the_way(tmp_path: Path) -> None:
    path = tmp_path / "l.csv.gz"
    path.write_bytes(gzip.compress(b"path\na.jpg\n"))
    assert next(open_dataset("list", str(path), {}).samples()).key == "a.jpg"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "has no column uri, path or url but a, b"),
        ("path\na\n\nb\na\n", "rows 1 and 3 have the same key 'a'"),
        ("path,size\na,1\n,2\n", "row 2 has no uri"),
        ("key,path\nx,a\ny,b\n,c\n", "row 3 has no key"),
        ("path,size\na,1\nb,many\n", "CSV conversion error to int64: invalid value 'many'"),
        ("path,size\na,1\nb\n", "Expected 2 columns, got 1"),
        ("", "Empty CSV file"),
    ],
)
def test_a_broken_list_says_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        samples(tmp_path / "broken.csv", text)
    assert "broken.csv" in str(error.value)


def test_a_list_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_bytes(b"path\ncaf\xe9.jpg\n")
    with pytest.raises(ValueError, match=r"l\.csv.*UTF8"):
        list(open_dataset("list", str(path), {}).listing())


def test_a_list_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"l\.xlsx is no list .* \.parquet"):
        samples(tmp_path / "l.xlsx", "path\n")


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"l\.parquet: Parquet magic bytes not found"):
        samples(tmp_path / "l.parquet", "path\n" * 10)


def test_a_column_of_the_wrong_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"column size after row 0: .*'big'"):
        samples(tmp_path / "l.parquet", pa.table({"path": ["a"], "size": ["big"]}))


def test_columns_that_are_not_there_or_not_ours_are_refused_with_the_choices(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match=r"Unknown column of .*'labl': choose from label, path"):
        samples(tmp_path / "l.csv", "path,label\na,b\n", columns={"labels": "labl"})
    with pytest.raises(ValueError, match=r"Unknown column 'lable': .*Did you mean 'labels'"):
        open_dataset("list", "l.csv", {"columns": {"lable": "x"}})


def test_a_key_that_comes_twice_is_found_across_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.adapters.rows.BLOCK", 64)
    rows = [f"picture{number:03d}.jpg" for number in range(50)]
    text = "\n".join(["path", *rows, rows[3]]) + "\n"
    path = tmp_path / "l.csv"
    path.write_text(text)
    batches = open_dataset("list", str(path), {}).listing()
    first = next(batches)
    assert len(first) < 10
    with pytest.raises(ValueError, match="rows 4 and 51 have the same key"):
        list(batches)


@given(st.lists(st.lists(st.text(max_size=3), max_size=5), max_size=4))
def test_keys_are_marked_alike_in_any_batch(batches: list[list[str]]) -> None:
    together = pa.array([key for batch in batches for key in batch], pa.string())
    apart = [mark for batch in batches for mark in marks(pa.array(batch, pa.string()))]
    assert list(marks(together)) == apart
    assert list(marks(together[1:])) == apart[1:]


@given(st.lists(st.lists(st.text(max_size=3), max_size=5), max_size=4))
def test_keys_are_suspect_where_two_are_equal(batches: list[list[str]]) -> None:
    with SeenKeys() as seen:
        for batch in batches:
            seen.add(pa.array(batch, pa.string()))
        suspects = set(seen.suspects())
    together = [key for batch in batches for key in batch]
    twice = {key for key in together if together.count(key) > 1}
    assert suspects == set(marks(pa.array(sorted(twice), pa.string())))


@given(st.lists(st.one_of(st.none(), st.text(max_size=4))))
def test_a_text_is_a_list_of_it_and_nothing_an_empty_list(texts: list[str | None]) -> None:
    expected = [[text] if text else [] for text in texts]
    assert at_most_one(pa.array(texts, pa.string())).to_pylist() == expected
