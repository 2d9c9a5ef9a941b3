"""A training run on disk: weights, optimiser, step and history in one safetensors file.

safetensors holds tensors and text, nothing that runs when it is read. The file is written
under another name and then renamed, so it is whole or absent.
"""

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from symlib.errors import InputError
from symlib.networks.fresh import Network

FORMAT = "symlib-checkpoint-1"


def architecture(network: Network) -> dict:
    """What must agree for weights to fit a network."""
    return {
        "model": network.rule.name,
        "features": network.features,
        "outputs": network.outputs,
        "hidden": network.edge_model.first.out_features,
    }


def save_checkpoint(path: Path, network: Network, adam: torch.optim.Optimizer, facts: dict) -> None:
    """Write weights, optimiser state and `facts` (plain values: step, recipe, history ...)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = adam.state_dict()
    tensors = {f"weight.{name}": value for name, value in network.state_dict().items()}
    for index, slots in state["state"].items():
        for slot, value in slots.items():
            tensors[f"adam.{index}.{slot}"] = torch.as_tensor(value)
    head = {
        "format": FORMAT,
        "architecture": architecture(network),
        "groups": state["param_groups"],
        **facts,
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file(
            {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
            temporary,
            metadata={"symlib": json.dumps(head)},
        )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(path: Path) -> tuple[dict, dict[str, torch.Tensor]]:
    """The facts and tensors of a checkpoint.

    Raises:
        InputError: the file is missing, truncated, or not one of symlib's.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"checkpoint {path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            head = json.loads((file.metadata() or {}).get("symlib", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(
            f"checkpoint {path}: damaged or not a safetensors file ({error}); "
            "delete it to start afresh"
        ) from error
    if head.get("format") != FORMAT:
        raise InputError(f"checkpoint {path}: not written by this version of symlib")
    return head, tensors


def load_weights(path: Path, network: Network) -> dict:
    """Put a checkpoint's weights into `network`; returns the checkpoint's facts.

    Raises:
        InputError: the file is damaged, or of another architecture (the message says how).
    """
    head, tensors = read_checkpoint(path)
    expected, found = architecture(network), head["architecture"]
    if found != expected:
        differing = ", ".join(
            f"{key} {found.get(key)!r} instead of {expected[key]!r}"
            for key in expected
            if found.get(key) != expected[key]
        )
        raise InputError(f"checkpoint {path}: of another architecture ({differing})")
    prefix = "weight."
    network.load_state_dict(
        {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
    )
    return head


def load_optimiser(path: Path, adam: torch.optim.Optimizer) -> None:
    """Put a checkpoint's optimiser state into `adam`."""
    head, tensors = read_checkpoint(path)
    state: dict[int, dict] = {}
    for name, value in tensors.items():
        kind, index, slot = (*name.split("."), "", "")[:3]
        if kind == "adam":
            state.setdefault(int(index), {})[slot] = value
    adam.load_state_dict({"state": state, "param_groups": head["groups"]})
