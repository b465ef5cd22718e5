"""A tower for text and its tokenizer, taken from a CLIP that transformers keeps in a folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.taxonomy import DescriptorType
from models.backbones import start
from models.pixels import Transform
from models.spec import EncoderSpec, TextSpec
from models.weights import digest_of, load, save

SPEC = EncoderSpec(dimensions=24, transform=Transform(size=32), text=TextSpec(kind="pretrained"))
TEXTS = ["a dog on a beach", "two dogs, running!", "a very " + "long " * 40 + "sentence"]
LETTERS = "abcdefghijklmnopqrstuvwxyz!,"


def tokenizer(folder: Path, transformers: Any) -> Any:
    """A tokenizer of letters and pairs of them, as CLIP's are, kept in FOLDER."""
    tokenizers = pytest.importorskip("tokenizers")
    words = [letter + end for end in ("", "</w>") for letter in LETTERS]
    words += ["do", "dog</w>", "<|startoftext|>", "<|endoftext|>"]
    model = tokenizers.models.BPE(
        vocab={word: code for code, word in enumerate(words)},
        merges=[("d", "o"), ("do", "g</w>")],
        unk_token="<|endoftext|>",
        end_of_word_suffix="</w>",
    )
    made = tokenizers.Tokenizer(model)
    made.normalizer = tokenizers.normalizers.Lowercase()
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    first, last = len(words) - 2, len(words) - 1
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>",
        special_tokens=[("<|startoftext|>", first), ("<|endoftext|>", last)],
    )
    kept = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
    )
    kept.save_pretrained(folder)
    return kept


def made(folder: Path, kind: str) -> tuple[Path, Any, Any]:
    """FOLDER with a small network of KIND whose weights are drawn, the network, its tokenizer."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    words = tokenizer(folder, transformers)
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    small |= {"intermediate_size": 64}
    ids = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id}
    torch.manual_seed(0)
    text = {"vocab_size": len(words), "max_position_embeddings": 16, "pad_token_id": 1} | ids
    said: dict[str, Any] = {
        "vision_config": small | {"image_size": 32, "patch_size": 8},
        "text_config": small | text,
    }
    if kind == "CLIP":
        said["projection_dim"] = 24
    network = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**said))
    network.eval().save_pretrained(folder)
    return folder, network, words


@pytest.fixture
def clip(tmp_path: Path) -> tuple[Path, Any, Any]:
    """A folder with a small CLIP whose weights are drawn, the network and its tokenizer."""
    return made(tmp_path / "clip", "CLIP")


def embeds(network: Any, words: Any, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What transformers itself makes of IMAGES and of `TEXTS`: its unit features, (B, D) each."""
    asked = words(TEXTS, padding="max_length", max_length=16, truncation=True, return_tensors="pt")
    masked = (
        {"attention_mask": asked["attention_mask"]} if hasattr(network, "text_projection") else {}
    )
    with torch.inference_mode():
        found = network(input_ids=asked["input_ids"], pixel_values=images, **masked)
    return found.image_embeds, found.text_embeds


@pytest.mark.parametrize(("kind", "dimensions"), [("CLIP", 24), ("Siglip", 32)])
@pytest.mark.parametrize("again", [False, True])
def test_both_towers_make_what_transformers_makes(
    tmp_path: Path, kind: str, dimensions: int, again: bool
) -> None:
    folder, network, words = made(tmp_path / "two", kind)
    spec = SPEC.model_copy(update={"dimensions": dimensions})
    began = start(spec, str(folder), seed=0)
    if again:  # from its own file, as the start of another training
        (folder / "own.safetensors").write_bytes(save(began.encoder, began.spec))
        began = start(spec, str(folder / "own.safetensors"), seed=0)
    embedder = load(save(began.encoder, began.spec))
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mean, std = (embedder.encoder.get_buffer(name) for name in ("mean", "std"))
    pictures, texts = embeds(network, words, (images - mean) / std)
    with torch.inference_mode():
        torch.testing.assert_close(embedder.encoder(images), pictures, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(embedder.read(TEXTS), texts, atol=1e-5, rtol=1e-4)


def test_the_digest_covers_the_tokenizer_and_no_folder(clip: tuple[Path, Any, Any]) -> None:
    folder = clip[0]
    began = start(SPEC, str(folder), seed=0)
    content = save(began.encoder, began.spec)
    assert str(folder).encode() not in content
    assert save(start(SPEC, str(folder), seed=1).encoder, began.spec) == content
    said = json.loads((folder / "tokenizer.json").read_text())
    said["normalizer"] = None
    (folder / "tokenizer.json").write_text(json.dumps(said))
    other = start(SPEC, str(folder), seed=0)
    assert digest_of(save(other.encoder, other.spec)) != digest_of(content)


def test_codes_of_a_binary_encoder_are_signs_of_the_same_features(
    clip: tuple[Path, Any, Any],
) -> None:
    bits = SPEC.model_copy(update={"descriptor": DescriptorType.BINARY})
    began = start(bits, str(clip[0]), seed=0)
    embedder = load(save(began.encoder, began.spec))
    features = embedder.read(TEXTS)
    wanted = np.packbits((features >= 0).numpy(), axis=1)
    assert np.array_equal(embedder.describe(features), wanted)


def test_what_brings_no_tower_or_another_space_is_refused(
    clip: tuple[Path, Any, Any], tmp_path: Path
) -> None:
    folder = clip[0]
    with pytest.raises(ValueError, match="which has 24 dimensions, not 16: set dimensions: 24"):
        start(SPEC.model_copy(update={"dimensions": 16}), str(folder), seed=0)
    with pytest.raises(ValueError, match="pixels brings no tower for text"):
        start(SPEC, "pixels", seed=0)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"bring tokenizer.json"):
        start(SPEC, str(folder), seed=0)


def test_an_image_tower_is_taken_alone_where_no_text_is_asked_for(
    clip: tuple[Path, Any, Any],
) -> None:
    alone = SPEC.model_copy(update={"text": None})
    began = start(alone, str(clip[0]), seed=0)
    assert began.encoder.text is None
    assert not any(name.startswith("text.") for name in began.encoder.state_dict())
    assert began.encoder.eval()(torch.rand(1, 3, 32, 32)).shape == (1, 24)
