"""A look before the fit, and then every network: which columns are measured, and what nine rows can tell.

Alpha-pinene isomerisation, Fuguitt and Hawkins (1947). Of five columns three are independent: all of them sum to 100 %,
and pyronene is 3 % of the converted pinene to the rounding of the table, so it was computed and not measured. A fit
that takes it for a measurement finds a step pinene -> pyronene that nobody saw: among all 1597 networks of four or five
steps of first order that make every species from pinene, the published one is the fifth.
"""

import time

import numpy as np

from guldberg.app.datasets import path
from guldberg.app.look import look
from guldberg.app.tables import read_experiments
from guldberg.discover.exhaustive import ranked, reaching
from guldberg.discover.library import build
from guldberg.discover.problem import prepare
from guldberg.network import equation

PUBLISHED = {
    "alpha_pinene -> dipentene",
    "alpha_pinene -> allo_ocimene",
    "allo_ocimene -> pyronene",
    "allo_ocimene -> dimer",
    "dimer -> allo_ocimene",
}
SHOWN = 6

if __name__ == "__main__":
    data = read_experiments([path("alpha-pinene")])
    print(look(data).render())
    library = build(np.ones((1, 5), int), 5, max_order=1)
    names = [equation(a, b, data.species) for a, b in zip(library.reactants, library.products, strict=True)]
    start = time.process_time()
    networks = list(reaching(library, data.runs[0].values[0] > 0, (4, 5)))
    fits = ranked(data, prepare(data, np.ones(5)), library, networks)
    print(f"{len(networks)} networks ranked by their sum of squares, {time.process_time() - start:.1f} s of CPU time:")
    for place, at in enumerate(fits, 1):
        steps = {names[i] for i in at.active}
        if place <= SHOWN or steps == PUBLISHED:
            mark = "  (as published)" if steps == PUBLISHED else ""
            print(f"{place:3d}. {at.chi2:.3f}  {', '.join(sorted(steps))}{mark}")
