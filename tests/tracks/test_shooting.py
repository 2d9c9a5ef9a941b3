"""Shooting: what scipy's integrator finds, with gradients that are those of the integration."""

import numpy as np
import torch
from scipy.integrate import solve_ivp

from symlib.tracks.shooting import residuals, shoot

DT, FRAMES = 0.02, 15


def drawn(segments=3, bodies=4, dim=2, seed=0):
    rng = np.random.default_rng(seed)
    return (torch.tensor(rng.normal(size=(segments, bodies, dim))) for _ in range(2))


def pull(mass, drag):
    """Softened gravity with a drag, of which the field depends on velocities too."""

    def field(x, v):
        apart = x[:, None] - x[:, :, None]
        r2 = (apart**2).sum(dim=-1, keepdim=True) + 0.1
        return (mass[None, None, :, None] * apart / r2**1.5).sum(dim=2) - drag * v

    return field


def test_it_finds_what_scipys_integrator_finds():
    position, velocity = drawn()
    field = pull(torch.tensor([1.0, 0.5, 2.0, 1.5], dtype=torch.float64), 0.3)
    places, speeds = shoot(field, position, velocity, DT, FRAMES, substeps=4)
    assert places.shape == speeds.shape == (3, FRAMES, 4, 2)
    for segment in range(3):

        def flow(_, state):
            x, v = torch.tensor(state).reshape(2, 1, 4, 2)
            return torch.cat([v, field(x, v)]).numpy().ravel()

        start = torch.stack([position[segment], velocity[segment]]).numpy().ravel()
        times = DT * np.arange(FRAMES)
        found = solve_ivp(flow, (0, times[-1]), start, t_eval=times, rtol=1e-11, atol=1e-12)
        truth = found.y.T.reshape(FRAMES, 2, 4, 2)
        np.testing.assert_allclose(places[segment], truth[:, 0], atol=1e-6)
        np.testing.assert_allclose(speeds[segment], truth[:, 1], atol=1e-6)


def test_gradients_are_those_of_finite_differences():
    position, velocity = drawn(segments=2, bodies=3)
    mass = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    drag = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    observed = torch.zeros(2, 6, 3, 2, dtype=torch.float64)
    observed[0, 3, 1] = torch.nan

    def loss(position, velocity, mass, drag):
        places, _ = shoot(pull(mass, drag), position, velocity, DT, 6, substeps=2)
        return (residuals(places, observed, 0.1) ** 2).mean()

    given = (position.requires_grad_(), velocity.requires_grad_(), mass, drag)
    assert torch.autograd.gradcheck(loss, given)


def test_what_was_not_seen_counts_nothing():
    positions = torch.ones(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    observed = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    observed[0, 1, 0] = torch.nan
    left = residuals(positions, observed, 0.5)
    assert left[0, 1, 0].tolist() == [0.0, 0.0] and left[0, 1, 1].tolist() == [2.0, 2.0]
    left.square().sum().backward()
    assert torch.isfinite(positions.grad).all() and (positions.grad[0, 1, 0] == 0).all()
