"""Pair potentials and the forces that follow from them (appendix B).

A law is a scalar function of two bodies. Everything else - the force on the receiving
body, the acceleration that a network must predict, the verdict on an equation - is
derived from it by automatic differentiation, so a new law is one function:

    PairPotential("yukawa", lambda r, a, b: -a.mass * b.mass * jnp.exp(-r) / r, dt=0.005)

What acts on each body alone stands beside it: an external field, by its energy, and a drag, by
its force. The acceleration is then (the pair forces + the field's force + the drag) / mass.

All quantities are dimensionless, as in the paper. A body's state is the row
`[position (dim), velocity (dim), charge, mass]`, 2 dim + 2 numbers.
"""

import functools
import hashlib
import importlib.util
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from symlib.choices import DIMENSIONS, known_law
from symlib.errors import InputError

SOFTENING = 0.01


class Body(NamedTuple):
    """What a law may look at in one body (dimensionless).

    position, velocity: shape [dim]; mass, charge: scalars; bodies: how many bodies the
    system has (the paper's damping is divided by it).
    """

    position: jax.Array
    velocity: jax.Array
    mass: jax.Array
    charge: jax.Array
    bodies: int


def _dimension(width: int) -> int:
    dim, odd = divmod(width - 2, 2)
    if odd or dim not in DIMENSIONS:
        raise InputError(
            f"a state has 2 dim + 2 numbers [position, velocity, charge, mass] with dim 2 or 3; "
            f"got {width}"
        )
    return dim


def _body(state, bodies: int) -> Body:
    dim = _dimension(state.shape[-1])
    return Body(state[:dim], state[dim : 2 * dim], state[-1], state[-2], bodies)


@dataclass(frozen=True)
class PairPotential:
    """A law of nature between two bodies (appendix B).

    Args:
        name: how commands and records call it.
        function: `function(r, a, b)` -> scalar energy, written with jax.numpy; r is the
            softened distance |r_a - r_b| + softening, `a` the receiving `Body` and `b` the
            sending one.
        dt: the time between two stored snapshots.
        softening: added to the distance (the paper: 0.01) so that the law has no singularity.
        conservative: whether energy is conserved. False for damping, and for a potential with
            a jump: its gradient, the force, knows nothing of the jump. A law with a drag is
            not conservative, whatever is said here.
        label: the law as a reader writes it, in LaTeX without dollar signs, with the terms of a
            single body if it has some.
        validate: evaluate the functions once on two ordinary bodies. Only the built-in laws
            switch it off, to keep the import fast; the tests evaluate them instead.
        external: `external(a)` -> scalar energy of one `Body` in an outer field, such as a trap,
            `lambda a: 0.25 * jnp.sum(a.position**2)`; its force is the negative gradient. None:
            there is no field.
        drag: `drag(a)` -> force on one `Body` that is no gradient, shape [dim], such as
            `lambda a: -0.1 * a.velocity`. None: there is none.

    Raises:
        InputError: dt or softening out of range, a function that does not return one
            finite number for two ordinary bodies, or a drag that is not dim finite numbers.
    """

    name: str
    function: Callable[[jax.Array, Body, Body], jax.Array]
    dt: float
    softening: float = SOFTENING
    conservative: bool = True
    label: str = ""
    validate: bool = True
    external: Callable[[Body], jax.Array] | None = None
    drag: Callable[[Body], jax.Array] | None = None

    def __post_init__(self):
        if not self.name or not isinstance(self.name, str):
            raise InputError(f"PairPotential: name must be a non-empty string, got {self.name!r}")
        if not (isinstance(self.dt, (int, float)) and math.isfinite(self.dt) and self.dt > 0):
            raise InputError(f"law {self.name!r}: dt must be a positive number, got {self.dt!r}")
        if not (math.isfinite(self.softening) and self.softening >= 0):
            raise InputError(
                f"law {self.name!r}: softening must be zero or positive, got {self.softening!r}"
            )
        if not callable(self.function):
            raise InputError(f"law {self.name!r}: function must be callable as function(r, a, b)")
        for what, function in (("external", self.external), ("drag", self.drag)):
            if function is not None and not callable(function):
                raise InputError(f"law {self.name!r}: {what} must be callable as {what}(a)")
        if self.drag is not None:
            object.__setattr__(self, "conservative", False)
        if self.validate:
            self._check_function()
            self._check_body_terms()

    def _check_function(self):
        """Call the potential once on two ordinary bodies: one finite number must come back."""
        rng = np.random.default_rng(0)
        for dim in DIMENSIONS:
            a, b = rng.normal(size=(2, 2 * dim + 2))
            a[-2:], b[-2:] = (1.0, 0.7), (-1.0, 1.9)
            try:
                value = jnp.asarray(self.energy(jnp.asarray(a), jnp.asarray(b), 4))
                gradient = self.force(jnp.asarray(a), jnp.asarray(b), 4)
            except InputError:
                raise
            except Exception as error:
                raise InputError(
                    f"law {self.name!r}: the potential could not be evaluated in {dim}D. It is "
                    "called as function(r, a, b) with jax.numpy scalars (a.mass, a.charge, "
                    f"a.position, a.velocity) and must return one number. {error}"
                ) from error
            if not np.isfinite(float(value)) or not np.all(np.isfinite(np.asarray(gradient))):
                raise InputError(
                    f"law {self.name!r}: the potential or its force is not finite ({float(value)}) "
                    "for two ordinary bodies; check logarithms, roots and divisions"
                )

    def _check_body_terms(self):
        """Call the external field and the drag once on an ordinary body."""
        state = np.random.default_rng(1).normal(size=2 * max(DIMENSIONS) + 2)
        state[-2:] = (1.0, 0.7)
        terms = {
            "external": ("one number", self.external, [self.external_energy, self._field]),
            "drag": ("one number for each dimension", self.drag, [self.drag_force]),
        }
        for what, (wanted, function, evaluated) in terms.items():
            if function is None:
                continue
            for dim in DIMENSIONS:
                body = _body(jnp.asarray(state[-2 * dim - 2 :]), 4)
                try:
                    values = [np.asarray(one(body)) for one in evaluated]
                except InputError:
                    raise
                except Exception as error:
                    raise InputError(
                        f"law {self.name!r}: {what} could not be evaluated in {dim}D. It is called "
                        f"as {what}(a) with jax.numpy arrays (a.position, a.velocity, a.mass, "
                        f"a.charge) and must return {wanted}. {error}"
                    ) from error
                if not all(np.isfinite(value).all() for value in values):
                    raise InputError(
                        f"law {self.name!r}: {what} or its force is not finite for an ordinary "
                        "body; check logarithms, roots and divisions"
                    )

    def energy(self, receiver, sender, bodies: int) -> jax.Array:
        """Potential energy U_12 of one pair.

        Args:
            receiver, sender: states, shape [2 dim + 2].
            bodies: number of bodies in the system.

        Returns:
            A scalar, dimensionless.

        Raises:
            InputError: the user's function returned something other than one number.
        """
        return self.pair_energy(_body(receiver, bodies), _body(sender, bodies))

    def pair_energy(self, a: Body, b: Body) -> jax.Array:
        """`energy` for two `Body` tuples: what the integrator, which holds no state rows, calls.

        Raises:
            InputError: the user's function returned something other than one number.
        """
        r = jnp.sqrt(jnp.sum((a.position - b.position) ** 2)) + self.softening
        value = jnp.asarray(self.function(r, a, b))
        if value.shape != ():
            raise InputError(
                f"law {self.name!r}: the potential must return one number, "
                f"but returned an array of shape {value.shape}"
            )
        return value

    def force(self, receiver, sender, bodies: int) -> jax.Array:
        """Force on the receiver, -dU_12/dr_1 (eq. 6), shape [dim], dimensionless."""
        dim = _dimension(receiver.shape[-1])
        return -jax.grad(self.energy)(receiver, sender, bodies)[:dim]

    @property
    def has_body_terms(self) -> bool:
        """Whether something acts on a body alone: an external field or a drag."""
        return self.external is not None or self.drag is not None

    def external_energy(self, a: Body) -> jax.Array:
        """Energy of one `Body` in the external field, a scalar; zero where there is none.

        Raises:
            InputError: the user's function returned something other than one number.
        """
        if self.external is None:
            return jnp.zeros(())
        value = jnp.asarray(self.external(a))
        if value.shape != ():
            raise InputError(
                f"law {self.name!r}: external must return one number, "
                f"but returned an array of shape {value.shape}"
            )
        return value

    def drag_force(self, a: Body) -> jax.Array:
        """The drag on one `Body`, shape [dim]; zero where there is none.

        Raises:
            InputError: the user's function returned something of another shape.
        """
        if self.drag is None:
            return jnp.zeros_like(a.velocity)
        value = jnp.asarray(self.drag(a))
        if value.shape != a.velocity.shape:
            raise InputError(
                f"law {self.name!r}: drag must return a force of shape {a.velocity.shape}, "
                f"but returned an array of shape {value.shape}"
            )
        return value

    def _field(self, a: Body) -> jax.Array:
        return -jax.grad(lambda x: self.external_energy(a._replace(position=x)))(a.position)

    def body_force(self, state, bodies: int) -> jax.Array:
        """Force on a body that no other one exerts: the field's and the drag, shape [dim].

        Args:
            state: shape [2 dim + 2].
            bodies: number of bodies in the system.
        """
        body = _body(state, bodies)
        return self._field(body) + self.drag_force(body)

    def fingerprint(self) -> str:
        """A hash of what the law computes, so that stored results of another are not used.

        Of dt, softening and the energies of fixed pairs, near and far, in two and three
        dimensions; rounded, since processors differ in the last digits. Of the external field
        and the drag too, where a law has them. Not of the name.
        """
        return _fingerprint(self)


@functools.cache
def _fingerprint(law: PairPotential) -> str:
    rng = np.random.default_rng(20200619)
    facts = [f"{law.dt:.9g}", f"{law.softening:.9g}"]
    with jax.enable_x64(True):
        for dim, bodies in itertools.product(DIMENSIONS, (2, 4, 6)):
            pairs = rng.normal(size=(2, 16, 2 * dim + 2))
            pairs[..., :dim] *= np.geomspace(0.1, 10, 16)[:, None]
            pairs[..., -1] = np.exp(pairs[..., -1])
            energies = jax.vmap(functools.partial(law.energy, bodies=bodies))(*pairs)
            facts += _rounded(energies)
        for what, function in (("external", law.external), ("drag", law.drag)):
            if function is not None:
                facts += [what, *_body_facts(function)]
    return hashlib.sha256(" ".join(facts).encode()).hexdigest()[:16]


def _rounded(values) -> list[str]:
    # What is left of a difference of equal numbers is no energy.
    return [f"{0.0 if abs(one) < 1e-12 else one:.5e}" for one in np.ravel(values)]


def _body_facts(term: Callable[[Body], jax.Array]) -> list[str]:
    """What a term of a single body computes for fixed bodies, near and far, slow and fast."""
    rng = np.random.default_rng(20200621)
    facts = []
    for dim, bodies in itertools.product(DIMENSIONS, (2, 4, 6)):
        states = rng.normal(size=(16, 2 * dim + 2))
        states[:, :dim] *= np.geomspace(0.1, 10, 16)[:, None]
        states[:, dim : 2 * dim] *= rng.permutation(np.geomspace(0.1, 10, 16))[:, None]
        states[:, -1] = np.exp(states[:, -1])
        seen = [_body(jnp.asarray(state), bodies) for state in states]
        facts += _rounded(np.stack([term(body) for body in seen]))
    return facts


def pair_forces(law: PairPotential, states) -> jax.Array:
    """True force on every body from every other one (eq. 6).

    Args:
        law: the pair potential.
        states: shape [..., bodies, 2 dim + 2].

    Returns:
        Shape [..., bodies (receiver), bodies (sender), dim]; zero on the diagonal.
    """
    states = jnp.asarray(states)
    *batch, bodies, width = states.shape
    _dimension(width)
    # A body's distance to itself has no gradient, so the diagonal is replaced before
    # differentiating and blanked afterwards: NaN * 0 would still be NaN.
    shifted = states.at[..., : _dimension(width)].add(1.0)

    def one(system, moved):
        def row(i):
            senders = jnp.where(jnp.arange(bodies)[:, None] == i, moved, system)
            forces = jax.vmap(lambda sender: law.force(system[i], sender, bodies))(senders)
            return jnp.where(jnp.arange(bodies)[:, None] == i, 0.0, forces)

        return jax.vmap(row)(jnp.arange(bodies))

    flat = jax.vmap(one)(states.reshape(-1, bodies, width), shifted.reshape(-1, bodies, width))
    return flat.reshape(*batch, bodies, bodies, flat.shape[-1])


def body_forces(law: PairPotential, states) -> jax.Array:
    """Force on every body that no other one exerts: of the external field, and the drag.

    Args:
        law: the law.
        states: shape [..., bodies, 2 dim + 2].

    Returns:
        Shape [..., bodies, dim]; zero for a law of pairs alone.
    """
    states = jnp.asarray(states)
    *batch, bodies, width = states.shape
    dim = _dimension(width)
    forces = jax.vmap(lambda state: law.body_force(state, bodies))(states.reshape(-1, width))
    return forces.reshape(*batch, bodies, dim)


def accelerations(law: PairPotential, states) -> jax.Array:
    """Accelerations (eq. 6): states [..., bodies, 2 dim + 2] -> [..., bodies, dim].

    By the pairs, the external field and the drag together.
    """
    states = jnp.asarray(states)
    forces = pair_forces(law, states).sum(axis=-2)
    if law.has_body_terms:
        forces += body_forces(law, states)
    return forces / states[..., -1:]


def total_energy(law: PairPotential, states) -> jax.Array:
    """Kinetic plus potential energy, each pair once, and that in an external field.

    States [..., bodies, w] -> [...].
    """
    states = jnp.asarray(states)
    *batch, bodies, width = states.shape
    dim = _dimension(width)
    first, second = np.triu_indices(bodies, 1)

    def one(system):
        pairs = jax.vmap(lambda i, j: law.energy(system[i], system[j], bodies))(first, second)
        kinetic = 0.5 * jnp.sum(system[:, -1:] * system[:, dim : 2 * dim] ** 2)
        total = kinetic + jnp.sum(pairs)
        if law.external is not None:
            total += jnp.sum(jax.vmap(lambda s: law.external_energy(_body(s, bodies)))(system))
        return total

    return jax.vmap(one)(states.reshape(-1, bodies, width)).reshape(batch)


def _builtin(name, function, dt, label, conservative=True) -> PairPotential:
    return PairPotential(name, function, dt, label=label, conservative=conservative, validate=False)


# The six laws of appendix B, with its time steps.
LAWS: dict[str, PairPotential] = {
    law.name: law
    for law in (
        _builtin("r2", lambda r, a, b: -a.mass * b.mass / r, 0.001, "1/r^2"),
        _builtin("r1", lambda r, a, b: a.mass * b.mass * jnp.log(r), 0.005, "1/r"),
        _builtin("spring", lambda r, a, b: (r - 1) ** 2, 0.01, r"\mathrm{spring}"),
        _builtin(
            "damped",
            lambda r, a, b: (r - 1) ** 2 + jnp.dot(a.position, a.velocity) / a.bodies,
            0.02,
            r"\mathrm{damped}",
            conservative=False,
        ),
        _builtin("charge", lambda r, a, b: a.charge * b.charge / r, 0.001, r"\mathrm{charge}"),
        _builtin(
            "discontinuous",
            lambda r, a, b: jnp.where(r < 2, 0.0, (r - 1) ** 2),
            0.01,
            r"\mathrm{discontinuous}",
            conservative=False,
        ),
    )
}


def get_law(spec: "str | PairPotential") -> PairPotential:
    """A built-in law by name, or a user's own as "path/to/file.py:NAME".

    Raises:
        UnknownChoice: no law of that name; the message lists the names.
        InputError: the file cannot be read or run, or holds no `PairPotential` NAME.
    """
    if isinstance(spec, PairPotential):
        return spec
    if spec in LAWS:
        return LAWS[spec]
    known_law(spec)
    path, _, name = spec.rpartition(":")
    module_spec = importlib.util.spec_from_file_location("symlib_user_law", path)
    assert module_spec and module_spec.loader  # as there are for a .py that is there
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"law file {path} could not be run: {error!r}") from error
    law = getattr(module, name, None)
    if not isinstance(law, PairPotential):
        found = [key for key, value in vars(module).items() if isinstance(value, PairPotential)]
        raise InputError(
            f"{path} has no PairPotential named {name!r}; it has {', '.join(found) or 'none'}"
        )
    return law
