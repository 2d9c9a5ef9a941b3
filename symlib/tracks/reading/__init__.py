"""Tracking files of any tool, as `Tracks`."""
