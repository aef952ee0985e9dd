"""For whom the campaigns did more: by demographics and by the household's store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from promo_uplift.analysis.campaigns.panel_lens import SPEND, PanelLens, panel_rules, panel_window
from promo_uplift.contracts.campaign_parameters import ModeratorParameters, PanelParameters
from promo_uplift.contracts.tables import CanonicalTables
from promo_uplift.effects.panel.moderator_slopes import ModeratorRules
from promo_uplift.effects.panel.moderators import moderator_effects
from promo_uplift.trials.selection import data_coverage

STORE_SIZE: Final = "store_size"


def household_traits(*, tables: CanonicalTables, parameters: ModeratorParameters) -> pd.DataFrame:
    """Demographics as ordered codes, and the size group of the household's store; index: household.

    Missing demographics stay missing: they are a level of their own. The store is found in the
    first ``store_weeks`` of the data, before any campaign that is measured begins.
    """
    households = tables.households.select("household_id", *parameters.demographics)
    traits = households.to_pyarrow().to_pandas().set_index("household_id")
    first, _ = data_coverage(tables=tables)
    end = first + dt.timedelta(weeks=parameters.store_weeks)
    lines = tables.transactions.filter(
        tables.transactions.is_merchandise, tables.transactions.date < end
    )
    days = lines.select("household_id", "store_id", "date").distinct()
    visits = days.group_by("household_id", "store_id").agg(days=days.count())
    frame = visits.to_pyarrow().to_pandas()
    size = frame.groupby("store_id")["household_id"].nunique()
    own = frame.sort_values(
        ["household_id", "days", "store_id"], ascending=[True, False, True]
    ).drop_duplicates("household_id")
    by_household = own.set_index("household_id")["store_id"].map(size)
    groups = pd.qcut(
        by_household.rank(method="first"), parameters.store_groups, labels=False
    ).astype(np.float64)
    found: pd.DataFrame = traits.assign(**{STORE_SIZE: groups.reindex(traits.index) + 1.0})
    return found


def moderator_tables(
    *,
    lens: PanelLens,
    traits: pd.DataFrame,
    panel: PanelParameters,
    parameters: ModeratorParameters,
    level: float,
) -> Mapping[str, pd.DataFrame]:
    """Effects on spend by level of each trait, their differences, tests and slopes."""
    found = moderator_effects(
        panels=lens.panels,
        moderators=traits,
        outcome=SPEND,
        window=panel_window(panel),
        rules=ModeratorRules(panel_rules(panel), parameters.min_cell),
        level=level,
    )
    return {
        "moderator_levels": found.levels,
        "moderator_differences": found.differences,
        "moderator_tests": found.tests,
        "moderator_slopes": found.slopes,
    }
