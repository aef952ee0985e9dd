"""Coverage of the three lenses where their assumption holds, and the checks where it does not.

``python -m benchmarks.lenses --profile data/simulated/02_intermediate/world_profile.json``

Each world is a retailer drawn by the simulator with a known effect: raw tables, canonical tables,
panel and trials as in a run. Worlds run side by side; the same seed gives the same figures.
"""

from __future__ import annotations

import argparse
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from promo_uplift import checks
from promo_uplift.analysis.campaigns.adjusted_lens import overlap_of_mailed
from promo_uplift.analysis.campaigns.judge import pre_trend_fact
from promo_uplift.benchmark.simulated import overridden
from promo_uplift.checks.coverage import WeekCoverage
from promo_uplift.checks.placebo_date import PlaceboDate
from promo_uplift.checks.timing import TreatmentTiming
from promo_uplift.contracts.campaign_parameters import CampaignParameters
from promo_uplift.contracts.configuration import base_parameters
from promo_uplift.contracts.parameters import TrialParameters
from promo_uplift.effects import PlaceboEffect, minimum_detectable_effect
from promo_uplift.effects.adjusted import (
    doubly_robust_effects,
    match_nearest,
    matched_effects,
    pooled_sample,
)
from promo_uplift.effects.panel import (
    PanelRules,
    PanelWindow,
    RobustnessSettings,
    campaign_panels,
    event_studies,
    robustness,
    two_by_two,
)
from promo_uplift.nuisance.linear import linear_nuisances
from promo_uplift.simulation import (
    SimulationParameters,
    WorldProfile,
    simulate_world,
    table_trials,
    world_tables,
)
from promo_uplift.trials import household_folds
from promo_uplift.trials.panel import household_week_panel
from promo_uplift.trials.panel_selection import PanelWeeks, select_panel_campaigns
from promo_uplift.trials.selection import data_coverage

LEVEL, POWER = 0.95, 0.8
OVERLAP = (0.1, 0.9)
#: What all worlds share: one campaign, the days around it, and few products, to be fast.
SHARED: dict[str, Any] = {
    "span": {"first_date": "2017-03-01", "days": 260},
    "campaigns": {"calendar": "single"},
    "n_products": 2_000,
    "promotions_per_week": 10,
}
#: Without seasons and without drifts households change alike whatever their level.
STEADY: dict[str, Any] = {"spend": {"frailty_scale": 0.0}}
#: The list is drawn up before the panel's first week: being on it says nothing of chance since.
EARLY_LIST: dict[str, Any] = {"confounding": 1.0, "list_lag_days": 63, "min_propensity": 0.1}
RECENT_LIST: dict[str, Any] = {"confounding": 1.0, "min_propensity": 0.1}
#: name -> (is steady, knobs, lenses whose assumption holds, checks of which one must fire).
WORLDS: dict[str, tuple[bool, dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "lottery": (False, {"targeting": {"confounding": 0.0}}, ("panel", "cross", "matching"), ()),
    "parallel trends": (True, STEADY | {"targeting": EARLY_LIST}, ("panel",), ()),
    "selection on observables": (
        False,
        {"targeting": RECENT_LIST},
        ("cross", "matching"),
        (),
    ),
    "arms drift apart from 4 weeks before": (
        True,
        STEADY
        | {
            "targeting": EARLY_LIST
            | {
                "unobserved_confounding": 1.5,
                "unobserved_log_rate": 0.3,
                "unobserved_lead_days": 28,
            }
        },
        (),
        ("PU-PRETREND", "PU-PLACEBO-DATE"),
    ),
    "anticipation of 40 USD in 2 weeks": (
        True,
        STEADY | {"targeting": EARLY_LIST, "interference": {"anticipation_usd": -40.0}},
        (),
        ("PU-PRETREND", "PU-PLACEBO-DATE"),
    ),
    "hidden trait since 8 weeks before": (
        False,
        {
            "targeting": RECENT_LIST
            | {
                "list_lag_days": 28,
                "unobserved_confounding": 1.5,
                "unobserved_log_rate": 0.3,
                "unobserved_lead_days": 56,
            }
        },
        (),
        ("PU-PLACEBO",),
    ),
    "rule three times as steep": (
        False,
        {"targeting": {"confounding": 1.0, "steepness": 3.0}},
        (),
        ("PU-OVERLAP", "PU-SEPARATION", "PU-CLIPPED"),
    ),
}


def look(job: tuple[str, int, int, str]) -> dict[str, Any]:
    """Estimates, truths and failed checks of one world."""
    warnings.filterwarnings("ignore")
    name, seed, n_households, path = job
    is_steady, knobs, _, _ = WORLDS[name]
    profile = WorldProfile.model_validate_json(Path(path).read_text(encoding="utf-8"))
    if is_steady:
        profile = profile.model_copy(update={"week_of_year": [1.0] * len(profile.week_of_year)})
    base = base_parameters(file="simulation", key="simulation")
    parameters = SimulationParameters.model_validate(
        overridden(overridden(base, SHARED), knobs) | {"n_households": n_households}
    )
    trials = TrialParameters.model_validate(base_parameters(file="data_engineering", key="trials"))
    campaigns = CampaignParameters.model_validate(
        base_parameters(file="panel_effects", key="campaigns")
    )
    world = simulate_world(profile=profile, parameters=parameters, seed=seed)
    tables = world_tables(world=world, n_threads=1)
    facts: list[object] = []
    found: dict[str, Any] = {"world": name, "seed": seed}
    data, truth = table_trials(tables=tables, world=world, trials=trials)
    mailed = data.treatment == 1
    found["truth"] = float(truth.cate[mailed].mean())
    _cross_section(found, facts, data, truth.cate, campaigns, seed)
    _placebo(found, facts, tables, world, trials, campaigns, seed)
    _panel(found, facts, tables, trials, campaigns)
    failed = [one for one in checks.run(*facts).results if one.failed]
    return found | {"failed": tuple(_said(one) for one in failed)}


def _said(result: checks.CheckResult) -> str:
    """Code of a failed check; a pre-trend test that rejects nothing lacked power."""
    is_weak = result.code == "PU-PRETREND" and result.value >= result.threshold
    return f"{result.code} (too little power)" if is_weak else result.code


def _fit(data: Any, campaigns: CampaignParameters, seed: int) -> Any:
    adjusted = campaigns.adjusted
    nuisances = linear_nuisances(
        data=data,
        fold=household_folds(groups=data.groups, n_folds=adjusted.n_folds, seed=seed),
        clip=adjusted.propensity_clip,
        logistic_c=adjusted.logistic_c,
        ridge_alphas=adjusted.ridge_alphas,
    )
    sample = pooled_sample(
        data=data,
        nuisances=nuisances.held_out,
        raw_propensity=nuisances.raw_propensity,
        outcome_name="spend_usd",
        level=LEVEL,
    )
    return nuisances, sample


def _att(sample: Any) -> Any:
    effects = doubly_robust_effects(sample=sample, overlap=OVERLAP)
    return next(one.estimate for one in effects if one.estimate.label.estimand == "att")


def _cross_section(
    found: dict[str, Any],
    facts: list[object],
    data: Any,
    cate: np.ndarray,
    campaigns: CampaignParameters,
    seed: int,
) -> None:
    nuisances, sample = _fit(data, campaigns, seed)
    cross = _att(sample)
    matching = match_nearest(sample=sample, caliper=campaigns.adjusted.caliper_sd, seed=seed)
    matched = matched_effects(sample=sample, matching=matching)[1].estimate
    _note(found, "cross", cross, found["truth"])
    _note(found, "matching", matched, float(cate[matching.treated].mean()))
    facts.append(overlap_of_mailed(sample=sample, overlap=OVERLAP, nuisances=nuisances))


def _placebo(
    found: dict[str, Any],
    facts: list[object],
    tables: Any,
    world: Any,
    trials: TrialParameters,
    campaigns: CampaignParameters,
    seed: int,
) -> None:
    earlier, _ = table_trials(
        tables=tables, world=world, trials=trials, shift_days=trials.placebo_shift_days
    )
    _, sample = _fit(earlier, campaigns, seed)
    estimate = _att(sample)
    facts.append(
        PlaceboEffect(
            effect=estimate.interval,
            mde_usd=minimum_detectable_effect(se=estimate.se, level=LEVEL, power=POWER),
            days=trials.placebo_shift_days,
            n_rows=estimate.n,
            n_households=estimate.n_households,
        )
    )


def _panel(
    found: dict[str, Any],
    facts: list[object],
    tables: Any,
    trials: TrialParameters,
    campaigns: CampaignParameters,
) -> None:
    panel = campaigns.panel
    weeks = PanelWeeks(panel.pre_weeks, panel.post_weeks, trials.pre_days, panel.min_pre_weeks)
    selection = select_panel_campaigns(tables=tables, parameters=trials, weeks=weeks)
    frame = household_week_panel(
        tables=tables, campaigns=selection.campaigns, parameters=trials, weeks=weeks
    )
    panels = campaign_panels(panel=frame, outcomes=["spend_usd"])
    floor = panel.min_arm_households
    spend: Any = {
        "panels": panels,
        "outcome": "spend_usd",
        "window": PanelWindow(panel.window_pre_weeks, panel.effect_weeks),
        "rules": PanelRules(floor, floor, panel.min_pre_weeks),
    }
    effect = two_by_two(**spend, level=LEVEL).estimates[0]
    _note(found, "panel", effect, found["truth"])
    variants = robustness(
        **spend,
        settings=RobustnessSettings(
            level=LEVEL,
            winsor_shares=tuple(panel.winsor_shares),
            placebo_weeks=panel.placebo_weeks,
            pre_windows=(),
        ),
    )
    moved = next(one.estimate for one in variants if one.name == "placebo_date")
    first, last = data_coverage(tables=tables)
    facts += [
        pre_trend_fact(study=event_studies(**spend)[0], effect=effect, level=LEVEL),
        PlaceboDate(
            effect=effect.interval, placebo=moved.interval, weeks_earlier=panel.placebo_weeks
        ),
        WeekCoverage.of(panel=frame, first=first, last=last),
        TreatmentTiming.stated(is_decided_before=True, last_day=-1),
    ]


def _note(found: dict[str, Any], lens: str, estimate: Any, truth: float) -> None:
    found[f"{lens}_error"] = estimate.value - truth
    found[f"{lens}_se"] = estimate.se
    found[f"{lens}_holds"] = estimate.ci_low <= truth <= estimate.ci_high


def summary(rows: pd.DataFrame) -> str:
    """Coverage, bias and firing by world, as Markdown."""
    lines = [
        "| world | n | lens | bias, USD (error) | error, USD | coverage |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    fired = ["", "| world | n | check | fires |", "| --- | --- | --- | --- |"]
    for name, own in rows.groupby("world", sort=False):
        n, (_, _, lenses, wanted) = len(own), WORLDS[str(name)]
        for lens in lenses:
            error = own[f"{lens}_error"]
            lines.append(
                f"| {name} | {n} | {lens} | {error.mean():+.2f} ({error.std() / n**0.5:.2f}) | "
                f"{own[f'{lens}_se'].mean():.2f} | {own[f'{lens}_holds'].mean():.1%} |"
            )
        codes = sorted({code for failed in own["failed"] for code in failed})
        for code in codes:
            share = own["failed"].map(lambda failed, code=code: code in failed).mean()
            fired.append(f"| {name} | {n} | {code} | {share:.0%} |")
        if wanted:
            share = own["failed"].map(lambda failed, w=wanted: bool(set(w) & set(failed))).mean()
            fired.append(f"| {name} | {n} | one of {', '.join(wanted)} | {share:.0%} |")
    return "\n".join(lines + fired)


def main() -> None:
    """Draw the worlds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", required=True)
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--broken", type=int, default=50)
    parser.add_argument("--households", type=int, default=2_500)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--worlds", nargs="*", default=list(WORLDS))
    arguments = parser.parse_args()
    jobs = [
        (name, 1_000 + seed, arguments.households, arguments.profile)
        for name in arguments.worlds
        for seed in range(arguments.replications if WORLDS[name][2] else arguments.broken)
    ]
    with ProcessPoolExecutor(max_workers=arguments.workers) as pool:
        rows = pd.DataFrame(pool.map(look, jobs, chunksize=1))
    print(summary(rows))


if __name__ == "__main__":
    main()
