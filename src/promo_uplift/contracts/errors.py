"""One tree of errors, so that a caller can tell a refused input from a defect.

A message names the field in backticks, the rule, what was found, and what to do next.
"""


class PromoUpliftError(Exception):
    """Root of everything that this project refuses on purpose."""


class ConfigurationError(PromoUpliftError, ValueError):
    """A parameter is unknown."""


class SourceError(PromoUpliftError, ValueError):
    """A raw table is missing, unreadable, empty, or lacks a column."""


class ContractError(PromoUpliftError, ValueError):
    """A table breaks a rule of its contract."""


class TrialError(PromoUpliftError, ValueError):
    """Trials cannot be built as configured (coverage, arms, unknown campaigns)."""


class LearnerError(PromoUpliftError, ValueError):
    """A learner is unknown, misconfigured, or refuses the data that it was given."""


class IntervalNotOffered(PromoUpliftError, NotImplementedError):  # noqa: N818 - a refusal, not a fault
    """The learner has no pointwise interval that it can defend."""


class MetricError(PromoUpliftError, ValueError):
    """A metric was given inputs on which it is not defined."""


class PolicyError(PromoUpliftError, ValueError):
    """A policy or its money parameters cannot be evaluated."""


class ExperimentError(PromoUpliftError, ValueError):
    """An experiment cannot be drawn or analysed: too few households, a result of other rows."""


class ScoringError(PromoUpliftError, ValueError):
    """A table of households cannot be scored by the model (columns, types)."""


class CheckError(PromoUpliftError, ValueError):
    """A check is configured under an unknown code, or has no rule for a failure."""


class ReproductionError(PromoUpliftError, ValueError):
    """A tracked run cannot be made again: unknown, incomplete, or on other code or data."""
