"""What `pretrained` names here, and that its digest tells other bytes apart and nothing else."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.origin import files_of, origin_digest, weights_beside


def test_the_digest_of_one_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "resnet50.pth"
    file.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    said = (str(file), f"timm/resnet50@{file}", f"open_clip/RN50@{file}")
    assert [origin_digest(one) for one in said] == [digest] * 3
    file.write_bytes(b"weighty")
    assert origin_digest(str(file)) != digest


def test_of_a_folder_count_weights_and_what_describes_them(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    whole = origin_digest(str(tmp_path))
    (tmp_path / "README.md").write_text("of a model")
    (tmp_path / "cache.json").mkdir()
    assert origin_digest(str(tmp_path)) == whole
    assert [file.name for file in files_of(str(tmp_path))] == ["config.json", "model.safetensors"]
    (tmp_path / "config.json").write_text('{"hidden_size": 8}')
    assert origin_digest(str(tmp_path)) != whole


@given(st.dictionaries(st.sampled_from(["a.bin", "b.bin", "c.json"]), st.binary(max_size=3)))
def test_folders_have_one_digest_where_all_their_files_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]
) -> None:
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    for name, content in contents.items():
        (one / name).write_bytes(content)
        (other / name).write_bytes(content)
    assert origin_digest(str(one)) == origin_digest(str(other))
    assert bool(origin_digest(str(one))) == bool(contents)
    for name in contents:
        (other / name).write_bytes(contents[name] + b"x")
        assert origin_digest(str(one)) != origin_digest(str(other))
        (other / name).write_bytes(contents[name])


@pytest.mark.parametrize("name", ["a.safetensors", "a.bin", "a.pt", "a.pth"])
@pytest.mark.parametrize("beside", ["b.json", "b.txt", "b.model"])
def test_whatever_weights_and_what_describes_them_are_called_they_count_by_name_too(
    name: str, beside: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"weights")
    (tmp_path / beside).write_bytes(b"said")
    assert [file.name for file in files_of(str(tmp_path))] == [name, beside]
    before = origin_digest(str(tmp_path))
    (tmp_path / beside).rename(tmp_path / f"of_{beside}")
    assert origin_digest(str(tmp_path)) != before


@pytest.mark.parametrize(
    "said", [None, "", "pixels", "timm/resnet50", "open_clip/RN50@openai", "facebook/dino", "/none"]
)
def test_what_no_file_here_holds_has_no_digest(
    said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pixels").mkdir()
    (tmp_path / "pixels" / "a.bin").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert origin_digest(said) == ""


def test_a_relative_path_is_taken_from_a_folder_where_it_names_something_there(
    tmp_path: Path,
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.pth").write_bytes(b"x")
    for said, found in {
        "models/a.pth": f"{tmp_path}/models/a.pth",
        "models": f"{tmp_path}/models",
        "timm/resnet50@models/a.pth": f"timm/resnet50@{tmp_path}/models/a.pth",
        "open_clip/RN50@models/a.pth": f"open_clip/RN50@{tmp_path}/models/a.pth",
        f"{tmp_path}/models/a.pth": f"{tmp_path}/models/a.pth",
        "timm/resnet50": "timm/resnet50",
        "open_clip/RN50@openai": "open_clip/RN50@openai",
        "facebook/dino": "facebook/dino",
        "pixels": "pixels",
        "models/b.pth": "models/b.pth",
        "": "",
    }.items():
        assert weights_beside(said, tmp_path) == found
