"""float64 for every test, no silent promotion of shapes or dtypes, and code that is compiled quickly rather than fast:
tests run most programs once, so that compiling takes most of their time."""

import os

# Before jax reads it; processes inherit it. The second flag chooses the older code generator, in half the time.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false")

import jax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
