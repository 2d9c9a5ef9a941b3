"""Training: recipes, the loop, sparsity, checkpoints, presets."""
