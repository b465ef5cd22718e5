"""Tensors read from files that anybody may have made: nothing in them is run or taken on trust."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch


def of_safetensors(content: bytes, what: str) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file CONTENT, which an error calls WHAT.

    Raises:
        ValueError: it is none, or breaks off, or its header contradicts itself.
    """
    try:
        return safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError, OverflowError) as error:
        raise ValueError(f"{what} is not a whole safetensors file: {error}") from error


def of_file(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of PATH: safetensors by its suffix, else what torch saved, tensors alone.

    Raises:
        FileNotFoundError: PATH is not there.
        ValueError: it holds anything else than tensors by name.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file of weights {path}.")
    if path.suffix == ".safetensors":
        return of_safetensors(path.read_bytes(), str(path))
    try:
        read = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(
            f"{path} cannot be read with weights_only ({str(error).splitlines()[0]}): it holds "
            "more than tensors, which might be code, or it is damaged. Save the tensors with "
            "safetensors.torch.save_file."
        ) from error
    tensors = read.get("state_dict", read) if isinstance(read, Mapping) else None
    if not isinstance(tensors, Mapping) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in tensors.items()
    ):
        raise ValueError(f"{path} holds something else than tensors by name.")
    return dict(tensors)
