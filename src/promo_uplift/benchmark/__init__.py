"""Worlds with a known truth, and how far each estimator is from it."""
