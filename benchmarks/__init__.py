"""Measured figures, side by side with the peer in one run; `make bench`, or `python -m benchmarks NAME ...`."""
