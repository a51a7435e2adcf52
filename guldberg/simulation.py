"""Motion: a system followed through time, with the solvers of diffrax."""

from __future__ import annotations

from typing import TYPE_CHECKING

import diffrax
import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import ArrayLike

from guldberg.system import AbstractSystem

if TYPE_CHECKING:
    import xarray

STIFF = diffrax.Kvaerno5()  # L-stable: rate constants of one network often differ by ten orders of magnitude
CHECKPOINTED = diffrax.RecursiveCheckpointAdjoint()


class SolveFailed(RuntimeError):
    """The solver gave up. `str()` says how far it came, in which state, and what to try."""


class Trajectory(eqx.Module):
    """c(t) at the times `ts`. Rows that a failed solve did not reach hold inf, and `ok` is False."""

    ts: Float[Array, "times"]
    values: Float[Array, "times species *grid"]
    species: tuple[str, ...] = eqx.field(static=True)
    result: diffrax.RESULTS

    @property
    def ok(self) -> Bool[Array, ""]:
        """Whether the solve reached the last time."""
        return self.result == diffrax.RESULTS.successful

    @property
    def reached(self) -> Int[Array, ""]:
        """The number of leading times whose row is a solution: all of them if `ok`."""
        finite = jnp.isfinite(self.values).all(axis=tuple(range(1, self.values.ndim)))
        return jnp.cumprod(finite).sum()

    def outcome(self) -> str:
        """How the solve ended, in one line; of a single trajectory outside `jit`."""
        if bool(self.ok):
            return "solved"
        last = int(self.reached) - 1
        state = ", ".join(f"{n} = {np.max(v):.6g}" for n, v in zip(self.species, self.values[last], strict=True))
        return (
            f"the solver stopped between t = {self.ts[last]:.6g}, where {state}, and t = {self.ts[last + 1]:.6g}: "
            f"{diffrax.RESULTS[self.result]} If concentrations grow without bound there, as by 2 A -> 3 A, "
            "there is nothing beyond to compute."
        )

    def to_dataset(self, *, time_unit: str = "", unit: str = "") -> xarray.Dataset:
        """`concentration` over (time, species, x, y, z as there are); what was not reached is missing (NaN), and
        attrs["outcome"] says why."""
        import xarray

        values = np.asarray(self.values)
        axes = ("x", "y", "z")[: values.ndim - 2]
        return xarray.Dataset(
            {"concentration": (("time", "species", *axes), np.where(np.isfinite(values), values, np.nan))},
            coords={"time": np.asarray(self.ts), "species": list(self.species)},
            attrs={"outcome": self.outcome()},
        ).pipe(_with_units, {"time": time_unit, "concentration": unit})


def default_controller(ts: Float[Array, "times"]) -> diffrax.AbstractStepSizeController:
    """rtol 1e-8 and atol 1e-10 in float64, or what float32 can hold (1e-5, 1e-7), with a step that ends at each of
    `ts`: between steps a cubic is drawn, which at a fast transient is wrong by far more than the tolerance.

    A PI controller (0.3, 0.4): on Robertson's problem it rejects half as many steps as an I controller.
    """
    eps = float(jnp.finfo(ts.dtype).eps)
    pid = diffrax.PIDController(rtol=max(1e-8, 100 * eps), atol=max(1e-10, eps), pcoeff=0.3, icoeff=0.4)
    return diffrax.ClipStepSizeController(pid, step_ts=ts)


def simulate(
    system: AbstractSystem,
    c0: Float[ArrayLike, "species *grid"],
    ts: Float[ArrayLike, "times"],
    *,
    solver: diffrax.AbstractSolver = STIFF,
    controller: diffrax.AbstractStepSizeController | None = None,
    adjoint: diffrax.AbstractAdjoint = CHECKPOINTED,
    max_steps: int = 2**16,
    throw: bool = True,
) -> Trajectory:
    """c(t) = c0 + integral of f(t, c) dt at `ts`, from c(ts[0]) = c0; differentiable in c0 and in the system.

    All is computed in the type of c0; `controller=None` is `default_controller(ts)`. One state, one trajectory: for
    several use `eqx.filter_vmap(simulate, in_axes=(None, 0, None))(system, c0s, ts)`. A failed solve raises
    SolveFailed (inside jit or vmap: the runtime error of `eqx.error_if`), or with `throw=False` is told by `ok`.
    ValueError unless c0 is finite and `ts` two or more rising times.
    """
    c0 = jnp.asarray(c0)
    c0 = c0 if jnp.issubdtype(c0.dtype, jnp.floating) else c0.astype(float)
    c0 = _unless(~jnp.isfinite(c0).all(), c0, "initial concentrations must be finite")
    ts = _times(ts, c0.dtype)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(system),
        solver,
        ts[0],
        ts[-1],
        None,
        c0,
        saveat=diffrax.SaveAt(ts=ts),
        stepsize_controller=default_controller(ts) if controller is None else controller,
        adjoint=adjoint,
        max_steps=max_steps,
        throw=False,
    )
    assert solution.ys is not None
    trajectory = Trajectory(ts, solution.ys, system.species, solution.result)
    return _raised_if_failed(trajectory) if throw else trajectory


def _times(ts: ArrayLike, dtype: np.dtype) -> Float[Array, "times"]:
    ts = jnp.asarray(ts, dtype)
    if ts.ndim != 1 or len(ts) < 2:
        raise ValueError(f"expected a list of two times or more, the first being the start, got shape {ts.shape}")
    rising = (jnp.diff(ts) > 0).all() & jnp.isfinite(ts).all()
    return _unless(~rising, ts, f"times must be finite and increase strictly (in {dtype.name})")


def _unless(bad: Bool[Array, ""], x: Array, message: str) -> Array:
    """x, unless `bad`: then a ValueError, which inside jit can only be a runtime error."""
    if isinstance(bad, Tracer):
        return eqx.error_if(x, bad, message)
    if bad:
        raise ValueError(message)
    return x


def _raised_if_failed(trajectory: Trajectory) -> Trajectory:
    ok = trajectory.ok
    if isinstance(ok, Tracer):
        return eqx.tree_at(lambda t: t.values, trajectory, trajectory.result.error_if(trajectory.values, ~ok))
    if not ok:
        raise SolveFailed(trajectory.outcome())
    return trajectory


def _with_units(dataset: xarray.Dataset, units: dict[str, str]) -> xarray.Dataset:
    for name, unit in units.items():
        if unit:
            dataset[name].attrs["units"] = unit
    return dataset
