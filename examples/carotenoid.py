"""Six steps of an enzyme from 77 measurements of five species, as published, with what the data leave open.

Bruno et al., J. Exp. Bot. (2016): chi2 65.11 with 13 parameters. Told to guldberg: only that steps are of first
order, and that experiments 3 and 6 share an unknown factor on their rates (less active enzyme).
"""

import jax

from guldberg.app.datasets import path
from guldberg.app.results import summary
from guldberg.app.tables import read_experiments
from guldberg.discover import Options, discover

jax.config.update("jax_enable_x64", True)

if __name__ == "__main__":
    data = read_experiments([path("carotenoid")]).with_scale(("3", "6"))
    found = discover(data, Options(max_order=1))
    print(summary(found))
    for name, factor in found.fit.scales.items():
        print(f"the factor of experiments {name}: {factor.value:.3f} ({factor.low:.3f} to {factor.high:.3f})")
