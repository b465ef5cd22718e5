"""`nightjar search` as a person types it: what it answers, and the sentence where it cannot."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from data.indexes import index_table
from data.lineage import KEY, RUN_TAG, lineage_of
from flows.cli import exits
from models.pixels import Transform
from tasks.training.train import load_encoder
from tests.flows.album import TRAIN, Album, photo

Say = Callable[..., Result]
Ask = Callable[..., Any]


@pytest.fixture
def ask(say: Say, album: Album, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Asks the album: ``ask("0", "1", "--together")``, a picture of it for a number."""
    monkeypatch.setenv("NIGHTJAR_STORE", album.store.root)
    return lambda *words: say("search", "-r", album.path, *named(album, *words))


def named(album: Album, *words: str) -> list[str]:
    """WORDS with the file of the picture of a number in its place, but for an option's number."""
    made: list[str] = []
    for word in words:
        number = word.isdigit() and not (made and made[-1] in NUMBERED)
        made.append(
            str(album.root / f"class{int(word) % 4}/{int(word):03d}.jpg") if number else word
        )
    return made


NUMBERED = ("-k", "--offset", "--radius", "--diversify", "--beta", "--depth", "--at", "--scales")


def told(result: Result) -> Any:
    assert result.exit_code == exits.FINE, result.output
    return json.loads(result.stdout)


def keys(rows: list[dict[str, Any]]) -> list[str]:
    return [row["key"] for row in rows]


def distances(ask: Ask, word: str) -> dict[str, float]:
    """How far each image of the album is from one."""
    return {row["key"]: row["distance"] for row in told(ask(word, "-k", "40", "--json"))}


def test_a_file_may_be_a_drawing(ask: Ask) -> None:
    assert len(told(ask("0", "--as", "sketch", "-k", "3", "--json"))) == 3
    refused = ask("0", "--as", "skech")
    assert refused.exit_code == exits.USAGE
    assert "Did you mean 'sketch'?" in refused.stderr


def test_pages_follow_each_other(ask: Ask) -> None:
    whole = told(ask("0", "-k", "8", "--json"))
    assert keys(whole)[0] == "class0/000.jpg"
    assert set(whole[0]) == {"key", "rank", "distance", "uri", "labels"}
    pages = [told(ask("0", "-k", "4", "--offset", start, "--json")) for start in ("0", "4")]
    assert pages[0] + pages[1] == whole


def test_several_images_have_an_answer_each_or_one_together(ask: Ask, album: Album) -> None:
    alone = told(ask("0", "1", "-k", "3", "--json"))
    files = named(album, "0", "1")
    assert [one["query"] for one in alone] == files
    assert [one["found"][0]["key"] for one in alone] == ["class0/000.jpg", "class1/001.jpg"]
    apart = distances(ask, "0"), distances(ask, "1")
    together = told(ask("0", "1", "--together", "-k", "40", "--json"))
    for row in together:
        mean = (apart[0][row["key"]] + apart[1][row["key"]]) / 2
        assert row["distance"] == pytest.approx(mean, abs=1e-5)
        assert row["score"] == pytest.approx(1 - mean, abs=1e-5)
    assert [row["score"] for row in together] == sorted(
        (row["score"] for row in together), reverse=True
    )
    text = ask("0", "1", "-k", "3").stdout
    assert [line for line in text.splitlines() if line.endswith(".jpg:")] == [
        f"{f}:" for f in files
    ]
    assert "score" in ask("0", "1", "--together").stdout.splitlines()[0]


def test_what_is_not_wanted_goes_to_the_back(ask: Ask) -> None:
    apart, away = distances(ask, "0"), distances(ask, "1")
    turned = told(ask("0", "--not", "1", "--beta", "0.75", "-k", "40", "--json"))
    for row in turned:
        score = (1 - apart[row["key"]]) - 0.75 * (1 - away[row["key"]])
        assert row["score"] == pytest.approx(score, abs=1e-5)
        assert row["distance"] == pytest.approx(apart[row["key"]], abs=1e-5)
    nearest = sorted(apart, key=lambda key: apart[key])
    assert keys(turned).index("class1/001.jpg") > nearest.index("class1/001.jpg")


def test_the_first_images_are_put_into_a_better_order(ask: Ask) -> None:
    plain = told(ask("0", "-k", "40", "--json"))
    words = ("--rerank", "alpha_qe:n=3,alpha=0+database_augmentation:n=2", "--json")
    few = told(ask("0", "-k", "6", "--depth", "6", *words))
    assert set(keys(few)) == set(keys(plain)[:6])
    assert set(few[0]) == {"key", "rank", "distance", "score", "uri", "labels"}
    assert [row["score"] for row in few] == sorted((row["score"] for row in few), reverse=True)
    apart = {row["key"]: row["distance"] for row in plain}
    assert {row["key"]: row["distance"] for row in few} == {
        key: pytest.approx(apart[key], abs=1e-6) for key in keys(few)
    }


def test_an_image_asks_with_the_mean_of_several_sizes(ask: Ask, album: Album) -> None:
    scales = (1.0, 0.7, 0.5)
    content = (album.root / "class0/000.jpg").read_bytes()
    embedder = load_encoder(album.store, album.lineage().encoder)
    total = np.zeros(16)
    for side in (32, 22, 16):
        total += embedder.features(Transform(size=side)(content)[None])[0].numpy()
    total /= np.linalg.norm(total)
    apart = {key: 1 - float(total @ row) for key, (_, _, row) in album.rows().items()}
    words = ("--scales", ",".join(map(str, scales)), "-k", "40", "--json")
    for row in told(ask("0", *words)):
        assert row["distance"] == pytest.approx(apart[row["key"]], abs=1e-5)
    # so it is of what is not wanted, and of part of an image
    turned = told(ask("1", "--not", "0", *words))
    near = {row["key"]: row["distance"] for row in told(ask("1", *words))}
    for row in turned:
        score = (1 - near[row["key"]]) - 0.5 * (1 - apart[row["key"]])
        assert row["score"] == pytest.approx(score, abs=1e-5)
    whole = told(ask("0", "--box", "percent:0,0,100,100", *words))
    assert keys(whole) == keys(told(ask("0", *words)))


def test_a_re_ranking_whose_package_is_not_there_is_refused_at_once(
    say: Say, monkeypatch: pytest.MonkeyPatch, draw: Callable[..., bytes], tmp_path: Path
) -> None:
    (tmp_path / "one.png").write_bytes(draw(0))
    monkeypatch.setitem(sys.modules, "cv2", None)
    result = say("search", tmp_path / "one.png", "-r", "no recipe", "--rerank", "geometric")
    assert (result.exit_code, result.stdout) == (exits.FAILED, "")
    assert "The re-ranking geometric needs the package cv2" in result.stderr
    assert "pip install 'nightjar[geometry]'" in result.stderr


def test_conditions_and_labels_say_which_images_may_answer(ask: Ask) -> None:
    rows = told(ask("0", "-k", "40", "--where", "label = class1 and width >= 48", "--json"))
    assert len(rows) == 10
    assert {row["labels"][0] for row in rows} == {"class1"}
    assert set(rows[0]) == {"key", "rank", "distance", "uri", "labels"}
    both = told(
        ask("0", "-k", "40", "--where", "key ~ 1", "--labels", "class1 or class2", "--json")
    )
    assert both
    assert all("1" in row["key"] for row in both)
    assert {row["labels"][0] for row in both} <= {"class1", "class2"}
    exact = told(ask("0", "-k", "40", "--exact", "--where", "label = class1", "--json"))
    assert exact == rows


def test_labels_without_an_image_ask_for_what_is_typical_of_them(ask: Ask) -> None:
    rows = told(ask("--labels", "class1 or class2 and not class2", "-k", "40", "--json"))
    assert {row["labels"][0] for row in rows} == {"class1"}
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)


def test_what_no_image_satisfies_is_said(ask: Ask) -> None:
    result = ask("0", "--labels", "clas1", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (exits.FINE, [])
    assert "No image satisfies this. None has the label 'clas1'. Did you mean 'class1'?" in (
        result.stderr
    )


def test_near_duplicates_are_left_out(ask: Ask, album: Album) -> None:
    album.copy("class0/000.jpg", "class2/again.jpg")
    album.night("fall")
    assert keys(told(ask("0", "-k", "2", "--json"))) == ["class0/000.jpg", "class2/again.jpg"]
    assert "class2/again.jpg" not in keys(told(ask("0", "--diversify", "0", "-k", "41", "--json")))


def test_a_radius_is_refused_where_there_are_no_bits(ask: Ask) -> None:
    result = ask("0", "--radius", "3")
    assert (result.exit_code, result.stdout) == (exits.FAILED, "")
    assert "compares by cosine: a radius counts differing bits" in result.stderr


def test_bits_have_a_radius(say: Say, bare: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    itq = {"supervision": "unsupervised", "method": "itq", "pretrained": "pixels"}
    bare.fields["train"] = TRAIN | itq | {"descriptor": "binary"}
    for number in range(12):
        bare.put(f"class{number % 4}/{number:03d}.jpg", photo(number))
    bare.night()
    monkeypatch.setenv("NIGHTJAR_STORE", bare.store.root)
    words = ("search", "-r", bare.path, *named(bare, "3"), "-k", "12", "--json")
    whole = told(say(*words))
    for radius in (0, 2, 5):
        near = [row for row in whole if row["distance"] <= radius]
        assert len(near) < 12
        assert told(say(*words, "--radius", str(radius))) == near
    full = say(*words, "--radius", "16")
    assert "There may be more within 16 bits: raise -k." in full.stderr
    assert json.loads(full.stdout) == whole


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], exits.USAGE, "Nothing is asked with"),
        (["nothing.jpg"], exits.USAGE, "nothing.jpg cannot be read"),
        (["0", "--not", "nothing.jpg"], exits.USAGE, "nothing.jpg cannot be read"),
        (["0", "text.jpg"], exits.USAGE, "text.jpg cannot be searched for: not an image"),
        (["0", "--not", "empty.jpg"], exits.USAGE, "empty.jpg cannot be searched for: empty"),
        (["0", "-k", "0"], exits.USAGE, "-k"),
        (["0", "--offset", "-1"], exits.USAGE, "--offset"),
        (["0", "--diversify", "-1"], exits.USAGE, "--diversify"),
        (["0", "--beta", "-1"], exits.USAGE, "--beta"),
        (["0", "--beta", "nan"], exits.USAGE, "--beta"),
        (["0", "--not", "0", "--beta", "1"], exits.FAILED, "cancel each other out"),
        (
            ["0", "--where", "lable = cat"],
            exits.USAGE,
            "--where cannot be read. Unknown field 'lab",
        ),
        (["0", "--where", "label = 'cat"], exits.USAGE, "  label = 'cat\n          ^"),
        (
            ["--labels", "dog = cat"],
            exits.USAGE,
            "--labels cannot be read. Labels are not compared",
        ),
        (
            ["0", "--rerank", "alpha_que"],
            exits.USAGE,
            "Unknown re-ranking 'alpha_que': choose from",
        ),
        (["0", "--rerank", "alpha_qe:m=3"], exits.USAGE, "Unknown option of alpha_qe 'm'"),
        (["0", "--rerank", "alpha_qe:n=x"], exits.USAGE, "alpha_qe cannot take n: 'x'"),
        (["0", "--rerank", "alpha_qe:n"], exits.USAGE, "'n' is no option of a re-ranking"),
        (["0", "--rerank", "alpha_qe", "-k", "101"], exits.USAGE, "raise the depth"),
        (["0", "--scales", "1,two"], exits.USAGE, "--scales: '1,two' is no list of scales: write"),
        (["0", "--scales", "9"], exits.USAGE, "--scales: A scale is a share of the side"),
        (["0", "--scales", "0.1"], exits.FAILED, "would see 3 x 3, and pictures have 8 to 1024"),
        (["--text", "a cat", "--scales", "1,2"], exits.USAGE, "--scales says at which sizes"),
        (["0", "--at", "77"], exits.FAILED, "'77' is no version of toy"),
    ],
)
def test_what_cannot_be_asked_ends_in_a_sentence(
    ask: Ask, album: Album, words: list[str], code: int, says: str
) -> None:
    files = {"text.jpg": b"no picture", "empty.jpg": b""}
    for name, content in files.items():
        (album.folder / name).write_bytes(content)
    result = ask(*(str(album.folder / word) if word in files else word for word in words))
    assert result.exit_code == code
    assert says in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_more_than_there_is_answers_with_all(ask: Ask) -> None:
    assert len(told(ask("0", "-k", "1000", "--json"))) == 40
    assert told(ask("0", "--offset", "1000", "--json")) == []


def test_an_encoder_that_is_gone_or_another_s_is_named(ask: Ask, album: Album) -> None:
    dataset = index_table(album.store, album.production.table).open()
    lineage = lineage_of(dataset)
    assert lineage is not None
    said = {"encoder": "f" * 64, "version": dataset.version + 1, "run": "other"}
    dataset.update_metadata({KEY: lineage.model_copy(update=said).model_dump_json()})
    dataset.tags.create(f"{RUN_TAG}other", dataset.version)
    result = ask("0", "--at", "other")
    assert (result.exit_code, result.stdout) == (exits.FAILED, "")
    assert f"made by encoder {lineage.encoder[:12]}, the query by ffffffffffff" in result.stderr
    shutil.rmtree(album.folder / "store" / "encoders")
    result = ask("0")
    assert (result.exit_code, result.stdout) == (exits.FAILED, "")
    assert f"The encoder {lineage.encoder} is not in the store" in result.stderr
    assert len(told(ask("--labels", "class1", "--json"))) == 10  # asks with no encoder


def test_an_index_without_rows_says_so(ask: Ask, album: Album) -> None:
    content = (album.root / "class0/000.jpg").read_bytes()
    for name in album.names():
        (album.root / name).unlink()
    (album.folder / "query.jpg").write_bytes(content)
    album.night("mass_deletion", "fall", "min_rows", "coverage", "uncomputed")
    result = ask(str(album.folder / "query.jpg"))
    assert (result.exit_code, "Traceback" in result.output) == (exits.FAILED, False)
    assert "is empty: index images first" in result.stderr
