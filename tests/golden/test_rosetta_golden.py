"""Every row of the Rosetta table equals what the named library returns on the same ranking."""

import importlib.util
import logging

import numpy as np
import pandas as pd
import pytest
from econml.validate.utils import calc_uplift
from sklift import metrics as sklift

from promo_uplift.metrics import rosetta_table
from promo_uplift.metrics.rosetta_definitions import (
    RankedSample,
    ranked_order,
    sklift_qini_curve,
    sklift_uplift_curve,
)

SHARES = (0.1, 0.3)
SIZES = (7, 8, 30, 101, 1000, 5000)
SHARES_TREATED = (0.5, 0.1, 0.9)
KINDS = ("distinct", "ties", "two values", "constant")

needs_causalml = pytest.mark.skipif(
    importlib.util.find_spec("causalml") is None, reason="causalml has no wheel for Python 3.13"
)
logging.getLogger("causalml").setLevel(logging.ERROR)
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*stable_cumsum"),
    pytest.mark.filterwarnings("ignore:Mean of empty slice"),
    pytest.mark.filterwarnings("ignore:invalid value encountered"),
    pytest.mark.filterwarnings("ignore:divide by zero encountered"),
]


def world(*, n, share, kind, binary, seed):
    """One ranking with treatment, outcome and scores; both arms and both outcomes occur."""
    rng = np.random.default_rng([n, round(100 * share), KINDS.index(kind), binary, seed])
    ranking = {
        "distinct": rng.normal(size=n),
        "ties": rng.integers(0, max(2, n // 4), n) / 7.0,
        "two values": rng.integers(0, 2, n).astype(float),
        "constant": np.full(n, 0.3),
    }[kind]
    treatment = (rng.random(n) < share).astype(np.int64)
    treatment[rng.permutation(n)[:2]] = [0, 1]
    outcome = ranking * treatment + rng.normal(0, 2, n)
    if binary:
        outcome = (outcome > np.median(outcome)).astype(float)
        outcome[rng.permutation(n)[:2]] = [0, 1]
    return ranking, treatment, outcome, ranking + rng.normal(0, 3, n)


def worlds(*, binary):
    for n in SIZES:
        for share in SHARES_TREATED:
            for kind in KINDS:
                for seed in range(2 if n < 1000 else 1):
                    yield world(n=n, share=share, kind=kind, binary=binary, seed=seed)


def found(ranking, treatment, outcome, scores, library, **more):
    table = rosetta_table(
        ranking=ranking,
        treatment=treatment,
        outcome=outcome,
        scores=scores,
        uplift_shares=SHARES,
        **more,
    )
    return table.loc[table["library"] == library].set_index("function")["value"]


def demand_equal(ours, theirs):
    """To 1e-10 of the number's size; what they leave undefined is undefined here."""
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(float(value), rel=1e-10, abs=1e-10, nan_ok=True), name


def theirs_of_sklift(ranking, treatment, outcome):
    x, y = sklift.qini_curve(outcome, ranking, treatment)
    numbers = {
        "qini_curve": np.trapezoid(y, x) - x[-1] * y[-1] / 2,
        "uplift_auc_score": sklift.uplift_auc_score(outcome, ranking, treatment),
    }
    for negative in (True, False):
        try:
            value = sklift.qini_auc_score(outcome, ranking, treatment, negative_effect=negative)
        except (ValueError, ZeroDivisionError):  # its curve runs backwards, or the best one is flat
            value = np.nan
        numbers[f"qini_auc_score(negative_effect={negative})"] = value
    for strategy in ("overall", "by_group"):
        for k in SHARES:
            numbers[f"uplift_at_k(strategy='{strategy}', k={k:g})"] = sklift.uplift_at_k(
                outcome, ranking, treatment, strategy=strategy, k=k
            )
    return numbers


def test_scikit_uplift():
    checked = 0
    for ranking, treatment, outcome, scores in worlds(binary=True):
        ours = found(ranking, treatment, outcome, scores, "scikit-uplift")
        demand_equal(dict(ours), theirs_of_sklift(ranking, treatment, outcome))
        checked += 1
    assert checked > 100


def test_scikit_uplift_curves_point_by_point():
    for ranking, treatment, outcome, _ in worlds(binary=True):
        order = ranked_order(ranking=ranking, order="stable_reversed")
        sample = RankedSample.of(
            ranking=ranking[order],
            treatment=treatment[order].astype(float),
            outcome=outcome[order],
            scores=None,
        )
        for ours, theirs in (
            (sklift_qini_curve, sklift.qini_curve),
            (sklift_uplift_curve, sklift.uplift_curve),
        ):
            for mine, its in zip(ours(sample), theirs(outcome, ranking, treatment), strict=True):
                np.testing.assert_allclose(mine, its, rtol=1e-12, atol=1e-10)


def test_scikit_uplift_refuses_what_the_table_calls_not_defined():
    ranking, treatment, outcome, scores = world(
        n=50, share=0.5, kind="distinct", binary=False, seed=0
    )
    with pytest.raises(ValueError, match="shapes"):
        sklift.qini_auc_score(outcome, ranking, treatment)
    table = rosetta_table(ranking=ranking, treatment=treatment, outcome=outcome, scores=scores)
    theirs = table.loc[table["library"] == "scikit-uplift"]
    assert theirs["value"].isna().all()
    assert theirs["note"].str.contains("0 and 1 only").all()


def theirs_of_causalml(ranking, treatment, outcome, scores):
    metrics = pytest.importorskip("causalml.metrics")
    frame = pd.DataFrame({"y": outcome, "w": treatment, "model": ranking})
    with_scores = frame.assign(G=scores)
    numbers = {}
    for table, extra, more in (
        (frame, "", {}),
        (with_scores, ", treatment_effect_col=G", {"treatment_effect_col": "G"}),
    ):
        for normalise in (True, False):
            for name, function in (
                ("qini_score", metrics.qini_score),
                ("auuc_score", metrics.auuc_score),
            ):
                numbers[f"{name}(normalize={normalise}{extra})"] = function(
                    table, normalize=normalise, **more
                )["model"]
        for weighting in ("autoc", "qini"):
            numbers[f"rate_score(weighting='{weighting}'{extra})"] = metrics.rate_score(
                table, weighting=weighting, **more
            )["model"]
    return numbers


@needs_causalml
@pytest.mark.parametrize("binary", [True, False], ids=["binary", "continuous"])
def test_causalml(binary):
    checked = 0
    for ranking, treatment, outcome, scores in worlds(binary=binary):
        ours = found(ranking, treatment, outcome, scores, "causalml")
        demand_equal(dict(ours), theirs_of_causalml(ranking, treatment, outcome, scores))
        checked += 1
    assert checked > 100


@needs_causalml
def test_causalml_with_another_column_before_ours():
    """Its random line ends where the first column's curve ends: the same point for every column."""
    metrics = pytest.importorskip("causalml.metrics")
    ranking, treatment, outcome, scores = world(
        n=200, share=0.3, kind="distinct", binary=False, seed=1
    )
    noise = np.random.default_rng(0).normal(size=200)
    frame = pd.DataFrame({"y": outcome, "w": treatment, "first": noise, "model": ranking})
    ours = found(ranking, treatment, outcome, scores, "causalml")
    for normalise in (True, False):
        assert ours[f"qini_score(normalize={normalise})"] == pytest.approx(
            metrics.qini_score(frame, normalize=normalise)["model"], rel=1e-9
        )


@pytest.mark.parametrize("apart", [False, True], ids=["same rows", "training rows apart"])
def test_econml(apart):
    for ranking, treatment, outcome, scores in worlds(binary=False):
        training = ranking
        if apart:
            training = ranking + np.random.default_rng(3).normal(0, 0.1, len(ranking))
        ours = found(
            ranking,
            treatment,
            outcome,
            scores,
            "econml",
            **({"training_ranking": training} if apart else {}),
        )
        theirs = {
            f"DRTester.evaluate_uplift(metric='{metric}')": calc_uplift(
                training[:, None],
                ranking[:, None],
                scores[:, None],
                np.linspace(5, 95, 50),
                metric,
                n_bootstrap=2,
            )[0]
            for metric in ("qini", "toc")
        }
        demand_equal(dict(ours), theirs)


def test_grf_by_its_definition():
    """TOC(k/n) = mean of the first k scores less the mean, tied scores averaged; loops."""
    for ranking, treatment, outcome, scores in worlds(binary=False):
        if len(ranking) > 101:
            continue
        n = len(ranking)
        averaged = np.array([scores[ranking == value].mean() for value in ranking])
        order = sorted(range(n), key=lambda row: -ranking[row])
        toc = [averaged[order[:k]].mean() - scores.mean() for k in range(1, n + 1)]
        theirs = {
            "rank_average_treatment_effect(target='AUTOC')": sum(toc) / n,
            "rank_average_treatment_effect(target='QINI')": sum(
                k / n * value for k, value in enumerate(toc, start=1)
            )
            / n,
        }
        demand_equal(dict(found(ranking, treatment, outcome, scores, "grf")), theirs)


def test_ten_bin_curves_by_loops():
    """The 10-bin definitions as their notebooks state them, on the arms inside each top tenth."""
    for ranking, treatment, outcome, scores in worlds(binary=False):
        n = len(ranking)
        order = np.argsort(-ranking)
        lifts, gains = [], []
        for tenth in range(1, 11):
            top = order[: int(n * tenth / 10)]
            arms = [outcome[top][treatment[top] == arm] for arm in (1, 0)]
            sizes = [len(arm) for arm in arms]
            lifts.append(arms[0].mean() - arms[1].mean() if min(sizes) else 0.0)
            gains.append(arms[0].sum() - arms[1].sum() * sizes[0] / sizes[1] if sizes[1] else 0.0)
        share = np.arange(1, 11) / 10
        whole = outcome[treatment == 1].sum() - outcome[treatment == 0].sum() * (
            treatment.sum() / (1 - treatment).sum()
        )
        theirs = {
            "compute_auuc": np.trapezoid(lifts, share),
            "compute_qini_coef": np.trapezoid(gains, share) - np.trapezoid(share * whole, share),
        }
        demand_equal(dict(found(ranking, treatment, outcome, scores, "ten-bin notebooks")), theirs)
