"""Clickture: clicks summed and sorted, base64 read where it lies, and queries that stay private."""

import base64
import bz2
import gzip
import io
import logging
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.adapters import clicks, open_dataset
from data.adapters.clickture import Clickture
from data.sample import Sample
from tests.data.miniatures_clickture import clickture, coded, line

Draw = Callable[..., bytes]
SECRET = "my own name and street"


def found(root: Path, **options: Any) -> dict[str, Sample]:
    return {one.key: one for one in open_dataset("clickture", str(root), options).samples()}


@pytest.fixture
def home(tmp_path: Path, draw: Draw) -> Path:
    """The miniature."""
    clickture(tmp_path / "home", draw)
    return tmp_path / "home"


def test_clicks_of_one_picture_and_query_are_summed_whatever_their_capitals(home: Path) -> None:
    told = found(home, counted=False)
    assert told["train/k1"].tags == ("black cat", "cat"), "2 + 3 clicks before 4"
    assert told["train/k0"].tags == ('a dog\'s "life"',), "a quote is a letter like others"
    assert told["train/k2"].tags == ()
    as_typed = found(home, lower=False, counted=False)
    assert as_typed["train/k1"].tags == ("cat", "black cat", "Black Cat")
    assert found(home, clicks=5, counted=False)["train/k1"].tags == ("black cat",)


def test_a_query_stands_there_once_a_bit_of_its_clicks(home: Path) -> None:
    told = found(home)
    assert told["train/k1"].tags == ("black cat",) * 3 + ("cat",) * 2, "of 5 clicks and 4"
    assert told["train/k0"].tags == ('a dog\'s "life"',) * 3, "of 7 clicks"
    assert told["train/k2"].tags == ()
    many = [1, 2, 3, 6, 100, 10**9]
    (home / "Train" / "TrainClickLog.tsv").write_text(
        "".join(line("k2", f"q{count}", count) for count in many)
    )
    tags = found(home)["train/k2"].tags
    for count in many:
        assert tags.count(f"q{count}") == round(math.log2(1 + count)), count
    assert len(tags) == sum(round(math.log2(1 + count)) for count in many)


def test_judgements_stand_before_the_queries_of_dev_pictures_best_first(home: Path) -> None:
    told = found(home, splits=["dev"], clicks=9)
    assert told["dev/d1"].tags == ("excellent/dog", "bad/cat")
    assert told["dev/d0"].tags == ("good/dog",)


def test_pictures_are_decoded_from_where_they_lie_and_bad_base64_is_an_error(
    home: Path, draw: Draw
) -> None:
    table = home / "Train" / "TrainImages.tsv"
    table.write_text(
        line("k0", coded(draw(0)))
        + line("k1", coded(draw(1))[:-5] + "!!!!")
        + line("k2", coded(draw(2))[:-1])
        + line("k3", "")
        + line("k4", coded(draw(4)))
    )
    told = found(home, splits=["train"])
    dataset = open_dataset("clickture", str(home), {})
    contents = list(dataset.read([one.uri for one in told.values()]))
    assert contents[0] == draw(0)
    assert contents[4] == draw(4)
    for content, said in zip(contents[1:4], ("base64", "base64", "empty"), strict=True):
        assert isinstance(content, OSError)
        assert said in str(content)
        assert "TrainImages.tsv#" in str(content)


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2")])
def test_packed_tables_say_the_same_and_are_read_in_any_order(
    home: Path, pack: Callable[[bytes], bytes], suffix: str
) -> None:
    plain = found(home)
    dataset = open_dataset("clickture", str(home), {})
    expected = list(dataset.read([one.uri for one in plain.values()]))
    for path in [*(home / "Train").iterdir(), *(home / "Dev").iterdir()]:
        path.with_name(path.name + suffix).write_bytes(pack(path.read_bytes()))
        path.unlink()
    packed = found(home)
    assert list(packed) == list(plain)
    for key, one in packed.items():
        assert (one.tags, one.size) == (plain[key].tags, plain[key].size)
    uris = [one.uri for one in packed.values()]
    assert list(dataset.read(uris)) == expected
    assert list(dataset.read(uris[::-1])) == expected[::-1]
    beyond = uris[0].rpartition("#")[0] + "#999999,8"
    first, gone, last = dataset.read([uris[0], beyond, uris[1]])
    assert (first, last) == (expected[0], expected[1])
    assert isinstance(gone, OSError)


def test_a_cut_packed_table_is_an_error_that_names_it(home: Path) -> None:
    told = found(home)
    table = home / "Train" / "TrainImages.tsv"
    packed = table.with_name("TrainImages.tsv.gz")
    packed.write_bytes(gzip.compress(table.read_bytes())[:-40])
    table.unlink()
    with pytest.raises(ValueError, match=r"TrainImages\.tsv\.gz is cut or damaged"):
        found(home)
    uri = told["train/k2"].uri.replace(".tsv#", ".tsv.gz#")
    answers = list(open_dataset("clickture", str(home), {}).read([uri, uri]))
    assert len(answers) == 2
    assert all(isinstance(answer, OSError) and "cut" in str(answer) for answer in answers)


def test_clicks_on_pictures_that_are_not_there_are_counted(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        told = found(home)
    assert "train: 1 keys of no picture" in caplog.text
    assert set(told) == {"train/k0", "train/k1", "train/k2", "dev/d0", "dev/d1"}


def test_columns_may_come_in_another_order(home: Path) -> None:
    before = found(home)
    for name, order in (
        ("Train/TrainClickLog.tsv", (2, 1, 0)),
        ("Dev/DevSetLabel.tsv", (1, 0, 2)),
        ("Train/TrainImages.tsv", (1, 0)),
    ):
        rows = [row.split("\t") for row in (home / name).read_text().splitlines()]
        (home / name).write_text("".join(line(*(row[at] for at in order)) for row in rows))
    (home / "Dev" / "DevSetImages.tsv").write_text(
        (home / "Dev" / "DevSetImages.tsv").read_text().replace("\t", "\thttp://x\t")
    )
    options = {
        "log_columns": ["clicks", "query", "key"],
        "dev_columns": ["key", "query", "label"],
    }
    train = found(home, splits=["train"], image_columns=["image", "key"], **options)
    dev = found(home, splits=["dev"], image_columns=["key", "url", "image"], **options)
    for key, one in (train | dev).items():
        assert (one.tags, one.size) == (before[key].tags, before[key].size)
    with pytest.raises(ValueError, match=r"option log_columns is .*clicks, key, query"):
        open_dataset("clickture", "x", {"log_columns": ["key", "query", "query"]})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TrainClickLog.tsv", line("k1", "cat", 1) + line("k1", SECRET)),
        ("TrainClickLog.tsv", line("k1", "1", SECRET)),
        ("TrainClickLog.tsv", line("k1", "cat", 1) + line("k1", SECRET, "x", 3)),
        ("DevSetLabel.tsv", line("Good", "d1", SECRET)),
    ],
)
def test_no_message_repeats_a_query(
    home: Path, name: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = next(home.rglob(name))
    path.write_text(text)
    with caplog.at_level(logging.DEBUG), pytest.raises(ValueError, match=name) as caught:
        found(home)
    assert "own name" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "own name" not in caplog.text


def test_a_listing_that_nobody_reads_on_leaves_nothing_behind(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for _ in range(2):
        listing = open_dataset("clickture", str(home), {}).listing()
        next(listing)
        assert [path.name[:16] for path in (tmp_path / "temporary").iterdir()] == [
            "nightjar-clicks-"
        ]
        del listing
        assert not list((tmp_path / "temporary").iterdir())


def test_terms_say_that_queries_are_personal_data() -> None:
    assert "personal data" in Clickture.card.terms
    assert Clickture.card.access == "by agreement"


def test_a_query_that_is_not_utf_8_is_kept_as_far_as_it_is(home: Path) -> None:
    (home / "Train" / "TrainClickLog.tsv").write_bytes(b"k0\tcaf\xe9\t1\nk1\tth\xc3\xa9\t1\n")
    told = found(home, splits=["train"])
    assert told["train/k0"].tags == ("caf\N{REPLACEMENT CHARACTER}",)
    assert told["train/k1"].tags == ("th\N{LATIN SMALL LETTER E WITH ACUTE}",)


def test_a_line_with_too_few_columns_is_named(home: Path) -> None:
    with (home / "Train" / "TrainImages.tsv").open("a") as out:
        out.write("\nk9\n")
    with pytest.raises(ValueError, match=r"TrainImages\.tsv: line 5 has 1 columns and not 2"):
        found(home)


@pytest.mark.parametrize("name", ["TrainClickLog", "TrainImage", "DevSetLabel", "DevSetImage"])
def test_a_missing_table_is_named(home: Path, name: str) -> None:
    next(home.rglob(f"{name}*")).unlink()
    with pytest.raises(FileNotFoundError, match=rf"No {name}\* in .*home"):
        found(home)


def test_pictures_may_be_in_several_tables(home: Path, draw: Draw) -> None:
    before = found(home)
    (home / "Train" / "TrainImages2.tsv").write_text(line("k9", coded(draw(77))))
    both = found(home)
    assert {key: one for key, one in both.items() if key != "train/k9"} == before
    uri = both["train/k9"].uri
    assert list(open_dataset("clickture", str(home), {}).read([uri])) == [draw(77)]


@given(
    pictures=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=12),
    block=st.integers(1, 80),
    ends=st.sampled_from(["\n", "\r\n", "\n\n"]),
    last=st.booleans(),
)
def test_offsets_are_right_wherever_a_block_ends(
    tmp_path_factory: pytest.TempPathFactory,
    pictures: list[bytes],
    block: int,
    ends: str,
    last: bool,
) -> None:
    path = tmp_path_factory.mktemp("table") / "x.tsv"
    text = ends.join(f"k\xe9{n}\t{coded(content)}" for n, content in enumerate(pictures))
    path.write_bytes((text + ends * last).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clicks, "BLOCK", block)
        rows = [
            row
            for batch in clicks.pictures(str(path), ("key", "image"), 5)
            for row in batch.to_pylist()
        ]
    assert [row["key"] for row in rows] == [f"k\xe9{n}" for n in range(len(pictures))]
    assert [row["position"] for row in rows] == list(range(5, 5 + len(pictures)))
    assert [row["size"] for row in rows] == [len(content) for content in pictures]
    whole = io.BytesIO(path.read_bytes())
    for row, content in zip(rows, pictures, strict=True):
        offset, length = map(int, row["uri"].rpartition("#")[2].split(","))
        whole.seek(offset)
        assert base64.b64decode(whole.read(length), validate=True) == content


@pytest.mark.parametrize("rows", [1, 2, 3, 1000])
@pytest.mark.parametrize("counted", [False, True])
def test_what_is_said_of_a_picture_stays_together_in_any_batch(
    tmp_path: Path, rows: int, counted: bool
) -> None:
    table, log = tmp_path / "images.tsv", tmp_path / "log.tsv"
    table.write_text("".join(line(f"k{n}", "AAAA") for n in range(9)))
    log.write_text("".join(line(f"k{n}", f"q{q}", 9 - q) for q in range(5) for n in range(0, 9, 2)))
    clicks.write(
        tmp_path / "pictures.parquet",
        clicks.PICTURES,
        clicks.pictures(str(table), ("key", "image"), 0),
    )
    clicks.write(
        tmp_path / "said.parquet",
        clicks.SAID,
        clicks.said(str(log), ("key", "query", "clicks"), {}, True),
    )
    found = [
        (key, words)
        for batch in clicks.told(tmp_path, 128, 1, rows, counted)
        for key, words in zip(batch.keys.to_pylist(), batch.words.to_pylist(), strict=True)
    ]
    times = [round(math.log2(10 - q)) if counted else 1 for q in range(5)]
    all_words = [f"q{q}" for q in range(5) for _ in range(times[q])]
    assert found == [(f"k{n}", [] if n % 2 else all_words) for n in range(9)]
