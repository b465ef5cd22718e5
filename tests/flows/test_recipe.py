"""A recipe says exactly what it does; whatever it cannot mean is named with what would do."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.recipe import Recipe, shipped

LEAST: dict[str, Any] = {"name": "toy", "source": {"dataset": "folder", "root": "pictures"}}


def parsed(where: Path = Path("/somewhere"), **fields: Any) -> Recipe:
    return Recipe.parsed(yaml.safe_dump(LEAST | fields), "toy.yaml", where)


def test_name_and_source_are_all_that_must_be_said() -> None:
    recipe = parsed()
    assert (recipe.name, recipe.dataset, recipe.source.root) == (
        "toy",
        "toy",
        "/somewhere/pictures",
    )
    assert parsed(dataset="shared").dataset == "shared"


@pytest.mark.parametrize(
    ("root", "found"),
    [
        ("pictures", "/somewhere/pictures"),
        ("../up", "/somewhere/../up"),
        ("/abs", "/abs"),
        ("s3://bucket/x", "s3://bucket/x"),
    ],
)
def test_a_source_lies_beside_its_recipe(root: str, found: str) -> None:
    assert parsed(source={"dataset": "folder", "root": root}).source.root == found


def test_home_is_the_home_of_who_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    recipe = parsed(source={"dataset": "folder", "root": "~/Pictures"})
    assert recipe.source.root == "/home/somebody/Pictures"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"nmae": 1}, "nmae"),
        ({"train": {"epochz": 3}}, "train.epochz"),
        ({"train": {"epochs": -1}}, "train.epochs"),
        ({"train": {"epochs": "many"}}, "many"),
        ({"train": {"network": "convolutionl"}}, "convolutional"),
        ({"extract": {"batch": 0}}, "extract.batch"),
        ({"gates": {"fall": 2}}, "gates.fall"),
        ({"gates": {"gravity": 1}}, "gates.gravity"),
        ({"name": "Not A Name"}, "Not A Name"),
        ({"name": "../up"}, "../up"),
        ({"name": ""}, "name"),
        ({"dataset": "a/b"}, "a/b"),
        ({"source": {"dataset": "foldr", "root": "x"}}, "Did you mean 'folder'"),
        ({"source": {"dataset": "folder", "root": "x", "options": {"speed": 1}}}, "'speed'"),
        ({"source": {"dataset": "folder"}}, "source.root"),
        ({"source": "pictures"}, "source"),
        ({"source": None}, "source"),
        ({"pin": "perhaps"}, "pin"),
    ],
)
def test_what_a_recipe_cannot_mean_is_named(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match="no valid recipe") as caught:
        parsed(**fields)
    assert says in str(caught.value)
    assert "toy.yaml" in str(caught.value)


def test_where_two_sections_disagree_no_empty_place_is_named() -> None:
    with pytest.raises(ValueError, match=r"no valid recipe\.\n  evaluate\.protocol cifar10-1"):
        parsed(evaluate={"protocol": "cifar10-1"})


@pytest.mark.parametrize(
    "text",
    ["", "just words", "- a\n- b\n", "42", "a: [", "a: b: c", "!!python/object/apply:os.getcwd []"],
)
def test_what_is_no_mapping_is_no_recipe(text: str) -> None:
    with pytest.raises(ValueError, match=r"x\.yaml"):
        Recipe.parsed(text, "x.yaml", Path("/"))


@given(st.text())
def test_no_text_whatever_breaks_the_reader(text: str) -> None:
    with pytest.raises(ValueError, match=r"x\.yaml"):  # that chance should write a recipe...
        Recipe.parsed(text, "x.yaml", Path("/"))


def test_a_recipe_is_frozen_and_its_digest_stands_for_all_it_says() -> None:
    recipe = parsed()
    with pytest.raises(ValidationError):
        recipe.name = "other"
    assert recipe.digest == parsed().digest
    others = [
        parsed(train={"epochs": 21}),
        parsed(gates={"fall": 0.5}),
        parsed(pin=False),
        parsed(source={"dataset": "folder", "root": "others"}),
    ]
    assert len({recipe.digest, *(other.digest for other in others)}) == 5


def test_what_stores_are_asked_by_keeps_its_name() -> None:
    """A plan of another digest would be trained again, and every image embedded again."""
    plan = parsed().train
    assert plan.digest == "84be7dcb1e994aa724927c0e97e0bf0f72c7bac28de1fe9be0bb119fed6e79e1"
    assert plan.purpose == "0b949b4e85d9073a7c58a65b4eed20432a1914ad2cf4a0fb2193e05881a59d87"
    assert plan.spec().digest == "207de6800f04d75db8cbb7c2cdebb5081a97adf14480549707a525e9bf0c3a0f"
    codes = parsed(
        train={
            "supervision": "supervised",
            "descriptor": "binary",
            "dimensions": 64,
            "size": 100,
            "fit": "crop",
            "width": 16,
        }
    ).train
    assert codes.digest == "96bea5b5dc7691313c3442d99c155ab932769f8f9d16826a277f5a968a9ffcc4"
    assert codes.purpose == "a4f3e8ee306b379e001942c3777aae0ec637c4bb897d42497e8a8fdf437b1d06"
    assert codes.spec().digest == "b239528205a5e6d11a0ebf99001f6803bb22be92980bdd75e494252044b5898c"


def test_a_stage_s_plan_changes_only_with_its_own_words() -> None:
    one, other = parsed(train={"lr": 0.1}), parsed(train={"lr": 0.2})
    assert one.train != other.train
    for stage in ("scan", "shard", "extract", "index", "evaluate", "gates"):
        assert getattr(one, stage) == getattr(other, stage)


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_is_one_and_bears_its_own_name(name: str) -> None:
    assert Recipe.named(name).name == name


def test_a_word_that_names_no_recipe_is_answered_with_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"choose from .*cifar10.*Did you mean"):
        Recipe.named("cifar1")
    Path("mine.yaml").write_text(yaml.safe_dump(LEAST))
    with pytest.raises(FileNotFoundError, match=r"mine\.yaml"):
        Recipe.named("mine")
    assert Recipe.named("mine.yaml").source.root == str(tmp_path / "pictures")
    with pytest.raises(FileNotFoundError, match="nightjar init"):
        Recipe.named("nowhere.yaml")


def test_weights_are_taken_from_the_recipes_folder_wherever_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    monkeypatch.chdir(tmp_path.parent)

    def began(word: str) -> str | None:
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({**LEAST, "train": {"pretrained": word}}))
        return Recipe.named(str(path)).train.pretrained

    assert began("weights.safetensors") == str(tmp_path / "weights.safetensors")
    assert began("timm/a@weights.safetensors") == f"timm/a@{tmp_path}/weights.safetensors"
    assert began("owner/name") == "owner/name"


BOMB = "&a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)
"""Ten lines of which the last stands for 774,840,978 words."""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("train: {epochs: 1}\ntrain: {epochs: 2}", "line 4: train is said twice"),
        ("train: {epochs: 1, lr: 0.1, epochs: 2}", "line 3: epochs is said twice"),
        (f"a: {BOMB}train: {{pooling_options: {{gem: {{p: *j}}}}}}", "more than 100,000 words"),
        (f"a: {BOMB}train: {{protocol: {{parents: *j}}}}", "more than 100,000 words"),
        ("train: &t {options: {heads: *t}}", "line 3: an alias stands within what it repeats"),
        ("train: " + "[" * 400 + "]" * 400, "nested more deeply than"),
        (f"train: {{method: {'x' * 5000}}}", "5,000 characters, and 4,096"),
        (f"train: {{seed: {'9' * 5000}}}", "5,000 characters, and 4,096"),
        ("\0", "is not YAML"),
    ],
)
def test_a_file_that_says_too_much_or_a_thing_twice_is_no_recipe(text: str, says: str) -> None:
    written = "name: toy\nsource: {dataset: folder, root: pictures}\n" + text
    with pytest.raises(ValueError, match=says) as caught:
        Recipe.parsed(written, "toy.yaml", Path("/somewhere"))
    assert "toy.yaml" in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_an_alias_repeats_what_is_meant() -> None:
    text = "name: toy\nsource: {dataset: folder, root: &r pictures}\ntrain: {licence: *r}\n"
    assert Recipe.parsed(text, "toy.yaml", Path("/somewhere")).train.licence == "pictures"


@pytest.mark.parametrize("root", [None, 3, ["pictures"], {"a": "pictures"}])
def test_a_root_is_text(root: Any) -> None:
    with pytest.raises(ValueError, match=r"source\.root: Input should be a valid string"):
        parsed(source={"dataset": "folder", "root": root})


def test_the_home_of_nobody_is_a_name() -> None:
    root = parsed(source={"dataset": "folder", "root": "~nobody9/x"}).source.root
    assert root == "/somewhere/~nobody9/x"


@pytest.mark.parametrize("number", [float("inf"), "inf", "1e999"])
@pytest.mark.parametrize(("stage", "field"), [("train", "warm_up"), ("retain", "days")])
def test_a_number_without_end_is_refused(number: Any, stage: str, field: str) -> None:
    with pytest.raises(ValueError, match=rf"{stage}\.{field} is inf: choose a finite number"):
        Recipe.model_validate(LEAST | {stage: {field: number}})
