"""The data of Huang, Zhou and Yong for hydrogen oxidation: 100 initial states, 11 times, exact derivatives.

python examples/hydrogen.py hydrogen.csv [noise on the derivatives, as in 1e-3]
"""

import sys

import jax

from guldberg.app.datasets import hydrogen
from guldberg.app.tables import write_experiments

jax.config.update("jax_enable_x64", True)

if __name__ == "__main__":
    path = sys.argv[1] if len(sys.argv) > 1 else "hydrogen.csv"
    write_experiments(hydrogen(derivative_noise=float(sys.argv[2]) if len(sys.argv) > 2 else 0.0), path)
    print(f"written: {path}")
