"""A trial table with a known effect, analysed as it should be, and the facts that this yields.

Spenders are mailed more often, so raw differences of the arms mislead; who responds is another
matter than who spends. Nuisances and effects are linear, as the truth is, and held out twice.
"""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from promo_uplift import checks
from promo_uplift.contracts.results import Interval, NuisanceValues
from promo_uplift.effects import clustered_mean, manski_bounds
from promo_uplift.metrics.drift import Predictions
from promo_uplift.nuisance.scores import dr_scores

LEVEL, FOLDS = 0.95, 4
MARGIN, CONTACT_USD = 0.3, 2.5
NAMES = ("spend", "response", "visits", "noise")
#: First day of the campaign that comes next.
NEXT = dt.date(2017, 8, 8)


@dataclass(frozen=True)
class World:
    """Rows of a log, what an honest analysis makes of them, and the truth."""

    covariates: pd.DataFrame
    treatment: np.ndarray
    outcome: np.ndarray
    groups: np.ndarray
    fold: np.ndarray
    effect: np.ndarray
    true_scores: np.ndarray
    scores: np.ndarray
    cate: np.ndarray
    contact_cost: np.ndarray

    @property
    def selected(self):
        """Whom the held-out predictions would mail."""
        return MARGIN * self.cate > CONTACT_USD

    def profit(self, scores):
        return MARGIN * scores - CONTACT_USD


def design(x):
    return np.column_stack([np.ones(len(x)), x])


def least_squares(x, y, at):
    return design(at) @ np.linalg.lstsq(design(x), y, rcond=None)[0]


def nuisances(x, t, y, at):
    """Linear outcome models and a logit, fitted on (x, t, y), at other rows."""
    logit = LogisticRegression(C=1e6).fit(x, t)
    return NuisanceValues(
        propensity=np.clip(logit.predict_proba(at)[:, 1], 0.08, 0.92),
        mu0=least_squares(x[t == 0], y[t == 0], at),
        mu1=least_squares(x[t == 1], y[t == 1], at),
    )


def scores_of(x, t, y, fold):
    """Doubly robust scores, each row by models of the other folds."""
    scores = np.empty(len(y))
    for k in np.unique(fold):
        out, inside = fold != k, fold == k
        scores[inside] = dr_scores(
            treatment=t[inside],
            outcome=y[inside],
            nuisances=nuisances(x[out], t[out], y[out], x[inside]),
        )
    return scores


def world(seed, *, rows=1_500, effect=1.0):
    rng = np.random.default_rng(seed)
    groups = np.sort(rng.integers(0, int(0.8 * rows), rows))
    x = rng.normal(size=(rows, len(NAMES)))
    propensity = np.clip(expit(0.9 * x[:, 0]), 0.1, 0.9)
    t = rng.binomial(1, propensity)
    tau = effect * (10.0 + 12.0 * x[:, 1])
    mu0 = 100.0 + 30.0 * x[:, 0] + 8.0 * x[:, 2]
    y = mu0 + t * tau + rng.normal(scale=30.0, size=rows)
    fold = rng.integers(0, FOLDS, groups.max() + 1)[groups]
    cate = np.empty(rows)
    for k in range(FOLDS):
        out = fold != k
        inner = scores_of(x[out], t[out], y[out], fold[out])
        cate[~out] = least_squares(x[out], inner, x[~out])
    redeems = rng.random(rows) < 0.25
    return World(
        covariates=pd.DataFrame(x, columns=list(NAMES)),
        treatment=t,
        outcome=y,
        groups=groups,
        fold=fold,
        effect=tau,
        true_scores=dr_scores(
            treatment=t, outcome=y, nuisances=NuisanceValues(propensity, mu0, mu0 + tau)
        ),
        scores=scores_of(x, t, y, fold),
        cate=cate,
        contact_cost=np.where(redeems, rng.gamma(4.0, 3.0, rows), 0.0)[t == 1],
    )


# ------------------------------------------------------------------- what an honest analysis states


def total_interval(world, values):
    mean = clustered_mean(values=values, groups=world.groups).interval(level=LEVEL)
    n = len(values)
    return Interval(n * mean.estimate, n * mean.ci_low, n * mean.ci_high)


def shares_and_gain(world, scores):
    order = np.argsort(-world.cate, kind="stable")
    n = len(order)
    return np.arange(1, n + 1) / n, np.cumsum(scores[order]) / n


def quarters(world):
    """Segments by the covariate that tells who responds, with the scores of each."""
    rank = world.covariates["response"].rank(pct=True).to_numpy()
    return np.minimum((4 * rank).astype(int), 3)


def effects_table(world):
    rows = []
    for number in range(4):
        inside = quarters(world) == number
        mean = clustered_mean(values=world.scores[inside], groups=world.groups[inside])
        found = mean.interval(level=LEVEL)
        rows.append([f"quarter {number + 1}", mean.estimate, mean.se, found.ci_low, found.ci_high])
    return pd.DataFrame(rows, columns=["name", "estimate", "se", "ci_low", "ci_high"])


def segment_table(world):
    table = effects_table(world)
    profit = {
        "profit": MARGIN * table["estimate"] - CONTACT_USD,
        "profit_ci_low": MARGIN * table["ci_low"] - CONTACT_USD,
        "profit_ci_high": MARGIN * table["ci_high"] - CONTACT_USD,
    }
    share = [float((quarters(world) == number).mean()) for number in range(4)]
    segments = table[["name"]].assign(share=share, **profit)
    action = np.where(segments["profit_ci_low"] > 0.0, "mail", "experiment")
    return segments.assign(action=np.where(segments["profit_ci_high"] < 0.0, "none", action))


def average(world):
    return clustered_mean(values=world.scores, groups=world.groups).interval(level=LEVEL)


def contrast(world, name):
    """Effect above the median of a covariate less the effect below it."""
    column = world.covariates[name].to_numpy()
    above = column > np.median(column)
    moment = world.scores * np.where(above, 1.0 / above.mean(), -1.0 / (1.0 - above.mean()))
    return clustered_mean(values=moment, groups=world.groups).interval(level=LEVEL)


def standardised_e_value(effect, sd):
    ratio = np.exp(0.91 * abs(effect) / sd)
    return float(ratio + np.sqrt(ratio**2 - ratio))


def holm(p_values):
    """Which p-values stand at 5 % in all, step by step."""
    stands = np.zeros(len(p_values), dtype=bool)
    for step, row in enumerate(np.argsort(p_values)):
        if p_values[row] >= 0.05 / (len(p_values) - step):
            break
        stands[row] = True
    return stands


def outcome_model(world, columns):
    table = world.covariates.assign(treatment=world.treatment)
    fitted = np.linalg.lstsq(design(table[columns]), world.outcome, rcond=None)[0]
    return lambda rows: design(rows[columns]) @ fitted


def next_campaign(world, *, scores=None, trained_until=NEXT - dt.timedelta(days=1)):
    """Half of the folds are the past, the others the campaign after it."""
    scores = world.scores if scores is None else scores
    x, ahead = world.covariates.to_numpy(), world.fold >= FOLDS // 2
    past, held_out = ~ahead, np.empty(len(ahead))
    for k in range(FOLDS // 2):
        inside, out = world.fold == k, past & (world.fold != k)
        held_out[inside] = least_squares(x[out], world.scores[out], x[inside])
    frozen = least_squares(x[past], world.scores[past], x[ahead])
    return checks.NextCampaigns.of(
        campaigns={13: Predictions(scores[ahead], frozen, world.groups[ahead])},
        past={13: Predictions(world.scores[past], held_out[past], world.groups[past])},
        time_zero={13: NEXT},
        trained_until={13: trained_until},
        level=LEVEL,
    )


def clean_facts(world):
    """One fact for each check of rankings, policies and reports, all as they should be."""
    effect, table = average(world), effects_table(world)
    share, gain = shares_and_gain(world, world.true_scores)
    sd = float(world.outcome.std())
    test = world.fold == 0
    p_values = 2.0 * norm.sf(np.abs(table["estimate"].to_numpy() / table["se"].to_numpy()))
    profit = np.where(world.selected, world.profit(world.true_scores), 0.0)
    bounds = [
        manski_bounds(treatment=world.treatment[inside], outcome=world.outcome[inside])
        for inside in (quarters(world) == number for number in range(4))
    ]
    crosses = effect.ci_low <= 0.0 <= effect.ci_high
    near = 0.0 if crosses else min(abs(effect.ci_low), abs(effect.ci_high))
    return (
        checks.RankingScore.of(
            ranking=world.cate,
            treatment=world.treatment,
            outcome=world.outcome,
            definition="dr_auuc",
            scores=world.scores,
        ),
        checks.GainCurveEnd.of(share=share, gain=gain, scores=world.scores, groups=world.groups),
        checks.PredictedEffectSlope.of(
            scores=world.scores,
            cate=world.cate,
            fold=world.fold,
            groups=world.groups,
            level=LEVEL,
            replicates=100,
            seed=1,
        ),
        checks.OutcomeModel.of_model(
            predict=outcome_model(world, list(NAMES)),
            table=world.covariates.assign(treatment=world.treatment),
            treatment_name="treatment",
            seed=1,
        ),
        checks.ForestIntervals.of([{"honest": True}], has_intervals=True),
        checks.HouseholdUse.of(
            evaluated=world.groups[test],
            fitted=world.groups[~test],
            tuned=world.groups[~test],
            scored=world.groups[~test],
            chose=world.groups[~test],
        ),
        checks.ReportedProfit.of(
            reported=total_interval(world, profit),
            profit_scores=world.profit(world.scores),
            selected=world.selected,
            groups=world.groups,
            level=LEVEL,
        ),
        checks.ContactCost.of(
            charged_usd=round(float(world.contact_cost.mean()), 2), cost_usd=world.contact_cost
        ),
        checks.CouponFunding.of(
            charged_usd=0.15 * float(world.contact_cost.sum()),
            retailer_usd=0.15 * world.contact_cost,
            reimbursed_usd=0.85 * world.contact_cost,
        ),
        checks.StatedEValue.of(
            stated=round(standardised_e_value(effect.estimate, sd), 2),
            stated_limit=round(standardised_e_value(near, sd), 2),
            effect=effect,
            outcome_sd=sd,
        ),
        checks.EffectBounds(
            estimate=table["estimate"].to_numpy(),
            low=np.array([one.low for one in bounds]),
            high=np.array([one.high for one in bounds]),
        ),
        checks.PublishedEffects.of(table),
        checks.StatedFigures.of(
            stated={"effect": f"${effect.estimate:.2f}", "mailed": f"{world.treatment.mean():.1%}"},
            computed={"effect": effect.estimate, "mailed": float(world.treatment.mean())},
        ),
        checks.SegmentActions.of(segment_table(world)),
        checks.Claims.of(checks.Claim("responders respond", "above", contrast(world, "response"))),
        checks.PickedFindings(p_values, holm(p_values)),
        next_campaign(world),
    )


def with_fact(facts, planted):
    """The same facts with one of them replaced."""
    return tuple(planted if type(fact) is type(planted) else fact for fact in facts)
