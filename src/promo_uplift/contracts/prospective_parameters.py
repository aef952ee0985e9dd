"""Parameters of the prospective validation: train on the past, judge on the next campaign."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from promo_uplift.contracts.parameters import Count, Parameters


class ProspectiveParameters(Parameters):
    """Which campaigns are judged by which past, and how much is fitted for each.

    Attributes
    ----------
    campaigns : list of int or None
        Campaigns to judge on; None: every trial of the run. All trials train.
    learners : list of str or None
        Candidates, simplest first; None: those of the run. The baselines are always fitted.
    n_trials : int
        Optuna trials of every study, of nuisances and learners; 0: the defaults.
    min_training_campaigns, min_training_rows : int
        The least past that a campaign needs to be judged.
    min_rows : int
        Fewest rows of a campaign that is judged.
    min_arm_rows : int
        Fewest rows of each arm, of the past and of the campaign that is judged.
    """

    campaigns: list[int] | None = None
    learners: Annotated[list[str], Field(min_length=1)] | None = None
    n_trials: Annotated[int, Field(ge=0)]
    min_training_campaigns: Count
    min_training_rows: Count
    min_rows: Count
    min_arm_rows: Annotated[int, Field(ge=2)]
