"""Adaptive Runge-Kutta integration of many independent systems at once.

The method is diffrax's: the tableau and the dense output of `Dopri8`, the step sizes of
`PIDController`. What differs from a vmapped `diffrax.diffeqsolve` is who waits for whom.
In a plain batch every system waits for the hardest one, and for 1/r^2 the hardest of a
few hundred takes a hundred times the median number of steps. Here a fixed number of
lanes advance side by side, and a lane whose system has finished is given the next one
(`integrate_lanes`), so that a close encounter occupies one lane and holds up nobody.
The lanes are the last axis of every array, where the processor's vector units want them.

On an accelerator the plain batch wins, and `integrate_batch` is that.
All arithmetic is float64; all quantities are dimensionless.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import lru_cache, partial
from itertools import islice
from typing import NamedTuple

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from symlib.potentials import Body, PairPotential

LANES = 16
# Snapshots that one step may pass. Fewer limit the step, more are interpolated in vain.
WINDOW = 8
# Steps between two looks at the host's wishes (a refill, Ctrl-C): some 20 ms.
SLICE = 1000
# Finished lanes that are worth interrupting the others for.
REFILL = 4

_SOLVER = diffrax.Dopri8()


class Request(NamedTuple):
    """What to integrate, but for the initial states: one compiled program for each.

    steps: snapshots, spaced law.dt and counting the initial one; tolerance: relative and
    absolute, of each step; max_steps: solver steps after which a system is given up.
    """

    law: PairPotential
    dim: int
    bodies: int
    steps: int
    tolerance: float
    max_steps: int


def system_accelerations(law: PairPotential, position, velocity, charge, mass) -> jax.Array:
    """Accelerations of one system (eq. 6), the summed energy differentiated once.

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
        return law.pair_energy(Body(*a, bodies), Body(sender, *b[1:], bodies))

    def energy(positions):
        states = (positions, velocity, mass, charge)
        row = jax.vmap(pair, in_axes=(None, 0, 0))
        energies = jax.vmap(row, in_axes=(0, None, 0))(states, states, senders)
        return jnp.sum(jnp.where(itself, 0.0, energies))

    return -jax.grad(energy)(position) / mass[:, None]


def _derivative(law: PairPotential, phase, constants):
    """d/dt of phase [2 (position, velocity), bodies, dim]; constants [2 (charge, mass), bodies]."""
    return jnp.stack([phase[1], system_accelerations(law, *phase, *constants)])


def _controller(request: Request, dtmax: float | None = None) -> diffrax.PIDController:
    return diffrax.PIDController(rtol=request.tolerance, atol=request.tolerance, dtmax=dtmax)


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


def _dense_output() -> np.ndarray:
    """Dopri8's dense output as polynomials, shape [stages, 6], the highest power first.

    Inside the step, y(t + x h) = y + h sum_i x p_i(x) k_i with k_i the slope of stage i.
    Read off diffrax's own interpolation, whose form the compiler cannot fuse.
    """
    stages = len(_SOLVER.tableau.b_sol)
    with jax.enable_x64(True):
        zero = jnp.zeros(stages)
        basis = _SOLVER.interpolation_cls(t0=0.0, t1=1.0, y0=zero, y1=zero, k=jnp.eye(stages))
        points = np.linspace(0.0, 1.0, 7)[1:]
        values = np.stack([np.asarray(basis.evaluate(x)) / x for x in points])
    return np.linalg.solve(np.vander(points), values).T


def _idle(request: Request) -> tuple[np.ndarray, np.ndarray]:
    """Phase and constants of lanes without a system: bodies apart, so all numbers are ordinary."""
    phase = np.zeros((2, request.bodies, request.dim, LANES))
    phase += np.arange(request.bodies, dtype=float)[:, None, None]
    return phase, np.ones((2, request.bodies, LANES))


@lru_cache(maxsize=16)
def _program(request: Request):
    """The compiled functions (empty, advance, read) of one request."""
    law, dim, bodies, steps, _, max_steps = request
    controller = _controller(request, dtmax=0.999 * WINDOW * law.dt)
    order = _SOLVER.order(None)
    rows = [np.asarray(row) for row in _SOLVER.tableau.a_lower]
    error_weights = np.asarray(_SOLVER.tableau.b_error)
    dense = _dense_output()
    needed = [stage for stage in range(len(dense)) if np.abs(dense[stage]).max() > 1e-9]
    derivative = jax.vmap(partial(_derivative, law), in_axes=-1, out_axes=-1)

    def combine(weights, slopes):
        return sum(w * slope for w, slope in zip(weights, slopes, strict=True) if w != 0)

    def first_step(phase, constants):
        field = lambda terms, t, y, args: _derivative(law, y, constants)  # noqa: E731
        end, control = controller.init(None, 0.0, None, phase, None, None, field, order)
        return end, jax.tree.map(jnp.asarray, control)

    def adapt(t, t_next, phase, candidate, error, control):
        return controller.adapt_step_size(t, t_next, phase, candidate, None, error, order, control)[
            :5
        ]

    adapt_lanes = jax.vmap(adapt, in_axes=-1, out_axes=-1)

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
        keep, t, t_next, _, control = adapt_lanes(
            lanes.t, lanes.t_next, lanes.phase, candidate, error, lanes.control
        )

        times = (lanes.snapshot + jnp.arange(WINDOW)[:, None]) * law.dt
        fraction = (times - lanes.t) / h
        weights = [fraction * jnp.polyval(dense[i], fraction) for i in needed]
        weights = apart(jnp.stack(weights))
        window = sum(
            w[:, None, None, None] * slopes[i] for w, i in zip(weights, needed, strict=True)
        )
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
        return _Lanes(
            t,
            t_next,
            jnp.where(keep, candidate, lanes.phase),
            jnp.where(keep, slopes[-1], slopes[0]),
            lanes.constants,
            control,
            snapshot,
            used,
            lanes.active & (snapshot < steps) & ~stuck,
            stored,
        )

    def start(phase, constants, stored) -> _Lanes:
        t_next, control = jax.vmap(first_step, in_axes=-1, out_axes=-1)(phase, constants)
        # Not weakly typed, or the second call would compile everything again.
        t_next = lax.convert_element_type(t_next, jnp.zeros(()).dtype)
        zero = jnp.zeros(LANES, int)
        return _Lanes(
            t=jnp.zeros(LANES),
            t_next=t_next,
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
        lanes = start(*map(jnp.asarray, _idle(request)), stored)
        return lanes._replace(active=jnp.zeros(LANES, bool))

    def advance(lanes: _Lanes, fresh, phase, constants, refill) -> _Lanes:
        """Seat the fresh systems, then step until `refill` lanes have finished."""
        seated = start(phase, constants, lanes.stored)
        chosen = [
            jax.tree.map(lambda new, old: jnp.where(fresh, new, old), new, old)
            for new, old in zip(seated[:-1], lanes[:-1], strict=True)
        ]
        lanes = _Lanes(*chosen, stored=lanes.stored)
        at_start = lanes.active.sum()

        def unfinished(loop):
            count, now = loop
            busy = now.active.sum()
            return (busy > 0) & (at_start - busy < refill) & (count < SLICE)

        return lax.while_loop(unfinished, lambda loop: (loop[0] + 1, step(loop[1])), (0, lanes))[1]

    def read(stored, lane):
        """One lane's snapshots as [steps, bodies, 2 dim]."""
        phase = jnp.moveaxis(stored[lane, :steps], 1, 2)
        return phase.reshape(steps, bodies, 2 * dim)

    empty, read = jax.jit(empty), jax.jit(read)
    advance = jax.jit(advance, donate_argnums=0)
    # Compiled here, by a call that integrates nothing, and not once by every thread.
    nobody, phase, constants = np.zeros(LANES, bool), *_idle(request)
    read(advance(empty(), nobody, phase, constants, REFILL).stored, 0)
    return empty, advance, read


Deliver = Callable[[int, np.ndarray | None], None]


def integrate_lanes(
    request: Request,
    initial: Callable[[int], np.ndarray],
    systems: Iterator[int],
    deliver: Deliver,
    workers: int,
) -> None:
    """Integrate systems in `workers` threads of `LANES` lanes each, in no particular order.

    A system's result does not depend on its neighbours, on its lane or on `workers`.

    Args:
        initial: system number -> state [bodies, 2 dim + 2].
        systems: the numbers to integrate.
        deliver: called with a number and its snapshots [steps, bodies, 2 dim], or with None
            if the integrator gave up; from several threads at once.
    """
    lock, stop = threading.Lock(), threading.Event()
    dim = request.dim
    with jax.enable_x64(True):
        empty, advance, read = _program(request)

    def work():
        with jax.enable_x64(True):
            lanes, seats = empty(), [None] * LANES
            phase, constants = _idle(request)
            queued = True
            while not stop.is_set():
                fresh = np.zeros(LANES, bool)
                for lane in (lane for lane in range(LANES) if seats[lane] is None):
                    with lock:
                        seats[lane] = system = next(systems, None)
                    queued = system is not None
                    if not queued:
                        break
                    state = initial(system)
                    phase[0, ..., lane], phase[1, ..., lane] = state[:, :dim], state[:, dim:-2]
                    constants[..., lane] = state[:, -2:].T
                    fresh[lane] = True
                if all(seat is None for seat in seats):
                    return
                # Without another system in the queue there is nothing to interrupt for.
                refill = REFILL if queued else LANES + 1
                lanes = advance(lanes, fresh, phase, constants, refill)
                active, snapshot = np.asarray(lanes.active), np.asarray(lanes.snapshot)
                for lane in range(LANES):
                    if seats[lane] is not None and not active[lane]:
                        done = snapshot[lane] >= request.steps
                        result = np.asarray(read(lanes.stored, lane)) if done else None
                        if result is not None and not np.isfinite(result).all():
                            result = None
                        deliver(seats[lane], result)
                        seats[lane] = None

    with ThreadPoolExecutor(workers, thread_name_prefix="symlib-lanes") as pool:
        futures = [pool.submit(work) for _ in range(workers)]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            # After Ctrl-C, or an error in one worker, the others stop at their next slice.
            if not all(future.done() and not future.exception() for future in futures):
                stop.set()
    for future in futures:
        future.result()


@lru_cache(maxsize=16)
def _batch_program(request: Request):
    law, dim, bodies, steps, _, max_steps = request
    term = diffrax.ODETerm(lambda t, y, constants: _derivative(law, y, constants))
    times = np.arange(steps) * law.dt

    def one(phase, constants):
        solution = diffrax.diffeqsolve(
            term,
            _SOLVER,
            t0=0.0,
            t1=max(times[-1], law.dt),
            dt0=None,
            y0=phase,
            args=constants,
            saveat=diffrax.SaveAt(ts=jnp.asarray(times)),
            stepsize_controller=_controller(request),
            max_steps=max_steps,
            throw=False,
        )
        snapshots = jnp.moveaxis(solution.ys, 1, 2).reshape(steps, bodies, 2 * dim)
        return snapshots, solution.result == diffrax.RESULTS.successful

    return jax.jit(jax.vmap(one))


def integrate_batch(
    request: Request,
    initial: Callable[[int], np.ndarray],
    systems: Iterator[int],
    deliver: Deliver,
    batch: int,
) -> None:
    """Integrate systems `batch` at a time as one vmapped `diffrax.diffeqsolve`.

    The right way on an accelerator, where waiting for the hardest system costs less than
    looking for it. Arguments as for `integrate_lanes`.
    """
    with jax.enable_x64(True):
        solve = _batch_program(request)
        while numbers := list(islice(systems, batch)):
            states = np.stack([initial(n) for n in numbers])
            padding = np.repeat(states[:1], batch - len(numbers), axis=0)
            states = np.concatenate([states, padding])
            phase = np.stack([states[..., : request.dim], states[..., request.dim : -2]], axis=1)
            snapshots, done = solve(phase, np.moveaxis(states[..., -2:], -1, 1))
            snapshots, done = np.asarray(snapshots), np.asarray(done)
            for row, number in enumerate(numbers):
                good = done[row] and np.isfinite(snapshots[row]).all()
                deliver(number, snapshots[row] if good else None)
