"""Data of a user's own: read, smoothed, brought to order one, and fitted by curves."""
