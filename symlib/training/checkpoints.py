"""A training run on disk: weights, optimiser, step and history in one safetensors file.

safetensors holds tensors and text, nothing that runs when it is read.
"""

import json
from collections import defaultdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from symlib.errors import InputError
from symlib.files import whole_file
from symlib.networks.fresh import Network

FORMAT = "symlib-checkpoint-1"


def architecture(network: Network) -> dict:
    """What must agree for weights to fit a network."""
    distance = {"distance": True} if getattr(network, "distance", False) else {}
    return {
        "model": network.rule.name,
        "features": network.features,
        "outputs": network.outputs,
        "hidden": network.edge_model.first.out_features,
        **distance,
    }


def save_checkpoint(path: Path, network: Network, adam: torch.optim.Optimizer, facts: dict) -> None:
    """Write weights, optimiser state and `facts` (plain values: step, recipe, history ...)."""
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
    ours = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with whole_file(path, mode="wb") as file:
        file.write(save(ours, metadata={"symlib": json.dumps(head)}))


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


def load_checkpoint(
    path: Path, network: Network, adam: torch.optim.Optimizer | None = None
) -> dict:
    """Put a checkpoint's weights into `network` and its optimiser's state into `adam`.

    Returns:
        The checkpoint's facts.

    Raises:
        InputError: the file is damaged, or of another architecture (the message says how).
    """
    head, tensors = read_checkpoint(path)
    expected, found = architecture(network), head["architecture"]
    if found != expected:
        differing = ", ".join(
            f"{key} {found.get(key)!r} instead of {expected.get(key)!r}"
            for key in {**expected, **found}
            if found.get(key) != expected.get(key)
        )
        raise InputError(f"checkpoint {path}: of another architecture ({differing})")
    weights, state = {}, defaultdict[int, dict](dict)
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "weight":
            weights[rest] = value
        else:
            index, slot = rest.split(".")
            state[int(index)][slot] = value
    network.load_state_dict(weights)
    if adam is not None:
        adam.load_state_dict({"state": dict(state), "param_groups": head["groups"]})
    return head
