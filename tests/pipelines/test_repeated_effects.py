"""Repeated cross-fitting: the median rule by hand, and one plan bit for bit as before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from in_memory import COVARIATES, parameters, trial_table

from promo_uplift.analysis import average_effects, estimate_nuisances, repeated_effects
from promo_uplift.contracts.results import TrialData
from promo_uplift.effects import COLUMNS, median_effects


def analysis_arguments():
    trials = trial_table(effect_usd=30.0, n_households=300)
    given = parameters()
    typed = {name: given[f"params:{name}"] for name in ("nuisance", "tuning", "metrics", "checks")}
    data = TrialData(
        covariates=trials[COVARIATES],
        treatment=trials["treatment"].to_numpy(),
        outcome=trials["spend_usd"].to_numpy(),
        redeemed=trials["redeemed"].to_numpy(dtype=float),
        groups=trials["household_id"].to_numpy(),
        campaign=trials["campaign_id"].to_numpy(),
    )
    return {"data": data, "n_workers": 1, **typed}


def table(estimate, se):
    row = dict.fromkeys(COLUMNS, 0) | {"estimand": "aipw_ate", "campaign": "pooled", "n": 9}
    return pd.DataFrame([row | {"estimate_usd": estimate, "se": se, "n_repeats": 1}])[list(COLUMNS)]


def test_the_median_rule_by_hand():
    """Estimates 1, 2, 4 with errors 1, 2, 1: the middle of 1 + 1, 4 + 0 and 1 + 4 is 4."""
    tables = [table(1.0, 1.0), table(2.0, 2.0), table(4.0, 1.0)]
    (found,) = median_effects(tables=tables, level=0.95).to_dict("records")
    assert found["estimate_usd"] == 2.0
    assert found["se"] == pytest.approx(2.0)
    assert found["ci_low"] == pytest.approx(2.0 - 1.959963984540054 * 2.0)
    assert found["ci_high"] == pytest.approx(2.0 + 1.959963984540054 * 2.0)
    assert (found["n_repeats"], found["n"]) == (3, 9)


def test_an_even_number_of_plans_takes_the_middle_of_two():
    """1 and 3 with errors 1 and 2: estimate 2; the variances 2 and 5 give 3.5."""
    (found,) = median_effects(tables=[table(1.0, 1.0), table(3.0, 2.0)], level=0.95).to_dict(
        "records"
    )
    assert found["estimate_usd"] == 2.0
    assert found["se"] == pytest.approx(np.sqrt(3.5))


def test_what_is_undefined_in_one_plan_is_undefined():
    (found,) = median_effects(
        tables=[table(1.0, 1.0), table(np.nan, np.nan), table(2.0, 1.0)], level=0.95
    ).to_dict("records")
    assert np.isnan(found["estimate_usd"])
    assert np.isnan(found["se"])


def test_one_plan_is_what_it_was_and_several_are_the_median_of_their_tables():
    arguments = analysis_arguments()
    common = {name: arguments[name] for name in ("data", "metrics", "checks")}
    fit = {name: arguments[name] for name in ("data", "nuisance", "n_workers", "tuning")}
    first = estimate_nuisances(**fit, seed=7)
    plain = average_effects(nuisances=first, **common)
    once = repeated_effects(nuisances=first, seed=7, **arguments)
    pd.testing.assert_frame_equal(once, plain, check_exact=True)
    assert set(plain["n_repeats"]) == {1}
    thrice = arguments | {"nuisance": arguments["nuisance"].model_copy(update={"n_repeats": 3})}
    repeated = repeated_effects(nuisances=first, seed=7, **thrice)
    assert set(repeated["n_repeats"]) == {3}
    pooled = repeated.set_index(["campaign", "estimand"]).loc[("pooled", "aipw_ate")]
    single = plain.set_index(["campaign", "estimand"]).loc[("pooled", "aipw_ate")]
    assert pooled["estimate_usd"] != single["estimate_usd"]
    assert pooled["estimate_usd"] == pytest.approx(single["estimate_usd"], abs=single["se"])
    # the naive difference needs no nuisances: every plan agrees, and the rule adds nothing
    naive = [
        one.set_index(["campaign", "estimand"]).loc[("pooled", "naive_difference")]
        for one in (repeated, plain)
    ]
    assert naive[0]["estimate_usd"] == naive[1]["estimate_usd"]
    assert naive[0]["se"] == pytest.approx(naive[1]["se"], rel=1e-12)
    pd.testing.assert_frame_equal(
        repeated, repeated_effects(nuisances=first, seed=7, **thrice), check_exact=True
    )
