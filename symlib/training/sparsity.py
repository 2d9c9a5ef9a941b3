"""How messages become few: turned to their principal axes, the superfluous ones silenced.

φᵉ ends and φᵛ begins with a matrix, so a rotation between the two changes no prediction; but it
gathers what a hundred components say into as few as can hold it, and those few are what L1 then
keeps. L1 alone shrinks a component and never ends it, as φᵛ can undo any shrinking with larger
weights: what has become small beside the largest is silenced for good.
"""

import math

import torch
from torch import Tensor

from symlib.choices import PRUNED
from symlib.networks.fresh import Network
from symlib.networks.graph_network import GraphNetwork, MessageRule
from symlib.training.recipes import Recipe, forget

ORDINARY = 0.9  # the share of messages by which components are judged, as in kept-90% fits


def sparsify_at(step: int, recipe: Recipe, network: GraphNetwork, messages, adam) -> None:
    """What a recipe does to messages at a step (in place); see `sparsify` and `prune`.

    The share below which components are silenced rises from 0 to the recipe's `silence_below`
    until turning ends: what is small early may only be late. Pruned messages are as many as space
    has dimensions when turning ends.

    Args:
        step: of the training.
        recipe: which `silence_below` and `turn_until` are read from.
        network, messages, adam: as for `sparsify`.
    """
    end = recipe.turn_until * recipe.steps
    if network.rule.name == PRUNED:
        fewer = 0.5 * (1 - math.cos(math.pi * min(1.0, (step + recipe.turn_every) / end)))
        most, least = network.rule.components, network.outputs
        prune(network, messages, adam, round(most + (least - most) * fewer))
        return
    share = min(1.0, step / end)
    sparsify(network, messages, adam, recipe.silence_below * share, ORDINARY)


def sparsify(network: GraphNetwork, messages, adam, below: float, kept: float = 1.0) -> None:
    """Turn messages to their principal axes and silence what is small (in place).

    Args:
        network: with L1 or KL messages.
        messages: called without arguments, φᵉ's raw output on some edges, [edges, width].
        adam: its optimiser.
        below: components whose standard deviation is below this share of the largest are
            silenced; 0 silences none.
        kept: the share of the edges on which axes and deviations are measured (see `ordinary`).
    """
    rule = network.rule
    with torch.no_grad():
        turn_to_principal_axes(network, ordinary(messages(), rule, kept), adam)
        if below > 0:
            spread = rule.mean(ordinary(messages(), rule, kept)).std(dim=0)
            silence(network, spread < below * spread.max(), adam)


def prune(network: GraphNetwork, messages, adam, keep: int) -> None:
    """Silence all but the components with the largest standard deviations (in place).

    As in the reproduction that comes with SymTorch (elizabethsztan).

    Args:
        network, messages, adam: as for `sparsify`.
        keep: how many go on speaking.
    """
    rule = network.rule
    with torch.no_grad():
        spread = rule.mean(messages()).std(dim=0)
        silent = torch.ones_like(spread, dtype=torch.bool)
        silent[spread.argsort(descending=True)[:keep]] = False
        silence(network, silent, adam)


def ordinary(raw: Tensor, rule: MessageRule, kept: float) -> Tensor:
    """The edges whose messages are nearest to the median.

    In close encounters networks speak a code of their own, in components that say nothing
    elsewhere and are the loudest there: with them, standard deviations tell of encounters alone.

    Args:
        raw: φᵉ's output, shape [edges, rule.width].
        rule: how it is read.
        kept: the share of the edges that is returned; 1 returns all.
    """
    if kept == 1.0:
        return raw
    mean = rule.mean(raw)
    away = (mean - mean.median(dim=0).values).abs().sum(dim=1)
    return raw[away <= torch.quantile(away, kept)]


def turn_to_principal_axes(
    network: GraphNetwork, raw: torch.Tensor, adam: torch.optim.Optimizer
) -> None:
    """Rotate the message space so that its axes are the messages' principal axes (in place).

    The network's predictions stay as they are: φᵉ's last matrix is turned by a rotation and
    φᵛ's first one by its inverse. Of KL messages the means are turned; a new axis has the mean of
    the old log variances, weighted by its squared cosines. That is exact where axes change places
    or are equally noisy, so turning is for the time when α₁, and with it the noise, is small.
    Adam's running means belong to the old axes and are dropped; its running variances, which only
    set a scale, are kept.

    Args:
        network: with messages of rule.components numbers.
        raw: φᵉ's output on some edges, shape [edges, rule.width].
        adam: its optimiser.
    """
    last, (first, start) = network.edge_model.last, network.listener
    components = network.rule.components
    with torch.no_grad():
        mean = network.rule.mean(raw)
        centred = (mean - mean.mean(dim=0)).double()
        axes = torch.linalg.eigh(centred.T @ centred / len(mean))[1].flip(1).to(raw.dtype)
        turns = (axes, axes**2) if network.rule.stochastic else (axes,)
        for weight in (last.weight, last.bias):
            rows = zip(turns, weight.split(components), strict=True)
            weight.copy_(torch.cat([turn.T @ part for turn, part in rows]))
        pooled = slice(start, start + components)
        first.weight[:, pooled] = first.weight[:, pooled] @ axes
        for weight in (last.weight, last.bias, first.weight):
            if weight in adam.state:
                adam.state[weight]["exp_avg"].zero_()


def silence(network: GraphNetwork, silent: Tensor, adam: torch.optim.Optimizer) -> None:
    """Set some message components to zero for good (in place).

    Their rows of φᵉ's last matrix and their columns of φᵛ's first become zero. There the gradient
    of both is zero as well, so they stay silent. A component that is drawn from a distribution
    becomes the prior's noise; `stay_silent` keeps φᵛ from listening to that.

    Args:
        network: with messages of `components` numbers.
        silent: shape [components], bool.
        adam: its optimiser.
    """
    last, (first, start) = network.edge_model.last, network.listener
    column = start + torch.where(silent)[0]
    rows = silent.repeat(last.out_features // len(silent))
    with torch.no_grad():
        for slot in (lambda w: w.data, lambda w: adam.state.get(w, {}).get("exp_avg")):
            for weight, at in (
                (last.weight, rows),
                (last.bias, rows),
                (first.weight, (slice(None), column)),
            ):
                values = slot(weight)
                if values is not None:
                    values[at] = 0.0


def stay_silent(network: Network) -> None:
    """Drop the gradient by which φᵛ would listen to the noise of silenced KL components."""
    first, start = network.listener
    forget(first, start + torch.where(~_alive(network))[0])


def speaking(network: Network) -> int:
    """How many message components have not been silenced."""
    return int(_alive(network).sum())


def _alive(network: Network) -> Tensor:
    rows = network.edge_model.last.weight[: network.rule.components]
    return (rows != 0).any(dim=1)
