"""Power of the plan over the number of households, for several true effects."""

from __future__ import annotations

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import ExperimentError
from promo_uplift.contracts.experiment_parameters import ExperimentParameters
from promo_uplift.contracts.results import IntArray
from promo_uplift.experiments.plan import ExperimentPlan
from promo_uplift.experiments.questions import Question
from promo_uplift.experiments.size import power_at, smallest_effect


def power_table(*, plan: ExperimentPlan, parameters: ExperimentParameters) -> pd.DataFrame:
    """Power over the number of households for several true effects.

    Parameters
    ----------
    plan : ExperimentPlan
        The plan.
    parameters : ExperimentParameters
        True effects and the number of sizes.

    Returns
    -------
    DataFrame
        ``question, households, waves, size`` (``planned``, ``one wave`` or ``grid``),
        ``true_effect_usd, multiple`` (of the effect worth finding)``, power,
        smallest_effect_usd``. A question that cannot be asked, and effects that are infinite, have
        no rows.

    Raises
    ------
    ExperimentError
        If the plan has no households.
    """
    if plan.households < 1:
        raise ExperimentError("`plan.households` must be at least 1, found none.")
    tables = [
        _power_rows(question, plan, parameters)
        for question in plan.questions
        if not question.reason
    ]
    columns = [
        "question",
        "households",
        "waves",
        "size",
        "true_effect_usd",
        "multiple",
        "power",
        "smallest_effect_usd",
    ]
    return pd.concat([pd.DataFrame(columns=columns), *tables], ignore_index=True)[columns]


def _power_rows(
    question: Question, plan: ExperimentPlan, parameters: ExperimentParameters
) -> pd.DataFrame:
    sizes = power_sizes(question=question, plan=plan, points=parameters.power_points)
    named = {plan.households: "planned", plan.households_eligible: "one wave"}
    smallest = [
        smallest_effect(
            unit_variance=question.unit_variance,
            households=float(size),
            level=plan.aim.level,
            power=plan.aim.power,
        )
        for size in sizes
    ]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "question": question.name,
                    "households": sizes,
                    "waves": np.ceil(sizes / plan.households_eligible).astype(np.int64),
                    "size": [named.get(int(size), "grid") for size in sizes],
                    "true_effect_usd": multiple * plan.aim.worth_finding_usd,
                    "multiple": multiple,
                    "power": power_at(
                        effect_usd=multiple * plan.aim.worth_finding_usd,
                        unit_variance=question.unit_variance,
                        households=sizes.astype(np.float64),
                        level=plan.aim.level,
                    ),
                    "smallest_effect_usd": smallest,
                }
            )
            for multiple in sorted(parameters.effect_multiples)
        ],
        ignore_index=True,
    )


def power_sizes(*, question: Question, plan: ExperimentPlan, points: int) -> IntArray:
    """Sizes of the power table: from a tenth of a mailing to beyond what the question takes."""
    wanted = plan.households if question.households is None else question.households
    largest = 1.25 * max(wanted, plan.households, plan.households_eligible)
    smallest = max(2.0, plan.households_eligible / 10.0)
    grid = np.geomspace(smallest, largest, points).round()
    sizes = np.unique([*grid, plan.households, plan.households_eligible])
    return sizes.astype(np.int64)
