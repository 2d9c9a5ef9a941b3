"""Simulations: initial conditions, integration, trajectories on disk."""
