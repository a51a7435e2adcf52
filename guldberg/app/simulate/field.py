"""Concentrations as fields: reaction and diffusion on a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import diffrax
import jax.numpy as jnp
import numpy as np
import xarray
from jaxtyping import Float

from guldberg.app import options
from guldberg.app.design import target
from guldberg.app.simulate import plot
from guldberg.app.simulate.asked import Asked, Simulated, told
from guldberg.errors import InputError
from guldberg.experiments import Experiments, Run
from guldberg.rollout import rollout
from guldberg.simulation import simulate
from guldberg.space.boundary import NoFlux, Periodic
from guldberg.space.grid import Grid
from guldberg.stepper import Guarded
from guldberg.system import ReactionDiffusion

BOUNDARIES = {"periodic": Periodic(), "no-flux": NoFlux()}
RTOL, ATOL = 1e-6, 1e-9
Fields = Float[np.ndarray, "times species *grid"]


def run(
    asked: Asked,
    note: Callable[[str], None],
    *,
    grid: str = "",
    spacing: float = 1.0,
    diffusivity: str = "",
    boundary: str = "periodic",
    start: Sequence[str] = (),
    step: float | None = None,
) -> Simulated:
    """Without `step` an explicit method that controls its error; with it, steps of at most that length."""
    if not (grid and diffusivity):
        raise InputError("--method field needs --grid and --diffusivity")
    shape, D = options.cells("--grid", grid), options.each("--diffusivity", diffusivity, asked.network.species)
    try:
        place = Grid(shape, spacing, [BOUNDARIES[boundary]] * len(shape))
    except ValueError as error:
        raise InputError(str(error), file="--spacing") from error
    system = ReactionDiffusion(asked.network, place, jnp.asarray(D), temperature=asked.temperature)
    shades = _shades(start, shape, asked.network.species)
    starts = [_start(state, shape, shades) for state in asked.states]
    solve = _adaptive if step is None else _stepped
    solved = [solve(system, c0, asked, step) for c0 in starts]
    fields = [field for field, _ in solved]
    failed = [f"experiment {n}: {why}" for n, (_, why) in zip(asked.names, solved, strict=True) if why]
    return Simulated(
        _means(asked, fields),
        _dataset(asked, place, D, fields),
        lambda: plot.strip(asked.network.species, asked.times, fields[0]),
        *told(failed, len(fields), "fields"),
    )


def _adaptive(system: ReactionDiffusion, c0: np.ndarray, asked: Asked, _: float | None) -> tuple[Fields, str]:
    """Explicit: the Jacobian of an implicit method would have the square of the number of cells."""
    control = diffrax.ClipStepSizeController(
        diffrax.PIDController(rtol=RTOL, atol=ATOL), step_ts=jnp.asarray(asked.times)
    )
    found = simulate(system, c0, asked.times, solver=diffrax.Tsit5(), controller=control, throw=False)
    return np.asarray(found.values), "" if found.ok else found.outcome()


def _stepped(system: ReactionDiffusion, c0: np.ndarray, asked: Asked, step: float | None) -> tuple[Fields, str]:
    assert step is not None
    every = asked.even(step)
    saves = every * np.arange(len(asked.times))
    dt = float(asked.times[1] - asked.times[0]) / every
    found = rollout(system, c0, steps=int(saves[-1]), dt=dt, stepper=Guarded(), saves=saves)
    outside = np.asarray(found.out_of_bounds)
    told = f"after step {int(np.argmax(outside > 0)) + 1} of {dt:.6g} there were values negative or not finite"
    return np.asarray(found.values), f"{told}; a shorter --step may help" if outside.any() else ""


def _shades(typed: Sequence[str], shape: tuple[int, ...], species: Sequence[str]) -> dict[int, np.ndarray]:
    """By species, 0 (black) to 1 (white)."""
    found = {}
    for one in typed:
        name, equals, path = one.partition("=")
        if not equals or name.strip() not in species:
            raise InputError(f"expected SPECIES=PICTURE with one of {', '.join(species)}, got {one!r}", file="--start")
        if len(shape) != 2:
            raise InputError("pictures are for grids of two axes", file="--start")
        shades = target.grey(Path(path.strip()), (shape[0], shape[1]))
        found[species.index(name.strip())] = shades / max(shades.max(), 1e-300)
    return found


def _start(state: Float[np.ndarray, "species"], shape: tuple[int, ...], shades: dict[int, np.ndarray]) -> np.ndarray:
    """The same everywhere, or as its picture says: black is nothing, the brightest place the whole concentration."""
    return np.stack([c * shades.get(i, np.ones(shape)) for i, c in enumerate(state)])


def _means(asked: Asked, fields: Sequence[Fields]) -> Experiments:
    """Mean concentrations, as far as a solve came."""

    def run(name: str, field: Fields) -> Run:
        mean = field.mean(axis=tuple(range(2, field.ndim)))
        reached = int(np.cumprod(np.isfinite(mean).all(axis=1)).sum())
        blank = np.full_like(mean[:reached], np.nan)
        return Run(name, asked.times[:reached], mean[:reached], blank, temperature=asked.temperature)

    return Experiments(asked.network.species, tuple(map(run, asked.names, fields)))


def _dataset(asked: Asked, place: Grid, D: np.ndarray, fields: Sequence[Fields]) -> xarray.Dataset:
    """`concentration` over (experiment, time, species, z, y, x as there are), and the diffusivities."""
    axes = "zyx"[-len(place.shape) :]
    centres = {a: (np.arange(n) + 0.5) * h for a, n, h in zip(axes, place.shape, place.spacing, strict=True)}
    values = np.stack([np.where(np.isfinite(field), field, np.nan) for field in fields])
    return xarray.Dataset(
        {
            "concentration": (("experiment", "time", "species", *axes), values),
            "diffusivity": ("species", D),
        },
        coords={"experiment": list(asked.names), "time": asked.times, "species": list(asked.network.species)} | centres,
    )
