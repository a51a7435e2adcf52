"""What is told of a state: the judges of the behaviours."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax.numpy as jnp
from jaxtyping import Array, Float

from guldberg.design.model import Model
from guldberg.design.result import Picture
from guldberg.learn.losses import decorrelation, rmsd

State = Float[Array, "species *grid"]
Judge = Callable[[Model, Float[Array, "bits"], State, State], Mapping[str, Float[Array, ""]]]  # of z, X_0 and X_t


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
