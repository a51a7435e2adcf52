"""Which reactions: L0 Gauss-Newton over the whole library, then moves confirmed by real refits.

At a point of the search the trajectories are linearised in k, not ln k, over every reaction of the library, present or
not; initial amounts and unknown factors are projected out. On that linear problem columns are eliminated backwards at
`2 ln n` each; the survivors are refitted through the ODE, and so on until a set repeats.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Int

from guldberg.discover import linear, refine
from guldberg.discover.library import Library, reversible_pairs
from guldberg.discover.problem import Problem, linearise, natural, throughput
from guldberg.discover.refine import Fitted

SMALLEST, LARGEST = 1e-3, 1e5  # of constants proposed by the linear problem, in natural units
SATURATED = 0.05  # effect of ln k on the data, in units of what passed through the reaction
# Prices that settle ties between mechanisms which fit alike, small beside 2 ln n:
SPECTATOR = 3.0  # a molecule on both sides
MOLECULE = 1.0  # any molecule on either side
ONE_WAY = 0.5  # a reaction without its reverse, against microscopic reversibility
MOST_PARAMETERS = 0.7  # of the number of points

Chosen = Int[np.ndarray, "_"]


@dataclasses.dataclass(frozen=True)
class Criterion:
    """Lower is better: chi2 (noise known) or n ln(chi2 / n) (noise estimated), plus `price` per directed reaction."""

    points: int
    noise_known: bool
    initials: int = 0  # initial amounts fitted beside the constants

    @property
    def price(self) -> float:
        """2 ln n: with ln n, supersets of the truth win in libraries of tens of candidates."""
        return 2 * np.log(self.points)

    def __call__(self, library: Library, at: Fitted) -> float:
        return self.misfit(at.chi2) + self.cost(library, at.active)

    def misfit(self, chi2: float) -> float:
        """The part that falls when the fit gets better."""
        floor = 1e-12 * self.points  # an exact fit of exact data is no reason to add what lowers its rounding error
        return chi2 if self.noise_known else self.points * float(np.log(max(chi2, floor) / self.points))

    def cost(self, library: Library, active: Chosen) -> float:
        """The part that grows with the mechanism."""
        chosen = library.take(active)
        spectators = float(np.minimum(chosen.reactants, chosen.products).sum())
        molecules = float(chosen.reactants.sum() + chosen.products.sum())
        one_way = len(active) - len(reversible_pairs(chosen))
        ties = SPECTATOR * spectators + MOLECULE * molecules + ONE_WAY * one_way
        return self.price * len(active) + ties + self._exhausted(len(active))

    @property
    def most(self) -> int:
        """The most reactions that so many points can vouch for."""
        return max(int(MOST_PARAMETERS * self.points) - self.initials, 1)

    def _exhausted(self, reactions: int) -> float:
        """Prohibitive where there are hardly more points than parameters: such a fit is no evidence."""
        return 1e3 * max(reactions - self.most, 0)

    def variance(self, chi2: float) -> float:
        """What one unit of misfit is worth in chi2 near a fit."""
        return 1.0 if self.noise_known else max(chi2 / self.points, 1e-12)

    def reach(self, library: Library, best: Fitted, active: Chosen, slack: float = 0.0) -> float:
        """The chi2 that the set `active` must reach to score no more than `slack` above `best`."""
        allowed = slack + self.cost(library, best.active) - self.cost(library, active)
        if self.noise_known:
            return best.chi2 + allowed
        return max(best.chi2, 1e-12 * self.points) * float(np.exp(min(allowed / self.points, 500.0)))


@dataclasses.dataclass(frozen=True)
class Move:
    """A neighbouring set and what the linear problem says of its score, relative to the present one."""

    chosen: Chosen
    predicted: float


def tangent(problem: Problem, library: Library, at: Fitted, fast: Chosen | None = None) -> linear.Compressed | None:
    """The linear problem over the whole library at a fitted point: min |Q k - y|^2 is chi2 to first order.

    The constants of `fast` reactions are no columns of it (theirs are zero): what the data do say about them, their
    ratios, is projected out like the initial amounts.
    """
    k, everything = at.dense(len(library.net)), np.arange(len(library.net))
    here = linearise(problem, library, k, at.factors_of(problem, everything), at.c0)
    if here is None:
        return None
    held = np.zeros(0, int) if fast is None else fast
    slow = np.setdiff1d(np.arange(len(k)), held)
    common = here.by_phi[:, : len(problem.groups)]  # how constants follow the temperature stays as it was fitted
    nuisance = np.hstack([common, here.by_k[:, held] * k[held]])
    basis, felt, _ = np.linalg.svd(nuisance, full_matrices=False)
    basis = basis[:, felt > 1.0]  # a factor e in the constants changes chi2 by more than one
    columns, target = np.zeros_like(here.by_k), here.by_k[:, slow] @ k[slow] - here.residual
    columns[:, slow] = here.by_k[:, slow]
    return linear.compress(columns - basis @ (basis.T @ columns), target - basis @ (basis.T @ target))


def saturated(problem: Problem, library: Library, at: Fitted) -> Chosen:
    """Reactions so fast that the data hardly depend on their constants, although much passes through them.

    Of a fast equilibrium only the ratio matters: both derivatives are small, and a linear problem would drop the pair.
    """
    chosen = library.take(at.active)
    here = linearise(problem, chosen, at.k, at.phi, at.c0)
    if here is None:
        return np.zeros(0, int)
    felt = np.linalg.norm(here.by_k * at.k, axis=0)
    return at.active[felt < SATURATED * throughput(problem, chosen, at.k, at.phi, at.c0)]


def refit(
    problem: Problem,
    library: Library,
    chosen: Chosen,
    at: Fitted,
    lin: linear.Compressed,
    fast: Chosen,
    target: float = np.inf,
    given: dict[int, float] | None = None,
) -> Fitted | None:
    """Fit the set `chosen` through the ODE from the constants that the linear problem proposes, or those `given`.

    Constants of `fast` reactions stay where they are: the linear problem knows nothing of their size.
    """
    proposed, _ = lin.residual(chosen)
    present = at.dense(len(library.net))[chosen]
    unit = natural(problem, library.take(chosen))
    k = np.clip(np.where(proposed > 0, proposed, present), SMALLEST * unit, LARGEST * unit)
    k = np.where(np.isin(chosen, fast), present, k)
    for j, value in (given or {}).items():
        k[chosen == j] = value
    return refine.fit(problem, library, chosen, k, phi=at.factors_of(problem, chosen), c0=at.c0, target=target)


def eliminate(
    problem: Problem, library: Library, at: Fitted, criterion: Criterion, keep: frozenset[int], *, bold: bool
) -> Fitted | None:
    """One round of L0 Gauss-Newton, fast reactions protected; `bold`: or not, whichever set fits better."""
    price, fast = criterion.price * criterion.variance(at.chi2), saturated(problem, library, at)
    fits: dict[tuple[int, ...], Fitted | None] = {}
    for held in {tuple(fast), ()} if bold else {tuple(fast)}:
        lin = tangent(problem, library, at, np.array(held, int))
        if lin is not None:
            chosen = linear.eliminate(lin, price, keep | frozenset(map(int, held)), most=criterion.most)
            if tuple(chosen) not in fits:
                fits[tuple(chosen)] = refit(problem, library, chosen, at, lin, np.array(held, int))
    done = [f for f in fits.values() if f is not None]
    return min(done, key=lambda f: (criterion(library, f), len(f.active)), default=None)


def moves(
    library: Library, at: Fitted, lin: linear.Compressed, criterion: Criterion, keep: frozenset[int]
) -> list[Move]:
    """Drops, adds, swaps and merges of a set, most promising first."""
    _, rss = lin.residual(at.active)
    cost, variance = criterion.cost(library, at.active), criterion.variance(at.chi2)
    out = []
    for chosen in neighbours(library, at.active, keep):
        _, r = lin.residual(chosen)
        out.append(Move(chosen, float((r - rss) / variance + criterion.cost(library, chosen) - cost)))
    return sorted(out, key=lambda move: (move.predicted, tuple(move.chosen)))


def neighbours(library: Library, active: Chosen, keep: frozenset[int]) -> list[Chosen]:
    """Sets one move away: one reaction less, one more, one for one, or one for two of the same reactants."""
    inside = set(map(int, active))
    removable = [int(i) for i in active if int(i) not in keep]
    sets = [active[active != i] for i in removable if len(active) > 1]
    for j in (j for j in range(len(library.net)) if j not in inside):
        wider = np.union1d(active, [j])
        same = [i for i in removable if (library.reactants[i] == library.reactants[j]).all()]
        pairs = [(a, b) for n, a in enumerate(same) for b in same[n + 1 :]]
        sets += [
            wider,
            *(wider[wider != i] for i in removable),
            *(wider[(wider != a) & (wider != b)] for a, b in pairs),
        ]
    return sets


def equilibrium_swaps(
    library: Library, at: Fitted, fast: Chosen, keep: frozenset[int]
) -> list[tuple[Chosen, dict[int, float]]]:
    """Another reversible pair in place of one that a fast equilibrium hides, with its starting constants.

    Only the equilibrium constants of fast pairs show in the data, and species in fast equilibrium are one pool: a pair
    whose net change differs by what the fast pairs convert fits as well (a spectator more or less, F <-> P in place of
    F <-> R), and no single swap leads from one to the other. Fewer spectators come first.
    """
    if len(fast) == 0:
        return []
    pairs, inside = reversible_pairs(library), set(map(int, at.active))
    constant = dict(zip(map(int, at.active), map(float, at.k), strict=True))
    out = []
    for i, back in pairs:
        if not {i, back} <= inside - keep or i > back:
            continue
        rest = at.active[(at.active != i) & (at.active != back)]
        others = library.net[np.setdiff1d(fast, [i, back])]
        for j, j_back in pairs:
            if not {j, j_back} & inside and _same_pool(library.net[i], library.net[j], others):
                out.append((np.union1d(rest, np.array([j, j_back])), {j: constant[i], j_back: constant[back]}))
    return sorted(out, key=lambda swap: int(np.minimum(library.reactants[swap[0]], library.products[swap[0]]).sum()))


def _same_pool(net: np.ndarray, other: np.ndarray, fast: np.ndarray) -> bool:
    """Whether two net changes differ by what the fast reactions convert."""
    rank = np.linalg.matrix_rank(fast) if len(fast) else 0
    return bool(np.linalg.matrix_rank(np.vstack([fast, net - other])) == rank)
