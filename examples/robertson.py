"""A stiff network followed through time, and the derivative of what it gives in its rate constants.

Robertson's problem has rate constants from 0.04 to 3e7. Hairer and Wanner (Solving ODEs II, IV.10) give
A(40) = 0.7158270688. Its derivatives in ln k say which of the three constants a measurement of A(40) would tell.
"""

import diffrax
import equinox as eqx
import jax

from guldberg import WellMixed, parse, simulate

jax.config.update("jax_enable_x64", True)

network = parse("A -> B @ 0.04\n2 B -> B + C @ 3e7\nB + C -> A + C @ 1e4")


def remaining(network):
    forward = diffrax.ForwardMode()  # cheaper than the default where there are few parameters
    amount = simulate(WellMixed(network), [1.0, 0.0, 0.0], [0.0, 40.0], adjoint=forward).values[-1, 0]
    return amount, amount


if __name__ == "__main__":
    slopes, amount = eqx.filter_jit(eqx.filter_jacfwd(remaining, has_aux=True))(network)
    print(f"A(40) = {amount:.10f}")
    for equation, slope in zip(network.equations(), slopes.forward.log_k, strict=True):
        print(f"dA(40) / d ln k({equation}) = {slope:+.6f}")
