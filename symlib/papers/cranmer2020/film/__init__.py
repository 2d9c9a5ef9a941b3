"""The film of a training run."""
