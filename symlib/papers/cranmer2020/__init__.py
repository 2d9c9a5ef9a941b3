"""Cranmer et al. 2020: its numbers, the studies that measure them again, its pages."""
