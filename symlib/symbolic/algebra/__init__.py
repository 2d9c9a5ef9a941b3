"""Equations: parsed, simplified, counted, evaluated."""
