"""Adaptive Runge-Kutta integration of many independent systems at once.

The method is diffrax's: the tableau and the dense output of `Dopri8`, the step sizes of
`PIDController`. What differs from a vmapped `diffrax.diffeqsolve` is who waits for whom.
In a plain batch every system waits for the hardest one, and for 1/r^2 the hardest of a
few hundred takes a hundred times the median number of steps. Here a fixed number of
lanes advance side by side, and a lane whose system has finished is given the next one,
so that a close encounter occupies one lane and holds up nobody.
The lanes are the last axis of every array, where the processor's vector units want them.

All arithmetic is float64, on the processor even where there is an accelerator; all
quantities are dimensionless.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from symlib.laws.potentials import Body, PairPotential
from symlib.records.record import available_cores

LANES = 16
# Snapshots that one step may pass. Fewer limit the step, more are interpolated in vain.
WINDOW = 8
# Steps between two looks at the host's wishes (a refill, Ctrl-C): some 20 ms.
SLICE = 1000
# Finished lanes that are worth interrupting the others for.
REFILL = 4

# States whose accelerations are computed at once: a few MB of work space.
_BATCH = 2048
_SOLVER = diffrax.Dopri8()


def system_accelerations(law: PairPotential, position, velocity, charge, mass) -> jax.Array:
    """Accelerations of one system (eq. 6), the summed energy differentiated once, and the drag.

    Equal to `potentials.accelerations`, and faster inside an integrator.

    Args:
        position, velocity: shape [bodies, dim]. charge, mass: shape [bodies].

    Returns:
        Shape [bodies, dim], dimensionless.
    """
    bodies = position.shape[0]
    itself = jnp.eye(bodies, dtype=bool)
    # A body's distance to itself has no gradient: there the sender is moved aside before
    # differentiating, and the energy blanked. Plain broadcasting, for this is what the
    # compiler fuses best.
    senders = position[None] + itself[..., None]

    def pair(a, b, sender):
        return law.pair_energy(Body._make([*a, bodies]), Body._make([sender, *b[1:], bodies]))

    def energy(positions):
        states = (positions, velocity, mass, charge)
        row = jax.vmap(pair, in_axes=(None, 0, 0))
        energies = jax.vmap(row, in_axes=(0, None, 0))(states, states, senders)
        total = jnp.sum(jnp.where(itself, 0.0, energies))
        if law.external is not None:
            alone = jax.vmap(lambda *a: law.external_energy(Body._make([*a, bodies])))
            total += jnp.sum(alone(*states))
        return total

    force = -jax.grad(energy)(position)
    if law.drag is not None:
        drag = jax.vmap(lambda *a: law.drag_force(Body._make([*a, bodies])))
        force += drag(position, velocity, mass, charge)
    return force / mass[:, None]


@partial(jax.jit, static_argnums=0)
def _accelerations(law: PairPotential, states):
    def one(state):
        dim = states.shape[-1] // 2 - 1
        return system_accelerations(law, state[:, :dim], state[:, dim:-2], *state[:, -2:].T)

    return jax.lax.map(one, states, batch_size=_BATCH)


def batched_accelerations(law: PairPotential, states: np.ndarray) -> np.ndarray:
    """True accelerations (eq. 6) of states [count, bodies, 2 dim + 2], computed in float64."""
    # Repeated to whole batches, or every other count would be compiled anew.
    whole = -(-len(states) // _BATCH) * _BATCH
    repeated = np.resize(states, (whole, *states.shape[1:])).astype(np.float64)
    with jax.enable_x64(True):
        return np.asarray(_accelerations(law, repeated))[: len(states)]


def _derivative(law: PairPotential, phase, constants):
    """d/dt of phase [2 (position, velocity), bodies, dim]; constants [2 (charge, mass), bodies]."""
    return jnp.stack([phase[1], system_accelerations(law, *phase, *constants)])


class _Lanes(NamedTuple):
    """The state of the lanes; the lane is the last axis of every array but `stored`."""

    t: jax.Array  # [lanes]
    t_next: jax.Array  # [lanes]
    phase: jax.Array  # [2, bodies, dim, lanes]
    slope: jax.Array  # d phase / dt at t
    constants: jax.Array  # [2, bodies, lanes]
    control: tuple  # the controller's memory
    snapshot: jax.Array  # [lanes], the next one to store
    used: jax.Array  # [lanes], solver steps so far
    active: jax.Array  # [lanes]
    stored: jax.Array  # [lanes, steps + WINDOW, 2, bodies, dim]


def _apart(true, x):
    """x, computed once and stored.

    XLA's processor backend would otherwise repeat the sum that makes x inside every kernel
    that reads x, number by number and for each pair of bodies; it drops optimization
    barriers before it fuses, but not a conditional.
    """
    return lax.cond(true, lambda x: x, jnp.zeros_like, x)


def _idle(bodies: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Phase and constants of lanes without a system: bodies apart, so all numbers are ordinary."""
    phase = np.zeros((2, bodies, dim, LANES))
    phase += np.arange(bodies, dtype=float)[:, None, None]
    return phase, np.ones((2, bodies, LANES))


@lru_cache(maxsize=16)
def _program(law: PairPotential, dim, bodies, steps, tolerance, max_steps):
    """The compiled functions (empty, advance, read) of one law and size."""
    dtmax = 0.999 * WINDOW * law.dt
    controller = diffrax.PIDController(rtol=tolerance, atol=tolerance, dtmax=dtmax)
    order = _SOLVER.order(None)
    rows = [np.asarray(row) for row in _SOLVER.tableau.a_lower]
    error_weights = np.asarray(_SOLVER.tableau.b_error)
    # Inside a step y(t + x h) = y + h sum_i x p_i(x) k_i, with k_i the slope of stage i.
    dense = np.asarray(_SOLVER.interpolation_cls.eval_coeffs)  # type: ignore[attr-defined]  # a class
    needed = np.flatnonzero(dense.any(axis=1))
    derivative = jax.vmap(partial(_derivative, law), in_axes=-1, out_axes=-1)

    def combine(weights, slopes):
        return sum(w * slope for w, slope in zip(weights, slopes, strict=True) if w != 0)

    def first_step(phase, constants):
        field = lambda terms, t, y, args: _derivative(law, y, constants)  # noqa: E731
        end, control = controller.init(None, 0.0, 0.0, phase, None, None, field, order)
        return end, jax.tree.map(jnp.asarray, control)

    def adapt(t, t_next, phase, candidate, error, control):
        found = controller.adapt_step_size(t, t_next, phase, candidate, None, error, order, control)
        return found[:5]

    def step(lanes: _Lanes) -> _Lanes:
        h = lanes.t_next - lanes.t
        # Always true, which only the compiler does not know.
        apart = partial(_apart, lanes.snapshot[0] >= 0)
        slopes = [lanes.slope]
        for row in rows:
            candidate = apart(lanes.phase + h * combine(row, slopes))
            slopes.append(apart(derivative(candidate, lanes.constants)))
        # The last stage of Dopri8 is the step's end: "first same as last".
        error = h * combine(error_weights, slopes)
        error = apart(jnp.where(jnp.isfinite(error), error, jnp.inf))
        keep, t, t_next, _, control = jax.vmap(adapt, in_axes=-1, out_axes=-1)(
            lanes.t, lanes.t_next, lanes.phase, candidate, error, lanes.control
        )

        times = (lanes.snapshot + jnp.arange(WINDOW)[:, None]) * law.dt
        fraction = (times - lanes.t) / h
        weights = apart(jnp.stack([fraction * jnp.polyval(dense[i], fraction) for i in needed]))
        weights = weights[:, :, None, None, None]
        window = sum(w * slopes[i] for w, i in zip(weights, needed, strict=True))
        window = apart(lanes.phase + h * window)
        # The whole window is written. What lies beyond the step's end, or belongs to a
        # rejected step, is written again by a later one; so nothing needs a mask.
        stored = lanes.stored
        for lane in range(LANES):
            stored = lax.dynamic_update_slice(
                stored, window[None, ..., lane], (lane, lanes.snapshot[lane], 0, 0, 0)
            )
        passed = jnp.floor(lanes.t_next / law.dt + 1e-9).astype(int) + 1
        snapshot = jnp.where(keep & lanes.active, jnp.minimum(passed, steps), lanes.snapshot)
        used = lanes.used + 1
        stuck = (used >= max_steps) | ~(t_next > t)
        return lanes._replace(
            t=t,
            t_next=t_next,
            phase=jnp.where(keep, candidate, lanes.phase),
            slope=jnp.where(keep, slopes[-1], slopes[0]),
            control=control,
            snapshot=snapshot,
            used=used,
            active=lanes.active & (snapshot < steps) & ~stuck,
            stored=stored,
        )

    def start(phase, constants, stored) -> _Lanes:
        t_next, control = jax.vmap(first_step, in_axes=-1, out_axes=-1)(phase, constants)
        # Not weakly typed, or the second call would compile everything again.
        t = jnp.zeros(LANES)
        zero = t.astype(int)
        return _Lanes(
            t=t,
            t_next=lax.convert_element_type(t_next, t.dtype),
            phase=phase,
            slope=derivative(phase, constants),
            constants=constants,
            control=control,
            snapshot=zero,
            used=zero,
            active=jnp.ones(LANES, bool),
            stored=stored,
        )

    def empty() -> _Lanes:
        stored = jnp.zeros((LANES, steps + WINDOW, 2, bodies, dim))
        phase, constants = map(jnp.asarray, _idle(bodies, dim))
        lanes = start(phase, constants, stored)
        return lanes._replace(active=jnp.zeros(LANES, bool))

    def advance(lanes: _Lanes, fresh, phase, constants, refill) -> _Lanes:
        """Seat the fresh systems, then step until `refill` lanes have finished."""
        seated = start(phase, constants, lanes.stored)
        chosen = jax.tree.map(partial(jnp.where, fresh), seated[:-1], lanes[:-1])
        lanes = _Lanes._make([*chosen, lanes.stored])
        at_start = lanes.active.sum()

        def unfinished(loop):
            count, now = loop
            busy = now.active.sum()
            return (busy > 0) & (at_start - busy < refill) & (count < SLICE)

        return lax.while_loop(unfinished, lambda loop: (loop[0] + 1, step(loop[1])), (0, lanes))[1]

    def read(stored, lane):
        """One lane's snapshots as [steps, bodies, 2 dim]."""
        return jnp.moveaxis(stored[lane, :steps], 1, 2).reshape(steps, bodies, 2 * dim)

    empty, read = jax.jit(empty), jax.jit(read)
    advance = jax.jit(advance, donate_argnums=0)
    # Compiled here, by a call that integrates nothing, and not once by every thread.
    nobody, phase, constants = np.zeros(LANES, bool), *_idle(bodies, dim)
    read(advance(empty(), nobody, phase, constants, REFILL).stored, 0)
    return empty, advance, read


def integrate(
    law: PairPotential,
    initial: np.ndarray,
    numbers: np.ndarray,
    steps: int,
    tolerance: float,
    max_steps: int,
    deliver: Callable[[int, np.ndarray | None], None],
) -> None:
    """Integrate systems in one thread per core, `LANES` at a time.

    A system's result depends on its initial state alone, not on its neighbours or its lane.

    Args:
        law, steps, tolerance, max_steps: as for `nbody.simulate`.
        initial: states, shape [systems, bodies, 2 dim + 2].
        numbers: which of them to integrate.
        deliver: called with a system's number and its snapshots [steps, bodies, 2 dim], or
            with None if it was given up; from several threads at once.
    """
    if not len(numbers):
        return
    bodies, dim = initial.shape[1], initial.shape[2] // 2 - 1
    # The magnitude of the initial accelerations tells the many-step systems well (for 1/r^2
    # its rank correlation with the steps is 0.8, and the hardest of a thousand ranks first);
    # a system that takes long should not be the last to begin.
    strength = np.linalg.norm(batched_accelerations(law, initial[numbers]), axis=-1).max(axis=-1)
    queue = iter(numbers[np.argsort(-strength, kind="stable")].tolist())
    taking, stop = threading.Lock(), threading.Event()
    with _exact():
        empty, advance, read = _program(law, dim, bodies, steps, float(tolerance), max_steps)

    @_exact()
    def work():
        lanes, seats = empty(), [None] * LANES
        phase, constants = _idle(bodies, dim)
        while not stop.is_set():
            fresh = np.zeros(LANES, bool)
            for lane in range(LANES):
                if seats[lane] is None:
                    with taking:
                        seats[lane] = next(queue, None)
                    if seats[lane] is not None:
                        state = initial[seats[lane]]
                        phase[0, ..., lane], phase[1, ..., lane] = state[:, :dim], state[:, dim:-2]
                        constants[..., lane] = state[:, -2:].T
                        fresh[lane] = True
            if all(seat is None for seat in seats):
                return
            # Without another system in the queue there is nothing to interrupt for.
            refill = LANES + 1 if None in seats else REFILL
            lanes = advance(lanes, fresh, phase, constants, refill)
            active, snapshot = np.asarray(lanes.active), np.asarray(lanes.snapshot)
            for lane, seat in enumerate(seats):
                if seat is not None and not active[lane]:
                    result = np.asarray(read(lanes.stored, lane))
                    whole = snapshot[lane] >= steps and np.isfinite(result).all()
                    deliver(seat, result if whole else None)
                    seats[lane] = None

    workers = min(available_cores(), -(-len(numbers) // LANES))
    with ThreadPoolExecutor(workers) as pool:
        try:
            for future in as_completed([pool.submit(work) for _ in range(workers)]):
                future.result()
        finally:
            # After Ctrl-C, or an error in one thread, the others stop at their next slice.
            stop.set()


@contextmanager
def _exact():
    """Float64 on the processor, in this thread."""
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        yield
