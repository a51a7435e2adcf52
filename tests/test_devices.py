"""An ensemble shared by two devices is the ensemble of one. The devices are virtual, in a process of their own."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

CODE = """
import json, sys
import jax, numpy as np, equinox as eqx
jax.config.update("jax_enable_x64", True)
from guldberg import WellMixed, parse, simulate
from guldberg.app.devices import shared
from guldberg.app.simulate import ode
from guldberg.app.simulate.asked import Asked

network = parse("A -> B @ 0.04\\nB + C -> A + C @ 1e2\\n2 B -> B + C @ 3e3")
rng = np.random.default_rng(0)
states = rng.uniform(0.5, 1, (5, 3))
times = np.array([0.0, 1.0, 10.0])
done = ode.run(Asked(network, tuple("abcde"), states, times, None, 0), print)
values = shared(states)
follow = eqx.filter_vmap(lambda c0: simulate(WellMixed(network), c0, times).values)
out = follow(values)
print(json.dumps({
    "devices": len(out.sharding.device_set),
    "rows": [shard.data.shape[0] for shard in out.addressable_shards],
    "experiments": len(done.table.runs),
    "values": [run.values.ravel().tolist() for run in done.table.runs],
}))
"""


def followed(devices: int) -> dict:
    env = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", "JAX_PLATFORMS": "cpu"}
    told = subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True, check=True)
    return json.loads(told.stdout)


@pytest.mark.slow
def test_two_devices_share_the_rows_and_give_what_one_gives():
    """Five rows among two: three each, one of them a copy that nobody sees. Compiled code rounds otherwise for another
    number of rows, so the last digits may differ; the tolerance of the solver is 1e-8."""
    one, two = followed(1), followed(2)
    assert one["devices"] == 1 and two["devices"] == 2 and two["rows"] == [3, 3]
    assert one["experiments"] == two["experiments"] == 5
    np.testing.assert_allclose(two["values"], one["values"], rtol=1e-11)
