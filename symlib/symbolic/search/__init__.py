"""The search for equations: engines, fronts, constants fitted again."""
