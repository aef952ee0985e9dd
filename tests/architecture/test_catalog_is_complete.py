"""Kedro gives an undeclared dataset a place in memory in silence; this project declares all."""

from __future__ import annotations

ENVIRONMENTS = ("base", "test", "original", "simulated", "table")
#: Pipelines of their own, beside the way from data to decision.
