"""SBML in and out: mass-action models, and nothing guessed about others."""
