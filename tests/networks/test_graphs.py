"""Graphs: who is joined to whom."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from snapshots import random_snapshots

from symlib.errors import InputError
from symlib.networks.graphs import complete_graph, snapshot_graphs


@given(bodies=st.integers(2, 9), graphs=st.integers(1, 5))
def test_complete_graphs_join_everyone_within_a_graph_and_no_one_across(bodies, graphs):
    sender, receiver = complete_graph(bodies, graphs).numpy()
    assert len(sender) == graphs * bodies * (bodies - 1)
    assert not np.any(sender == receiver)
    assert np.array_equal(sender // bodies, receiver // bodies)
    assert len({*zip(sender, receiver, strict=True)}) == len(sender)
    assert np.all(np.diff(receiver) >= 0)


def test_snapshots_become_one_batch():
    states, accelerations = random_snapshots(count=5, bodies=3)
    batch = snapshot_graphs(states, accelerations)
    assert batch.x.shape == (15, 6) and batch.y.shape == (15, 2)
    assert torch.equal(batch.edge_index, complete_graph(3, 5))


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: complete_graph(1), "bodies"),
        (lambda: complete_graph(3, 0), "graphs"),
        (lambda: snapshot_graphs(np.full((2, 3, 6), np.nan)), "states"),
        (lambda: snapshot_graphs(np.zeros((2, 6))), "states"),
        (lambda: snapshot_graphs(np.zeros((0, 3, 6))), "no snapshots"),
        (lambda: snapshot_graphs(np.zeros((2, 3, 6)), np.zeros((2, 4, 2))), "accelerations"),
    ],
)
def test_bad_input_names_the_argument(call, word):
    with pytest.raises(InputError, match=word):
        call()
