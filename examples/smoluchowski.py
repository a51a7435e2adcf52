"""A + A -> 0 on contact, in three dimensions: Smoluchowski's rate. `python examples/smoluchowski.py [runs]`

Particles that diffuse (D) and react at a rate lambda within a radius R disappear by dc/dt = -K(t) c^2, where

    K(t) = 4 pi D' a (1 + a / (pi D' t)^(1/2)),  D' = 2 D,  a = R (1 - tanh(q) / q),  q = R (lambda / D')^(1/2)

(Smoluchowski 1917; a: Doi, J. Phys. A 9 (1976) 1479) once the neighbourhood of each has been emptied, t >> R^2 / D'.
Before that K(t) is lambda times the volume of contact that is not yet empty, here by finite differences of the
equation of a pair; at t = 0 it is 2 k, which the law of mass action keeps. N^2 / 2 pairs lose two particles each: no
factor is left before K. What three and more do to one another is left out, and shows in the denser box.
"""

import sys

import numpy as np
from scipy.integrate import cumulative_trapezoid
from scipy.linalg import solve_banded

from guldberg import parse
from guldberg.stochastic import particles
from guldberg.stochastic.contact import ContactRules, ball

N, D, R, DT = 900, 1.0, 1.0, 0.005
CASES = ((2.0, 36.0), (10.0, 36.0), (10.0, 57.0))  # lambda, side of the box
TIMES = np.array([0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0])
CELL, FAR, STEPS = 0.02, 2000, 4000  # of the pair's equation: width and number of cells, steps


def smoluchowski(rate, t):
    """The integral of K(t)."""
    q = R * np.sqrt(rate / (2 * D))
    a = R * (1 - np.tanh(q) / q)
    return 8 * np.pi * D * a * (t + 2 * a * np.sqrt(t / (2 * np.pi * D)))


def pairs(rate, t):
    """The integral of K = 4 pi lambda int r w dr over r < R, where d w / dt = D' w'' - lambda [r < R] w, and w = r at
    first and far away; by Crank and Nicolson."""
    r, dt = (np.arange(FAR) + 0.5) * CELL, t[-1] / STEPS
    side, sink = 2 * D / CELL**2, np.where(r < R, rate, 0.0)
    across = np.full(FAR, 2 * side)
    across[0] += side  # w(0) = 0
    across[-1] -= side  # w' = 1 far away, with `past`
    w, past = r.copy(), np.where(r == r[-1], side * CELL, 0.0)
    implicit = np.stack([np.full(FAR, -side), across + sink, np.full(FAR, -side)]) * dt / 2
    implicit[1] += 1
    K = [np.sum(sink * r * w)]
    for _ in range(STEPS):
        flow = 2 * past - (across + sink) * w
        flow[1:] += side * w[:-1]
        flow[:-1] += side * w[1:]
        w = solve_banded((1, 1), implicit, w + dt / 2 * flow)
        K.append(np.sum(sink * r * w))
    total = 4 * np.pi * CELL * cumulative_trapezoid(K, dx=dt, initial=0)
    return np.interp(t, np.linspace(0, t[-1], STEPS + 1), total)


def followed(rate, side, runs, seed):
    """Densities of each run."""
    rules = ContactRules(
        parse(f"A + A -> 0 @ {rate * ball(R, 3) / 2}"), lengths=(side,) * 3, diffusivity=D, radius=R, dt=DT
    )
    start = particles.scattered([N], rules.lengths, runs=runs, seed=seed)
    return particles.sample(rules, *start, TIMES, seed=seed).counts()[:, :, 0] / rules.volume


def main(runs="24"):
    for rate, side in CASES:
        c = followed(rate, side, int(runs), seed=0)
        mean, error = c.mean(axis=0), c.std(axis=0, ddof=1) / np.sqrt(len(c))
        integrals = np.stack([pairs(rate, TIMES), smoluchowski(rate, TIMES), rate * ball(R, 3) * TIMES], axis=1)
        print(f"lambda = {rate:g}, a box of {side:g}: 1000 times the density, by")
        print("   time    particles       pairs  Smoluchowski   mass action")
        for t, seen, sd, laws in zip(TIMES, mean, error, 1000 / (1 / mean[0] + integrals), strict=True):
            print(f"{t:7.1f} {1000 * seen:7.3f} +- {1000 * sd:.3f}  {laws[0]:7.3f}  {laws[1]:12.3f}  {laws[2]:12.3f}")
        sd = late(1 / c).std(ddof=1) / np.sqrt(len(c))
        laws = ", ".join(f"{late(integral):.2f}" for integral in integrals.T)
        print(f"K from 4 to 16: {late(1 / mean):.2f} +- {sd:.2f}; by these laws {laws}")


def late(integral):
    """The mean of K from 4 to 16."""
    return (integral[..., -1] - integral[..., -3]) / (TIMES[-1] - TIMES[-3])


if __name__ == "__main__":
    main(*sys.argv[1:])
