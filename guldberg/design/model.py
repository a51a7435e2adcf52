"""What a design learns: a medium, a way to start in it, and sometimes a decoder that reads bits from its states."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from guldberg.design.chemistry import Consistent
from guldberg.design.start import AbstractStart
from guldberg.drive import FlowReactor, NoisyFlow
from guldberg.learn.parameters import AbstractParameter, Bounded, project, resolve
from guldberg.network import ReactionNetwork
from guldberg.system import ReactionDiffusion

SLOWEST, FASTEST = 0.05, 0.2  # diffusivities that Elliott (2022) A.3 allows, cells^2 per second
WEAKEST, STRONGEST = 0.01, 1.0  # flows, D.2; per second


class Model(eqx.Module):
    """The floating leaves are learned, but for those in `Frozen`."""

    medium: ReactionDiffusion  # parameters stand where quantities will be
    start: AbstractStart
    decoder: Callable[[Float[Array, "species *grid"]], Float[Array, "bits"]] | None = None


class ConsistentRates(AbstractParameter):
    """A network whose reverse constants follow from one free energy for each species."""

    rates: Consistent

    @property
    def species(self) -> tuple[str, ...]:
        """Names, which are not learned."""
        return self.rates.species

    @property
    def value(self) -> ReactionNetwork:
        return resolve(self.rates).network()

    def projected(self) -> ConsistentRates:
        return ConsistentRates(project(self.rates))


def learnable(
    system: ReactionDiffusion, *, relative: float = 0.0, dtype: jnp.dtype | type = jnp.float32
) -> ReactionDiffusion:
    """`system` with all constants, diffusivities, feeds and its flow as parameters within the bounds of Elliott (2022)
    D.2 and A.3; in units of their own size if `relative` > 0 (sizes below count as that)."""
    system = typed(system, dtype)

    def free(x: Float[Array, "*shape"], low: float = 0.0, high: float = math.inf) -> Bounded:
        return Bounded.of(x, low, high, relative=relative)

    k, reverse, D, f, feed = _places(system)
    new = (free(k), free(reverse), free(D, SLOWEST, FASTEST), free(f, WEAKEST, STRONGEST), free(feed))
    return eqx.tree_at(_places, system, new)


def flow(system: ReactionDiffusion) -> FlowReactor | NoisyFlow:
    """Its drive. ValueError where that is no flow of one rate and a feed."""
    if not isinstance(system.drive, FlowReactor | NoisyFlow):
        raise ValueError(f"expected a system in a flow reactor, got {type(system.drive).__name__}")
    return system.drive


def _places(system: Any) -> tuple[Any, ...]:
    """Where the learned quantities of a dense network in a flow reactor stand."""
    network, drive = system.network, flow(system)
    return network.forward.k, network.reverse.k, system.diffusivity, drive.rate, drive.feed


def consistent(
    medium: ReactionDiffusion, energy: Float[Array, "species"], *, most: float = 5.0, relative: float = 0.0
) -> ReactionDiffusion:
    """A learnable medium whose reverse constants follow from free energies, learned within +-`most` k_B T."""
    network = resolve(medium.network)
    rates = Consistent.of(network, energy.astype(network.forward().dtype))
    bounded = (Bounded.of(rates.forward, relative=relative), Bounded.of(rates.energy, -most, most))
    rates = eqx.tree_at(lambda r: (r.forward, r.energy), rates, bounded)
    return eqx.tree_at(lambda s: s.network, medium, ConsistentRates(rates), is_leaf=lambda x: x is medium.network)


def typed(tree: Any, dtype: jnp.dtype | type) -> Any:
    """`tree` with its floating arrays in one type."""
    return jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, tree)
