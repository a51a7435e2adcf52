"""Why gradient descent finds the fast reaction and not the slow one: section 2 of Huang, Zhou and Yong.

    y = c1 x^t1 + c2 x^t2,  c2 >> c1,  (t1, t2) = (1, 2),

from 1000 values of x, by Adam at rate 1e-4, from 8 starts. Some end in the minimum beside the truth that the paper has
at (3.8286, 1.9745); frozen at 2 when the loss no longer decreases, t2 lets t1 find 1. With the figures 2.1 to 2.3:

    python examples/exponents.py [PICTURE.png]
"""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

jax.config.update("jax_enable_x64", True)

TRUTH, STARTS, EPOCHS, CHECK, EPSILON = np.array([1.0, 2.0]), 8, 200_000, 1000, 0.05
LOG_X = jnp.log(np.random.default_rng(0).uniform(size=1000))


def loss(theta, c):
    """Eq. (2.2)."""
    powers = jnp.exp(theta[:, None] * LOG_X) - jnp.exp(TRUTH[:, None] * LOG_X)
    return ((c @ powers) ** 2).mean()


@jax.jit
def epochs(theta, moments, frozen, c):
    """`CHECK` epochs of every start, with the losses."""

    def step(carry, _):
        theta, moments = carry
        value, slope = jax.vmap(jax.value_and_grad(loss), (0, None))(theta, c)
        change, moments = optax.scale_by_adam().update(slope, moments)
        return (jnp.where(frozen, theta, theta - 1e-4 * change), moments), value

    return jax.lax.scan(step, (theta, moments), length=CHECK)


def descend(theta, c, freeze):
    """theta and loss every `CHECK` epochs; an exponent close to a whole number is frozen once the loss increases."""
    theta, c = jnp.asarray(theta), jnp.asarray(c)
    moments: Any = optax.scale_by_adam().init(theta)
    frozen, before, history = jnp.zeros(theta.shape, bool), np.inf, []
    for _ in range(EPOCHS // CHECK):
        (theta, moments), losses = epochs(theta, moments, frozen, c)
        history.append((np.asarray(theta), np.asarray(losses[-1])))
        stuck = freeze & (np.asarray(losses[-1]) >= before)
        frozen |= (jnp.abs(theta - jnp.round(theta)) <= EPSILON) & stuck[:, None]
        theta, before = jnp.where(frozen, jnp.round(theta), theta), history[-1][1]
    return [np.stack(kept) for kept in zip(*history, strict=True)]


def picture(path, runs, c):
    """Figures 2.1 to 2.3 in one."""
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    at = (np.arange(EPOCHS // CHECK) + 1) * CHECK
    for (name, (_, losses)), style in zip(runs.items(), ("--", "-"), strict=True):
        left.semilogy(at, losses[:, 0], style, color="black", label=name)
    left.set(xlabel="epoch", ylabel="loss")
    left.legend(fontsize=8)
    t1, t2 = np.linspace(0, 6, 121), np.linspace(1.9, 2.1, 121)
    surface = jax.vmap(lambda b: jax.vmap(lambda a: loss(jnp.stack([a, b]), c))(jnp.asarray(t1)))(jnp.asarray(t2))
    shown = middle.contourf(t1, t2, np.log10(np.asarray(surface) + 1e-9), levels=20, cmap="viridis")
    figure.colorbar(shown, ax=middle, label="log10 loss")
    for (name, (theta, _)), marker in zip(runs.items(), "o*", strict=True):
        middle.plot(*theta[-1, 0], marker, color="white", mec="black", ms=10, label=name)
    middle.set(xlabel="t1", ylabel="t2")
    middle.legend(fontsize=8, loc="lower left")
    for fixed, style in ((1.99, ":"), (2.0, "-"), (2.01, "--")):
        right.semilogy(
            t1, [float(loss(jnp.array([a, fixed]), c)) for a in t1], style, color="black", label=f"t2 = {fixed}"
        )
    right.set(xlabel="t1", ylabel="loss")
    right.legend(fontsize=8)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    start = np.random.default_rng(0).uniform(-1, 1, (STARTS, 2))
    for ratio in (1e2, 1e3, 1e4, 1e5):
        runs = {
            name: descend(start, (1.0, ratio), freeze) for name, freeze in (("all free", False), ("freezing", True))
        }
        for name, (theta, _) in runs.items():
            right = np.abs(theta[-1] - TRUTH).max(axis=1) < 1e-2
            others = sorted({f"({a:.3f}, {b:.4f})" for a, b in theta[-1][~right]})
            print(
                f"c2/c1 = {ratio:g}, {name}: {right.sum()} of {STARTS} right"
                + f"; else {', '.join(others)}" * bool(others)
            )
        if ratio == 1e2 and len(sys.argv) > 1:
            picture(sys.argv[1], runs, jnp.array([1.0, ratio]))
