"""A hand-made profile and small parameters: worlds that need none of the real tables."""

from __future__ import annotations

import copy

import numpy as np
from scipy.stats import norm

from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.simulation import SimulationParameters, WorldProfile

GRID = (np.arange(41) + 0.5) / 41
PARAMETERS = {
    "n_households": 400,
    "span": {"first_date": "2017-04-01", "days": 240},
    "outcome_days": 28,
    "post_days": 28,
    "spend": {
        "tail_variance_share": 0.0,
        "tail_probability": 0.01,
        "tail_index": 2.5,
        "frailty_scale": 1.0,
    },
    "effect": {
        "function": "constant",
        "mean_usd": 20.0,
        "sd_usd": 10.0,
        "days": 28,
        "sparse_share": 0.2,
        "campaign_types": ["TypeA"],
    },
    "interference": {
        "anticipation_usd": 0.0,
        "anticipation_days": 14,
        "forward_buying_share": 0.0,
        "forward_buying_days": 28,
        "cannibalisation_usd": 0.0,
        "spillover_share": 0.0,
    },
    "targeting": {
        "confounding": 1.0,
        "steepness": 1.0,
        "min_propensity": 0.0,
        "list_lag_days": 0,
        "history_days": 84,
        "repeat_days": 126,
        "unobserved_confounding": 0.0,
        "unobserved_log_rate": 0.5,
        "unobserved_lead_days": 0,
    },
    "campaigns": {
        "calendar": "single",
        "single_start": "2017-08-08",
        "single_like": 13,
        "mailed_share": 0.5,
        "arm_multipliers": [1.0],
    },
    "missing_demographics_share": 0.6,
    "n_products": 400,
    "promotions_per_week": 5,
    "block_households": 150,
}


def merged(base, changes):
    """``base`` with some keys changed, at any depth."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) else value
    return result


def parameters(**changes):
    """Small typed parameters, changed by key."""
    return SimulationParameters.model_validate(merged(PARAMETERS, changes))


def trial_parameters(**changes):
    """The trials that the small worlds are read with."""
    values = {
        "treatment_definition": "campaign_targeted",
        "control_definition": "not_targeted",
        "campaign_types": ["TypeA"],
        "campaigns": None,
        "pre_days": 84,
        "history_days": 126,
        "outcome_days": 28,
        "post_days": 28,
        "placebo_shift_days": 28,
        "washout_days": 0,
        "min_arm_households": 2,
    }
    return TrialParameters.model_validate({**values, **changes})


def _cell(category, department, commodity, brand, share, price):
    return {
        "department": department,
        "commodity": commodity,
        "category": category,
        "brand": brand,
        "share": share,
        "price_usd": price,
        "price_log_sd": 0.4,
        "popularity_log_sd": 1.0,
        "n_products": 30,
    }


def _campaign(campaign_id, kind, start, end, share, covered):
    return {
        "campaign_id": campaign_id,
        "campaign_type": kind,
        "start_date": start,
        "end_date": end,
        "mailed_share": share,
        "n_coupons": 20,
        "target_sales_share": covered,
        "redemption_share": 0.15,
        "redemptions_per_redeemer": 2.0,
    }


def _lognormal(mean, sd):
    return [float(v) for v in mean * np.exp(sd * norm.ppf(GRID))]


def profile():
    """A small retailer: plain distributions, six categories, five campaigns."""
    slopes = {"log_spend": 0.6, "log_visits": 0.6, "mailed_before": 0.5, "has_demographics": 0.3}
    return WorldProfile.model_validate(
        {
            "n_households": 1000,
            "trait_grids": {
                "visits_per_week": _lognormal(1.0, 0.6),
                "usd_per_week": _lognormal(30.0, 0.8),
                "discount_rate": [float(v) for v in np.linspace(0.05, 0.3, 41)],
                "private_share": [float(v) for v in np.linspace(0.05, 0.6, 41)],
                "fuel_per_week": [float(max(v, 0.0)) for v in np.linspace(-0.4, 0.4, 41)],
            },
            "trait_correlation": [
                [1.0, 0.8, 0.0, 0.0, 0.3],
                [0.8, 1.0, 0.0, 0.0, 0.3],
                [0.0, 0.0, 1.0, 0.4, 0.0],
                [0.0, 0.0, 0.4, 1.0, 0.0],
                [0.3, 0.3, 0.0, 0.0, 1.0],
            ],
            "basket_factor": _lognormal(1.0, 0.8),
            "line_price_log_sd": 0.3,
            "category_lines": {
                "grocery": 0.6,
                "fresh": 0.2,
                "bakery": 0.06,
                "health_beauty": 0.05,
                "alcohol": 0.02,
                "other": 0.07,
            },
            "category_shape": dict.fromkeys(
                ("grocery", "fresh", "bakery", "health_beauty", "alcohol", "other"), 5.0
            ),
            "products": [
                _cell("grocery", "GROCERY", "SOUP", "National", 0.4, 2.5),
                _cell("grocery", "GROCERY", "SOUP", "Private", 0.2, 1.5),
                _cell("fresh", "PRODUCE", "APPLES", "National", 0.12, 2.0),
                _cell("fresh", "MEAT", "BEEF", "Private", 0.08, 6.0),
                _cell("bakery", "PASTRY", "BREAD", "Private", 0.06, 2.0),
                _cell("health_beauty", "DRUG GM", "VITAMINS", "National", 0.05, 5.0),
                _cell("alcohol", "GROCERY", "BEERS/ALES", "National", 0.02, 8.0),
                _cell("other", "FLORAL", "ROSES", "National", 0.07, 9.0),
            ],
            "discount_depth": [float(v) for v in np.linspace(0.05, 0.5, 41)],
            "week_of_year": [1.0] * 53,
            "weekday": [0.95, 0.95, 0.95, 0.95, 0.95, 1.1, 1.15],
            "hour": [0.0] * 8 + [1 / 16] * 16,
            "weekly_variance": 0.15,
            "weekly_decay": 0.9,
            "store_shares": [0.4, 0.3, 0.2, 0.1],
            "home_store_share": 0.75,
            "quantity_shares": [0.8, 0.15, 0.05],
            "fuel_usd": [float(v) for v in np.linspace(5.0, 60.0, 41)],
            "fuel_price_usd": 2.5,
            "coupon_usd": [float(v) for v in np.linspace(0.25, 3.0, 41)],
            "coupon_carrier_share": 0.25,
            "coupon_match_share": 0.1,
            "campaigns": [
                _campaign(30, "TypeA", "2017-02-08", "2017-03-26", 0.2, 0.05),
                _campaign(8, "TypeA", "2017-05-08", "2017-06-25", 0.4, 0.3),
                _campaign(9, "TypeB", "2017-05-31", "2017-07-02", 0.1, 0.02),
                _campaign(13, "TypeA", "2017-08-08", "2017-09-24", 0.4, 0.5),
                _campaign(14, "TypeC", "2017-09-04", "2017-11-08", 0.1, 0.02),
            ],
            "targeting": dict.fromkeys(("TypeA", "TypeB", "TypeC"), slopes),
            "redemption": {"log_visits": 0.2, "discount_rate": 0.4},
            "demographics": {
                "demo_age": {"labels": ["19-24", "25-34", "35-44"], "shares": [0.3, 0.3, 0.4]},
                "demo_income": {"labels": ["Under 15K", "15-24K"], "shares": [0.5, 0.5]},
                "demo_household_size": {"labels": ["1", "2"], "shares": [0.6, 0.4]},
                "demo_home_owner": {
                    "labels": ["Renter", "Probable Renter", "Probable Owner", "Homeowner"],
                    "shares": [0.2, 0.1, 0.1, 0.3],
                },
            },
            "missing_demographics_share": 0.6,
            "demographics_slope": 1.0,
        }
    )
