"""A tracked run, made again from what it logged, and held against itself figure by figure."""

from promo_uplift.reproduction.command import reproduce

__all__ = ["reproduce"]
