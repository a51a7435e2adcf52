"""What an update of a design costs: kernels, plain scan and TensorFlow in one run; large fields beside py-pde.

TensorFlow and py-pde are measured where they are installed.
"""

from __future__ import annotations

import importlib.util
import resource
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from guldberg.design.chemistry import dense, initial_system
from guldberg.design.generator import Generator
from guldberg.learn.parameters import resolve
from guldberg.rollout import rollout
from guldberg.space.grid import Grid
from guldberg.space.stencil import NinePoint

LIMIT, WEIGHT = 0.05, 100.0  # of the step penalty


def update(seeds: int | None) -> None:
    """One update of a picture: 64x64, 4 species, T = 32, Adam and bounds included; 5 species likewise."""
    repeats = 10 * (seeds or 10)
    for species in (4, 5):
        print(f"{species} species")
        for name, plain in (("kernels", False), ("plain scan", True)):
            _line(f"  X_0 learned directly, {name}", *_design((64, 64), species, 32, plain=plain), repeats)
    for width, weights in ((64, "0.4 M"), (256, "2.8 M")):
        _line(f"  generator of {weights} weights, kernels", *_design((64, 64), 4, 32, width=width), repeats)
    if _installed("tensorflow"):
        from benchmarks.tensorflow_update import design

        _line("  X_0 learned directly, TensorFlow in the authors' style", *design((64, 64), 4, 32), repeats // 10)


def long_update(seeds: int | None) -> None:
    """One update of a replication: 48x96, 5 species, T = 352, X_0 learned directly."""
    _line("(a small one, so that all is loaded: 8x16, T = 2)", *_design((8, 16), 5, 2), 3)
    before = _memory()
    parts, step = _design((48, 96), 5, 352)
    _line("kernels, whole update", parts, step, 2 * (seeds or 10))
    print(f"  peak memory above that before: {_memory() - before:.0f} MB")
    _line("kernels, loss and gradient", *_design((48, 96), 5, 352, learn=False), 2 * (seeds or 10))
    _line("plain scan, whole update", *_design((48, 96), 5, 352, plain=True), 3)


def large_field(seeds: int | None) -> None:
    """Cells per second, 128x128x128, 4 species, forward in single precision by Euler's rule."""
    grid, steps = Grid.periodic((128,) * 3), 4
    system = _single(initial_system(dense(4, key=jax.random.key(0)), grid, key=jax.random.key(1)))
    c0 = jax.random.uniform(jax.random.key(2), (4, *grid.shape), jnp.float32)
    for name, plain in (("kernels", False), ("plain scan", True)):
        run = eqx.filter_jit(lambda s, c, plain=plain: rollout(s, c, steps=steps, dt=0.5, plain=plain).values)
        _rate(name, lambda run=run: jax.block_until_ready(run(system, c0)), c0.size // 4 * steps, seeds or 3)
    if _installed("pde"):
        from benchmarks.pypde import field

        _rate(
            "py-pde, numba, its explicit solver", field(system, np.asarray(c0), steps), c0.size // 4 * steps, seeds or 3
        )


def _design(
    shape: tuple[int, int], species: int, steps: int, *, plain: bool = False, width: int = 0, learn: bool = True
) -> tuple[Any, Callable[[Any], Any]]:
    """Parameters with their optimiser's state, and the update of them: RMSD of species 1 to a picture at T and at a
    random time, step penalty, clipped Adam, nothing negative. Without `learn` only loss and gradient."""
    grid = Grid.periodic(shape, stencil=NinePoint())
    system = _single(initial_system(dense(species, key=jax.random.key(0)), grid, key=jax.random.key(1)))
    if width:
        start: Any = Generator.random(grid, species, bits=256, width=width, key=jax.random.key(2))
    else:
        start = jax.random.uniform(jax.random.key(2), (species, *shape), jnp.float32, 0.0, 0.6)
    picture = jax.random.uniform(jax.random.key(3), shape, jnp.float32)
    optimiser = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(1e-3, b1=0.95))

    def loss(parameters: Any, save: jax.Array, bits: jax.Array) -> jax.Array:
        system, start = resolve(parameters)
        c0 = start(bits) if width else start
        out = rollout(system, c0, steps=steps, saves=jnp.stack([save, jnp.asarray(steps)]), limit=LIMIT, plain=plain)
        return jnp.sqrt(((out.values[:, 1] - picture[None]) ** 2).mean((1, 2))).mean() + WEIGHT * out.excess.mean()

    @eqx.filter_jit(donate="all")
    def step(carry: Any) -> Any:
        parameters, state, key = carry
        key, one, two = jax.random.split(key, 3)
        save, bits = jax.random.randint(one, (), 0, steps + 1), jax.random.bernoulli(two, 0.5, (256,))
        gradient = eqx.filter_grad(loss)(parameters, save, bits.astype(jnp.float32))
        if not learn:
            return eqx.apply_updates(parameters, jax.tree.map(lambda g: 1e-9 * g, gradient)), state, key
        change, state = optimiser.update(gradient, state)
        parameters = eqx.apply_updates(parameters, change)
        system = jax.tree.map(lambda x: jnp.maximum(x, 0) if eqx.is_inexact_array(x) else x, parameters[0])
        return (system, parameters[1] if width else jnp.maximum(parameters[1], 0)), state, key

    parameters = (system, start)
    return (parameters, optimiser.init(eqx.filter(parameters, eqx.is_inexact_array)), jax.random.key(4)), step


def _single(tree: Any) -> Any:
    return jax.tree.map(lambda x: x.astype(jnp.float32) if eqx.is_inexact_array(x) else x, tree)


def _line(name: str, carry: Any, step: Callable[[Any], Any], repeats: int) -> None:
    """The least of several: others use the machine too."""
    for _ in range(3):
        carry = jax.block_until_ready(step(carry))
    cpu, wall = [], []
    for _ in range(max(2, repeats)):
        cpu_before, wall_before = time.process_time(), time.perf_counter()
        carry = jax.block_until_ready(step(carry))
        cpu.append(time.process_time() - cpu_before)
        wall.append(time.perf_counter() - wall_before)
    print(f"{name:60s} {1e3 * min(cpu):8.2f} ms CPU, {1e3 * min(wall):8.2f} ms wall", flush=True)


def _rate(name: str, run: Callable[[], Any], cells: int, repeats: int) -> None:
    run()
    times = []
    for _ in range(repeats):
        before = time.process_time()
        run()
        times.append(time.process_time() - before)
    print(f"{name:60s} {cells / min(times) / 1e6:8.1f} million cells and steps per CPU second", flush=True)


def _installed(name: str) -> bool:
    found = importlib.util.find_spec(name) is not None
    if not found:
        print(f"  {name} is not installed: not measured")
    return found


def _memory() -> float:
    """The most that this process has held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


ALL: dict[str, Callable[[int | None], None]] = {"update": update, "long-update": long_update, "field": large_field}
