"""What a design does, measured: followed in short steps well beyond the T it was learned for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from guldberg.design.model import Model
from guldberg.design.result import Picture
from guldberg.learn.losses import decorrelation, rmsd
from guldberg.rollout import rollout
from guldberg.stepper import AbstractStepper
from guldberg.system import ReactionDiffusion

State = Float[Array, "species *grid"]
Judge = Callable[[Model, Float[Array, "bits"], State, State], Mapping[str, Float[Array, ""]]]  # of z, X_0 and X_t


def times(horizon: float, dt: float) -> tuple[float, ...]:
    """When a design is looked at: 33 times up to T, then 32, 100, 320 and 1000 s as in Elliott (2022), and 10 T."""
    wanted = {*np.linspace(0, horizon, 33).tolist(), 32.0, 100.0, 320.0, 1000.0, 10 * horizon}
    return tuple(dt * n for n in sorted({round(t / dt) for t in wanted}))


@eqx.filter_jit
def follow(
    system: ReactionDiffusion,
    c0: State,
    ts: tuple[float, ...],
    *,
    dt: float,
    stepper: AbstractStepper,
    key: Key[Array, ""],
) -> Float[Array, "times species *grid"]:
    """The states at `ts`, which are whole numbers of steps of `dt`; `key` is for a drive that is noisy."""
    saves = [round(t / dt) for t in ts]
    return rollout(system, c0, steps=max(saves), dt=dt, stepper=stepper, saves=jnp.asarray(saves), key=key).values


def metrics(
    judge: Judge, model: Model, z: Float[Array, "bits"], ts: Sequence[float], states: Float[Array, "times ..."]
) -> dict[str, tuple[float, ...]]:
    """What `judge` says of the states at `ts`, as lists over time; `model` is resolved."""
    said = jax.vmap(lambda X: judge(model, z, states[0], X))(states)
    return {"time": tuple(ts), **{name: tuple(np.asarray(x, float).tolist()) for name, x in said.items()}}


def resembles(picture: Picture) -> Judge:
    """Pearson's r with the picture, and what r is blind to: contrast (sd over sd) and RMSD, in concentration."""
    target = jnp.asarray(picture.concentration)

    def judge(model: Model, z: Float[Array, "bits"], before: State, after: State) -> dict[str, Float[Array, ""]]:
        X, wanted = after[picture.species], target.astype(after.dtype)
        return {
            "correlation": 1 - decorrelation(X, wanted),
            "contrast": X.std() / wanted.std(),
            "rmsd": rmsd(X, wanted),
        }

    return judge


def reads(model: Model, z: Float[Array, "bits"], before: State, after: State) -> dict[str, Float[Array, ""]]:
    """The share of bits that the model's decoder reads rightly, and whether all are right."""
    assert model.decoder is not None, "there is no decoder to read with"
    right = (model.decoder(after) > 0) == (z > 0.5)
    return {"bits": right.mean(dtype=after.dtype), "words": right.all().astype(after.dtype)}
