"""A look before the fit: which columns of a table are not independent measurements.

Alpha-pinene isomerisation, Fuguitt and Hawkins (1947). Of five columns three are independent: all of them sum to 100 %,
and pyronene is 3 % of the converted pinene to the rounding of the table, so it was computed and not measured. A fit
that takes it for a measurement finds a step pinene -> pyronene that nobody saw.
"""

from guldberg.app.datasets import path
from guldberg.app.look import look
from guldberg.app.tables import read_experiments

if __name__ == "__main__":
    print(look(read_experiments([path("alpha-pinene")])).render())
