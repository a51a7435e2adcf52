"""The rules of the lattice in plain Python: once with the words that the compiled sampler draws, once as exact laws."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import scipy.linalg

from guldberg.stochastic.words import GOLDEN, mix, streams


def words(seed, replica):
    counter = int(streams(seed, replica + 1)[replica])
    while True:
        counter = (counter + int(GOLDEN)) % 2**64
        yield int(mix.py_func(np.array([counter], np.uint64))[0])


def neighbours(shape, periodic):
    """Sites next to each site, forward on each axis first, then backward: the order is part of the random numbers."""
    index = np.arange(math.prod(shape)).reshape(shape)
    out = []
    for place in np.ndindex(*shape):
        found = []
        for way, axis in itertools.product((1, -1), range(len(shape))):
            there = list(place)
            there[axis] += way
            if periodic or 0 <= there[axis] < shape[axis]:
                found.append(int(index[tuple(x % n for x, n in zip(there, shape, strict=True))]))
        out.append(found)
    return out


class Plain:
    """Reactions as {reactants: [(constant, products), ...]} with species as numbers from 1, in the network's order."""

    def __init__(self, one, two, *, hop, dt, shape, periodic):
        self.one, self.two, self.hop, self.dt, self.near = one, two, hop, dt, neighbours(shape, periodic)

    def collision(self, mover, struck):
        return self.two.get((mover, struck)) or self.two.get((struck, mover), [])

    def sweep(self, state, sites, word):
        """One step of hops; `sites` lists the particles in the order in which the words refer to them."""
        waiting, turned, done = list(sites), [], set()
        for i in range(len(waiting)):
            w = next(word)
            j = i + ((w >> 32) * (len(waiting) - i) >> 32)
            p, waiting[j] = waiting[j], waiting[i]
            if state[p] == 0 or p in done:
                continue
            direction = (w & 0xFFFFFFFF) * len(self.near[p])
            q, u = self.near[p][direction >> 32], (direction & 0xFFFFFFFF) / 2**32 / self.hop[state[p] - 1]
            none = 1.0  # no reaction so far
            for k, products in self.collision(state[p], state[q]) if state[q] else []:
                none *= 1 - k
                if u < 1 - none:
                    state[q], state[p] = (*products, 0, 0)[:2]
                    turned, done = [*turned, q, p], done | {p, q}
                    break
            else:
                if state[q] == 0 and u < 1:
                    state[q], state[p], p = state[p], 0, q
                turned, done = [*turned, p], done | {p}
        return list(dict.fromkeys(p for p in turned if state[p]))

    # exact laws, over all states

    def sweep_law(self, state):
        """{state afterwards: probability}: who is next, where to, and which reaction, all ways round."""
        return self.after(tuple(state), frozenset(range(len(state))))

    @functools.cache  # noqa: B019
    def after(self, state, waiting):
        waiting = frozenset(p for p in waiting if state[p])
        if not waiting:
            return {state: 1.0}
        total = {}
        for p in waiting:
            for q in self.near[p]:
                for chance, new, moved in self.turns(state, p, q):
                    for end, x in self.after(new, waiting - moved).items():
                        total[end] = total.get(end, 0) + x * chance / len(waiting) / len(self.near[p])
        return total

    def turns(self, state, p, q):
        """(probability, state, who is done) for the hop of p to q."""
        a, b = state[p], state[q]
        left = self.hop[a - 1]
        yield 1 - left, state, {p}
        for k, products in self.collision(a, b) if b else []:
            x, y = (*products, 0, 0)[:2]
            yield left * k, _put(state, {q: x, p: y}), {p, q}
            left *= 1 - k
        yield left, (state if b else _put(state, {p: 0, q: a})), ({p} if b else {p, q})

    def decay_law(self, species, sites):
        """exp(dt Q) over all states, Q the generator of the unimolecular reactions."""
        states = list(itertools.product(range(species + 1), repeat=sites))
        number = {s: i for i, s in enumerate(states)}
        Q = np.zeros((len(states), len(states)))
        for s in states:
            for a, events in self.one.items():
                molecules = [p for p in range(sites) if s[p] == a]
                for k, products in events:
                    for p, new in self.decays(s, molecules, products):
                        Q[number[s], number[new]] += k * len(molecules) * p
                        Q[number[s], number[s]] -= k * len(molecules) * p
        return states, scipy.linalg.expm(self.dt * Q)

    def decays(self, state, molecules, products):
        room = {p: [q for q in self.near[p] if state[q] == 0] for p in molecules}
        stuck = sum(not room[p] for p in molecules) / max(1, len(molecules))
        for p in molecules:
            if len(products) < 2:
                yield 1 / len(molecules), _put(state, {p: (*products, 0)[0]})
            for q in room[p] if len(products) == 2 else []:
                tries = 20 if stuck == 1 else (1 - stuck**20) / (1 - stuck)
                yield tries / len(molecules) / len(room[p]), _put(state, {p: products[0], q: products[1]})

    def step_law(self, start, species):
        """(states, probabilities) after one whole step from `start`."""
        states, decay = self.decay_law(species, len(start))
        law = dict.fromkeys(states, 0.0)
        for state, x in zip(states, decay[states.index(tuple(start))], strict=True):
            if x > 1e-12:
                for end, y in self.sweep_law(state).items():
                    law[end] += x * y
        return states, np.array([law[s] for s in states])


def _put(state, values):
    return tuple(values.get(p, x) for p, x in enumerate(state))
