"""Particles on lattices, and draws from Boltzmann distributions over them: compiled samplers."""
