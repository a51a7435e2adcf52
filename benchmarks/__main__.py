"""python -m benchmarks [NAME ...] [--seeds N]: run the named benchmarks (default: all) and print a table of each."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads only cost

import argparse

import jax

from benchmarks import belief, chain_moments, descent, design_update, discover, larger, lattice_speed, solver, startup

ALL = discover.ALL | larger.ALL | belief.ALL | design_update.ALL | solver.ALL | lattice_speed.ALL
ALL = ALL | chain_moments.ALL | startup.ALL | descent.ALL


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}")
    parser.add_argument("--seeds", type=int, default=None, help="fewer (or more) seeds than the stated ones")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.names) - set(ALL))
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(ALL)}")
    jax.config.update("jax_enable_x64", True)
    for name in chosen.names or ALL:
        print(f"\n== {name}: {(ALL[name].__doc__ or '').splitlines()[0]}", flush=True)
        ALL[name](chosen.seeds)


if __name__ == "__main__":
    main()
