"""What a live page must know of a network: plain values, for JSON. The page makes its programs from these numbers;
names are only ever shown as text."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import matplotlib
import numpy as np
from jaxtyping import ArrayLike, Float

from guldberg.app.design import film as films
from guldberg.app.style import COLOURS
from guldberg.drive import AbstractDrive, FlowReactor, NoisyFlow, OrnsteinUhlenbeckFlow, rectified
from guldberg.errors import InputError
from guldberg.network import ReactionNetwork
from guldberg.space.boundary import Flux, Periodic, Robin
from guldberg.space.grid import Grid
from guldberg.system import ReactionDiffusion

Facts = dict[str, Any]

MOST_SPECIES = 16  # four textures of four numbers each
LONGEST_STEP = 0.1  # seconds, for reactions; diffusion may ask for a shorter one


@dataclasses.dataclass(frozen=True)
class Curve:
    """A well-mixed run: the state it starts from, and what was measured in it."""

    name: str
    initial: Float[np.ndarray, "species"]
    times: Float[np.ndarray, "times"]  # of the measurements; may be none
    values: Float[np.ndarray, "times species"]  # NaN: not measured


def mixed(
    network: ReactionNetwork, curves: Sequence[Curve], end: float, units: tuple[str, str], temperature: ArrayLike | None
) -> Facts:
    """A stirred vessel, followed to time `end`; `units` of time and of concentration, "" where unknown."""
    runs = [
        {"name": c.name, "initial": c.initial.tolist(), "times": c.times.tolist(), "values": _nulls(c.values)}
        for c in curves
    ]
    time, concentration = units
    facts = {"kind": "mixed", "runs": runs, "end": float(end), "timeUnit": time, "unit": concentration}
    return facts | {"colours": list(COLOURS)} | _network(network, temperature)


def field(system: ReactionDiffusion, c0: Float[np.ndarray, "species *grid"], frames: films.Frames) -> Facts:
    """A system in one or two dimensions from c0 on; colours are chosen by what varies in `frames`.

    InputError for what the page cannot show: three dimensions, more than 16 species, a flow that differs from place to
    place.
    """
    grid, species = system.grid, len(system.species)
    if len(grid.shape) == 3 or species > MOST_SPECIES:
        found = f"{len(grid.shape)} dimensions and {species} species"
        raise InputError(f"a live page shows one or two dimensions and up to {MOST_SPECIES} species, not {found}")
    neighbours = [[0, *step][-2:] + [w] for step, w in grid.stencil.weights(grid.spacing).items()]
    D = np.asarray(system.diffusivity, float)
    return _network(system.network, system.temperature) | {
        "kind": "field",
        "shape": [1, *grid.shape][-2:],
        "neighbours": neighbours,
        "stiffest": grid.stencil.stiffest(grid.spacing),
        "diffusivity": D.tolist(),
        "faces": _faces(grid, D),
        "flow": None if system.drive is None else _flow(system.drive, np.shape(c0)),
        "start": _packed(c0),
        "step": LONGEST_STEP,
        "colours": _colours(frames),
    }


def _network(network: ReactionNetwork, temperature: ArrayLike | None) -> Facts:
    forward, reverse = network.constants(temperature).astype(float)
    return {
        "species": list(network.species),
        "equations": list(network.equations()),
        "reactants": np.asarray(network.reactants).tolist(),
        "products": np.asarray(network.products).tolist(),
        "forward": forward.tolist(),
        "reverse": np.where(network.reversible, reverse, 0).tolist(),
    }


def _faces(grid: Grid, D: Float[np.ndarray, "species"]) -> Facts:
    """What lies outside each face, a + b times the cell inside, in the order lower and upper of rows, of columns; and
    whether that changes with D."""
    pairs = [(Periodic(), Periodic()), *grid.boundaries][-2:]
    spacings = [1.0, *grid.spacing][-2:]
    zero = jnp.zeros_like(jnp.asarray(D))
    a = [face.ghost(zero, zero, h, D) for pair, h in zip(pairs, spacings, strict=True) for face in pair]
    one = [face.ghost(zero + 1, zero, h, D) for pair, h in zip(pairs, spacings, strict=True) for face in pair]
    return {
        "wraps": [isinstance(lower, Periodic) for lower, _ in pairs],
        "a": np.asarray(a).tolist(),
        "b": (np.asarray(one) - np.asarray(a)).tolist(),
        "followD": any(isinstance(face, Flux | Robin) for pair in pairs for face in pair),
    }


def _flow(drive: AbstractDrive, shape: tuple[int, ...]) -> Facts:
    """dc/dt = inflow - outflow c of each species; of a drive that fluctuates its mean flow."""
    flows = (np.asarray(x, float) for x in _steady(drive).exchange(0.0, jnp.ones(shape)))
    inflow, outflow = (np.broadcast_to(x, shape).reshape(shape[0], -1) for x in flows)
    if (np.ptp(inflow, axis=1) > 0).any() or (np.ptp(outflow, axis=1) > 0).any():
        raise InputError("a live page has one flow everywhere; here it differs from place to place")
    return {"inflow": inflow[:, 0].tolist(), "outflow": outflow[:, 0].tolist()}


def _steady(drive: AbstractDrive) -> AbstractDrive:
    noisy = drive.flow if isinstance(drive, OrnsteinUhlenbeckFlow) else drive
    if isinstance(noisy, NoisyFlow):
        return FlowReactor(rectified(noisy.rate, noisy.low, noisy.high)[0], noisy.feed)
    return drive


def _colours(frames: films.Frames) -> Facts:
    """Red, green and blue as weights of the species, and the range of each species."""
    projection = films.projection(frames)
    low, high = np.quantile(np.moveaxis(frames, 1, 0).reshape(frames.shape[1], -1), [0.001, 0.999], axis=1)
    ramp = matplotlib.colormaps["viridis"](np.linspace(0, 1, 256), bytes=True)
    return {
        "weights": projection.weights.tolist(),
        "ends": [projection.low.tolist(), projection.high.tolist()],
        "low": low.tolist(),
        "high": np.maximum(high, low + 1e-6).tolist(),
        "ramp": base64.b64encode(ramp.tobytes()).decode(),
    }


def _packed(c: Float[np.ndarray, "species *grid"]) -> str:
    return base64.b64encode(np.ascontiguousarray(c, "<f4").tobytes()).decode()


def _nulls(values: Float[np.ndarray, "times species"]) -> list[list[float | None]]:
    return [[x if np.isfinite(x) else None for x in row] for row in values.tolist()]
