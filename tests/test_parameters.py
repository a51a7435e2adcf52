"""What is learned, within which bounds."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from guldberg.learn.parameters import Bounded, Frozen, learned, project, resolve


def tree():
    x = jnp.array([0.5, 2.0])
    return {"bounded": Bounded.of(x, 0.1, 1.0, relative=1.0), "frozen": Frozen(x), "plain": x, "count": jnp.arange(2)}


def test_quantities_come_back_as_they_went_in():
    found = resolve(tree())
    for name in ("bounded", "frozen", "plain"):
        assert np.array_equal(found[name], [0.5, 2.0])


def test_projection_is_onto_the_bounds_of_the_quantity_whatever_its_scale():
    found = resolve(project(tree()))
    assert np.allclose(found["bounded"], [0.5, 1.0]) and np.array_equal(found["plain"], [0.5, 2.0])


def test_only_raw_values_and_plain_floats_are_learned():
    kept = jax.tree.leaves(eqx.filter(tree(), learned(tree())))
    assert [leaf.tolist() for leaf in kept] == [[0.5, 1.0], [0.5, 2.0]]  # .5 in units of 1, 2 in units of 2


def test_no_gradient_reaches_what_is_frozen_or_a_scale():
    def total(tree):
        return sum(x.sum() for name, x in resolve(tree).items() if name != "count")

    slopes = eqx.filter_grad(total)(tree())
    assert np.array_equal(slopes["frozen"].fixed, [0, 0]) and np.array_equal(slopes["bounded"].scale, [0, 0])
    assert np.array_equal(slopes["bounded"].raw, [1.0, 2.0])  # a step of .01 is 1 % of the quantity


def test_projection_keeps_every_type():
    for dtype in (jnp.float32, jnp.float64):
        moved = project(Bounded.of(jnp.array([0.5], dtype), 0.1, 1.0, relative=0.01))
        assert moved.raw.dtype == dtype and moved.value.dtype == dtype
