"""Job 1, discover: concentrations over time go in, the mechanism comes out, with what the data cannot tell."""

from guldberg.discover.job import Discovery as Discovery
from guldberg.discover.job import Options as Options
from guldberg.discover.job import State as State
from guldberg.discover.job import discover as discover
from guldberg.discover.result import Discovered as Discovered
