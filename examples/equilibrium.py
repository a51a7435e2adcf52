"""What the six reactions of hydrogen oxidation conserve, and whether their twelve constants can be in equilibrium.

Huang, Zhou and Yong, example 4.3. Six reversible reactions among six species with two conserved elements leave two
cycles; in equilibrium the product of the equilibrium constants around each is 1 (Wegscheider 1901). The paper's
constants obey both, and a constant that is changed by a tenth breaks the cycles it is part of.
"""

import equinox as eqx

from guldberg import conservation_laws, detailed_balance
from guldberg.app.datasets import hydrogen_network
from guldberg.network import complex_text


def show(network):
    for law in conservation_laws(network):
        print("constant:", complex_text(law, network.species))
    for cycle in detailed_balance(network).cycles:
        steps = ", ".join(f"{n:+d} ({name})" for n, name in zip(cycle.times, cycle.reactions, strict=True))
        print("balanced:" if cycle.balanced else f"driven by {cycle.deviation:.3f} RT:", steps)


if __name__ == "__main__":
    network = hydrogen_network()
    show(network)
    print("the same with k(H2 + O -> H + OH) larger by a tenth")
    show(eqx.tree_at(lambda n: n.forward.log_k, network, replace_fn=lambda log_k: log_k.at[3].add(0.1)))
