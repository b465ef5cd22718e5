"""Trees of labels in the files of data sets: in the layouts in which these are distributed."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.hierarchy import Parents, check_known, check_tree, path_of
from data.protocols import Protocol
from data.relevance import Question, truth_of
from data.trees import FORMS, tree_in
from tests.data.miniatures_landmarks import V2_LISTS

IS_A = """\
n00001740 n00002137
n00001740 n00001930
n00001930 n00004258
n00004258 n02083346
n00004258 n01317541
n02083346 n02084071
n01317541 n02084071
n02084071 n02085620
n00004258 n02121808
n01317541 n02121808
"""
"""A part of WordNet: a dog is both a canine and a domestic animal, a cat the latter."""


def written(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def protocol(parents: object, **fields: object) -> Protocol:
    said = {"dataset": "x", "queries": {"each": 1}, "database": {"without": ["queries"]}}
    said |= {"relevance": "hierarchical", "metric": "ahp@9", "defined": "here"}
    return Protocol.model_validate(said | {"parents": parents} | fields)


def grades(told: Protocol, asked: str, rows: list[str]) -> list[int]:
    truth = truth_of(told, [Question("q", (asked,))], None)
    keys = pa.array([f"r{n}" for n in range(len(rows))])
    found: list[int] = (
        truth.among(keys, pa.array([[one] for one in rows])).grades(slice(None))[0].tolist()
    )
    return found


def test_landmarks_lie_in_their_kinds(tmp_path: Path) -> None:
    names = [f"{split}_label_to_hierarchical.csv" for split in ("train", "index")]
    paths = [written(tmp_path, name, V2_LISTS[name]) for name in names]
    assert tree_in(paths) == {
        "train/1": "natural/body of water/waterfall",
        "train/0": "human-made/church, or chapel",
        "index/0": "human-made/bridge/bridge",
    }
    told = protocol(paths)
    assert told.tree == ", ".join(names)
    assert path_of("train/1", told.parents) == (
        "natural",
        "natural/body of water",
        "natural/body of water/waterfall",
        "train/1",
    )
    assert grades(told, "train/0", ["train/0", "index/0", "train/1"]) == [3, 1, 0]
    again = Protocol.model_validate(told.model_dump(mode="json"))
    assert (again, again.digest) == (told, told.digest)
    (tmp_path / "elsewhere").mkdir()
    moved = [written(tmp_path / "elsewhere", name, V2_LISTS[name]) for name in names]
    assert protocol(moved).digest == told.digest, "where the files lie is nothing to a number"
    assert protocol(moved[:1]).digest != told.digest


def test_a_word_of_a_landmark_is_one_group_whatever_is_in_it(tmp_path: Path) -> None:
    head = "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made\n"
    text = head + '7,http://x,"castle / fort",,human-made\n8,http://y,,,\n'
    found = tree_in([written(tmp_path, "train_label_to_hierarchical.csv", text)])
    assert found == {"train/7": "human-made/castle | fort", "train/8": ""}
    assert path_of("train/8", found) == ("train/8",)


def test_a_synset_is_in_all_that_is_above_it(tmp_path: Path) -> None:
    told = protocol(written(tmp_path, "wordnet.is_a.txt", IS_A))
    assert told.parents["n02084071"] == ("n02083346", "n01317541")
    assert told.parents["n02085620"] == "n02084071"
    assert path_of("n02085620", told.parents) == (
        "n00001740",
        "n00001930",
        "n00004258",
        "n02083346",
        "n01317541",
        "n02084071",
        "n02085620",
    )
    rows = ["n02085620", "n02084071", "n02121808", "n00002137", "n00001740"]
    assert grades(told, "n02085620", rows) == [7, 6, 4, 1, 1]
    again = Protocol.model_validate(told.model_dump(mode="json"))
    assert (again, again.digest) == (told, told.digest)


@given(
    st.dictionaries(
        st.sampled_from("abcdefgh"),
        st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3).map(tuple),
    )
)
def test_groups_are_all_that_can_be_reached_or_a_circle_is_found(
    parents: dict[str, tuple[str, ...]],
) -> None:
    def reached(name: str) -> set[str]:
        found: set[str] = set()
        new = set(parents.get(name, ()))
        while new:
            found |= new
            new = {up for one in new for up in parents.get(one, ())} - found
        return found

    if any(name in reached(name) for name in parents):
        with pytest.raises(ValueError, match="stands above itself"):
            check_tree(parents)
        return
    check_tree(parents)
    for name in "abcdefgh":
        path = path_of(name, parents)
        assert set(path) == reached(name) | {name}
        assert path[-1] == name
        assert len(set(path)) == len(path)
        for place, one in enumerate(path):
            assert set(parents.get(one, ())) <= set(path[:place]), "each after those above it"


def test_a_chain_however_long_is_climbed() -> None:
    parents = {str(n): str(n + 1) for n in range(50_000)}
    check_tree(parents)
    assert len(path_of("0", parents)) == 50_001


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("wordnet.is_a.txt", IS_A + "n02085620 n00001740\n", "wordnet.is_a.txt: 'n.*' stands abo"),
        ("wordnet.is_a.txt", "n00001740 n00001740\n", "'n00001740' stands above itself"),
        ("wordnet.is_a.txt", IS_A + "dog n02084071\n", "line 11 is 'dog n02084071', and should be"),
        ("wordnet.is_a.txt", IS_A + "\nn00001740\n", "line 11 is '', and should be two WNIDs"),
        ("wordnet.is_a.txt", "", "wordnet.is_a.txt names no label"),
        ("words.txt", IS_A, "Unknown file of a tree of labels 'words.txt': choose from"),
        ("train_label_to_hierarchical.csv", "landmark_id,category\n1,http://x\n", "supercategory|"),
        (
            "train_label_to_hierarchical.csv",
            V2_LISTS["train_label_to_hierarchical.csv"] + "1,http://x,pond,body of water,natural\n",
            "says twice where landmark 1 is",
        ),
        (
            "train_label_to_hierarchical.csv",
            V2_LISTS["train_label_to_hierarchical.csv"] + "one,http://x,pond,water,natural\n",
            "train_label_to_hierarchical.csv: .*one",
        ),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(
    tmp_path: Path, name: str, text: str, sentence: str
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(ValueError, match=sentence) as told:
        protocol(path)
    assert name in str(told.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("wordnet.is_a.txt", "train_label_to_hierarchical.csv"):
        with pytest.raises(FileNotFoundError, match=name):
            protocol(str(tmp_path / name))
    assert all(read.__doc__ for read in FORMS.values())


def test_the_same_labels_are_told_by_one_file_alone(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    folders = (tmp_path, tmp_path / "old")
    paths = [written(folder, "wordnet.is_a.txt", IS_A) for folder in folders]
    with pytest.raises(ValueError, match=r"old/wordnet.is_a.txt says again where 'n00001930' is"):
        tree_in(paths)


def test_a_label_that_the_file_does_not_know_is_named() -> None:
    parents: Parents = {"a": "x", "b": ("x", "y")}
    check_known(["a", "b", "x", "y"], parents, "file.txt")
    with pytest.raises(
        ValueError, match=r"file\.txt does not say where the label 'c' is and 1 oth"
    ):
        check_known(["a", "z", "c"], parents, "file.txt")


def test_trees_that_are_written_out_may_have_several_above_one() -> None:
    told = protocol({"dog": ["canine", "pet"], "cat": "pet", "canine": "animal", "pet": "animal"})
    assert told.tree == ""
    assert grades(told, "dog", ["dog", "cat", "canine", "car"]) == [4, 2, 2, 0]
