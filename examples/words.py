"""How many fresh words a design of `bits` reads rightly. `python examples/words.py RUN [words] [dt=1|0.1]`, after
`guldberg design bits --out RUN`

Elliott (2022) Figure 4 shows 16 bits read from states under a noisy flow. Here each word is new, and so is its noise:
the paper's own, drawn afresh in every step, and an Ornstein-Uhlenbeck flow of the same mean, variance and memory,
which has a limit as dt -> 0. Without reactions the words should be gone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from guldberg.app import runs
from guldberg.app.design.kind import KIND
from guldberg.design.bits import recall
from guldberg.design.controls import with_constants
from guldberg.design.result import Designed
from guldberg.drive import OrnsteinUhlenbeckFlow
from guldberg.stepper import Patankar
from guldberg.system import ReactionDiffusion

TIMES = (10.0, 100.0, 1000.0)
BATCH = 50  # words between two lines


def show(name: str, system: ReactionDiffusion, found: Designed, words: int, dt: float) -> None:
    """Words and bits right at each of TIMES."""
    assert found.decoder is not None
    right = []
    for first in range(0, words, BATCH):
        some = min(BATCH, words - first)
        of_words, of_noise = jax.random.split(jax.random.fold_in(jax.random.key(found.seed + 1000), first))
        z = jax.random.bernoulli(of_words, 0.5, (some, len(found.z))).astype(jnp.float32)
        seen = recall(system, found.start, found.decoder, z, ts=TIMES, key=of_noise, dt=dt, stepper=Patankar())
        right.append(np.asarray(seen.right))
    bits = np.concatenate(right)
    counts = " ".join(f"{n:6d}" for n in bits.all(2).sum(0))
    shares = " ".join(f"{x:7.4f}" for x in bits.mean((0, 2)))
    print(f"{name:28}{counts}  of {len(bits):5d}   {shares}", flush=True)


def main(folder: str, words: str = "100", dt: str = "1") -> None:
    found = runs.reached(Path(folder), {"design": KIND})[0]
    if found.decoder is None:
        sys.exit(f"{folder}: this design reads no words; make one with `guldberg design bits --out RUN`")
    n, step, system = int(words), float(dt), found.system
    print(f"dt = {step:g} s{'':18}" + " ".join(f"{t:4g} s" for t in TIMES) + f"{'':14}bits at the same times")
    show("the paper's noise", system, found, n, step)
    smooth = eqx.tree_at(lambda s: s.drive, system, OrnsteinUhlenbeckFlow(system.drive))
    show("Ornstein-Uhlenbeck flow", smooth, found, n, step)
    show("no reactions", with_constants(system, 0.0), found, min(n, 20), step)


if __name__ == "__main__":
    main(*sys.argv[1:])
