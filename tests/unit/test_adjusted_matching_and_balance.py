"""Pairs and balance worked by hand, and what does not depend on the order of rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.results import NuisanceValues, TrialData
from promo_uplift.effects.adjusted import (
    BALANCE_COLUMNS,
    balance_summary,
    balance_table,
    caliper_path,
    campaign_samples,
    match_nearest,
    matched_effects,
    trimming_path,
)
from promo_uplift.effects.adjusted.matching import nearest_pairs
from promo_uplift.effects.adjusted.sample import take_rows
from tests.unit.adjusted_worlds import confounded, sample_of

SCORE = np.array([0.0, 1.0, 5.0, 0.4, 1.1, 9.0])
TREATED = np.array([True, True, True, False, False, False])
RANGE = (0.5, 2.0)


@pytest.mark.parametrize(
    ("order", "width", "pairs"),
    [
        # 1.0 goes first and takes 1.1; 0.0 is left with 0.4; 5.0 with 9.0, if that is near enough
        ([1, 0, 2, 3, 4, 5], 0.5, [(1, 4), (0, 3)]),
        ([1, 0, 2, 3, 4, 5], 4.0, [(1, 4), (0, 3), (2, 5)]),
        # 5.0 goes first and takes 1.1 (3.9 < 4.0), so 1.0 has to do with 0.4 and 0.0 with nobody
        ([2, 1, 0, 3, 4, 5], 4.0, [(2, 4), (1, 3)]),
        ([0, 1, 2, 3, 4, 5], 0.05, []),
    ],
)
def test_pairs_by_hand(order, width, pairs):
    treated, control = nearest_pairs(
        score=SCORE, treated=TREATED, order=np.array(order), width=width
    )
    assert list(zip(treated.tolist(), control.tolist(), strict=True)) == pairs


def test_pairs_are_those_of_a_search_over_all():
    rng = np.random.default_rng(0)
    score = np.round(rng.normal(size=400), 2)
    treated = rng.random(400) < 0.6
    order = rng.permutation(400)
    ours = nearest_pairs(score=score, treated=treated, order=order, width=0.3)
    free = set(np.flatnonzero(~treated).tolist())
    distances = []
    for row in order[treated[order]]:
        left = sorted(abs(score[row] - score[one]) for one in free)
        if left and left[0] <= 0.3:
            pair = dict(zip(ours[0].tolist(), ours[1].tolist(), strict=True))[row]
            assert abs(score[row] - score[pair]) == left[0]
            free.remove(pair)
            distances.append(left[0])
    assert len(distances) == len(ours[0]) > 100
    assert len(set(ours[1].tolist())) == len(ours[1])


def test_pairs_stay_within_campaigns_and_do_not_depend_on_the_order_of_rows():
    data, nuisances, _ = confounded(seed=2)
    matching = match_nearest(sample=sample_of(data, nuisances), caliper=0.25, seed=1)
    np.testing.assert_array_equal(data.campaign[matching.treated], data.campaign[matching.control])
    assert (data.treatment[matching.treated] == 1).all()
    assert (data.treatment[matching.control] == 0).all()
    order = np.random.default_rng(3).permutation(len(data.treatment))
    turned = sample_of(take_rows(data=data, rows=order), nuisances.take(order))
    again = match_nearest(sample=turned, caliper=0.25, seed=1)
    pairs = set(zip(matching.treated.tolist(), matching.control.tolist(), strict=True))
    assert pairs == set(zip(order[again.treated], order[again.control], strict=True))
    other = match_nearest(sample=sample_of(data, nuisances), caliper=0.25, seed=2)
    assert pairs != set(zip(other.treated.tolist(), other.control.tolist(), strict=True))


def test_the_pairs_of_a_campaign_are_the_same_alone_and_pooled():
    data, nuisances, _ = confounded(seed=2)
    first, _, pooled = campaign_samples(pooled=sample_of(data, nuisances))
    alone = match_nearest(sample=first, caliper=0.25, seed=1)
    together = match_nearest(sample=pooled, caliper=0.25, seed=1)
    rows = np.flatnonzero(first.rows)
    inside = data.campaign[together.treated] == 8
    np.testing.assert_array_equal(rows[alone.treated], together.treated[inside])
    np.testing.assert_array_equal(rows[alone.control], together.control[inside])


def test_a_wider_caliper_leaves_fewer_alone_and_every_mailed_row_is_counted():
    data, nuisances, _ = confounded(seed=2)
    path = caliper_path(sample=sample_of(data, nuisances), calipers=(0.01, 0.1, 0.5), seed=1)
    plain = path[path["estimator"] == "nearest_neighbour"]
    assert plain["n_unmatched"].is_monotonic_decreasing
    assert plain["n_unmatched"].nunique() == 3
    assert (plain["n_treated"] + plain["n_unmatched"] == data.treatment.sum()).all()
    assert (plain["n"] == 2 * plain["n_treated"]).all()
    assert len(path) == 6


def test_nobody_within_the_caliper_is_a_reason():
    data, nuisances, _ = confounded(n_households=30, seed=2)
    sample = sample_of(data, nuisances)
    matching = match_nearest(sample=sample, caliper=1e-9, seed=1)
    for one in matched_effects(sample=sample, matching=matching):
        assert "none of" in one.estimate.reason
        assert np.isnan(one.estimate.value)
    with pytest.raises(MetricError, match="`caliper` must be above 0"):
        match_nearest(sample=sample, caliper=0.0, seed=1)


def by_hand(covariates, propensity=None):
    n = len(covariates)
    e = np.full(n, 0.5) if propensity is None else np.array(propensity)
    data = TrialData(
        covariates=covariates,
        treatment=np.array([1] * (n // 2) + [0] * (n - n // 2)),
        outcome=np.arange(n, dtype=np.float64),
        redeemed=np.zeros(n),
        groups=np.arange(n),
        campaign=np.full(n, 8),
    )
    return sample_of(data, NuisanceValues(e, np.zeros(n), np.zeros(n)))


def balance(sample, **caliper):
    matching = match_nearest(sample=sample, caliper=caliper.get("caliper", 0.25), seed=0)
    table = balance_table(sample=sample, matching=matching, rank_tolerance=1e-7)
    assert list(table.columns) == list(BALANCE_COLUMNS)
    return table, table.set_index(["method", "covariate"])


def test_balance_by_hand():
    covariates = pd.DataFrame(
        {"x": [1.0, 2.0, 3.0, 2.0, 4.0, 6.0], "same": [1.0] * 6, "gap": [1.0, np.nan, 3, 1, 2, 3]}
    )
    table, found = balance(by_hand(covariates))
    # means 2 and 4, variances 1 and 4
    assert found.loc[("unweighted", "x"), "smd"] == pytest.approx(-2.0 / np.sqrt(2.5))
    assert found.loc[("unweighted", "x"), "variance_ratio"] == pytest.approx(0.25)
    assert found.loc[("unweighted", "same"), "reason"] == "constant"
    assert np.isnan(found.loc[("unweighted", "same"), "smd"])
    # present: 1 and 3 against 1, 2, 3
    assert found.loc[("unweighted", "gap"), "smd"] == pytest.approx(0.0)
    assert found.loc[("unweighted", "gap"), "variance_ratio"] == pytest.approx(2.0)
    assert found.loc[("unweighted", "gap"), "n_missing"] == 1
    # a third of the mailed, none of the others; variance 1/3 and 0
    assert found.loc[("unweighted", "gap is missing"), "smd"] == pytest.approx(
        (1 / 3) / np.sqrt(1 / 6)
    )
    summary = balance_summary(table=table, threshold=0.1, ratio_range=RANGE).set_index("method")
    raw = summary.loc["unweighted"]
    assert raw["max_abs_smd"] == pytest.approx(2.0 / np.sqrt(2.5))
    assert raw["worst_covariate"] == "x"
    assert (raw["n_covariates"], raw["n_undefined"]) == (4, 1)
    assert raw["share_balanced"] == pytest.approx(1 / 3)


def test_weighted_balance_by_hand():
    covariates = pd.DataFrame({"x": [0.0, 1.0, 0.0, 1.0]})
    _, found = balance(by_hand(covariates, propensity=[0.8, 0.5, 0.8, 0.5]))
    # controls weigh e / (1 - e) = 4 and 1: mean 1/5; the mailed keep 1/2; variances are 1/2
    att = found.loc[("ipw_att", "x")]
    assert (att["mean_treated"], att["mean_control"]) == pytest.approx((0.5, 0.2))
    assert att["smd"] == pytest.approx(0.3 / np.sqrt(0.5))
    # mailed 1/e: 1.25 and 2; controls 1/(1-e): 5 and 2
    ate = found.loc[("ipw_ate", "x")]
    assert (ate["mean_treated"], ate["mean_control"]) == pytest.approx((2 / 3.25, 2 / 7))
    ato = found.loc[("ato", "x")]
    assert (ato["mean_treated"], ato["mean_control"]) == pytest.approx((0.5 / 0.7, 0.5 / 1.3))


def test_matching_and_weights_balance_what_was_not():
    data, nuisances, _ = confounded(n_households=3_000, seed=5)
    table, found = balance(sample_of(data, nuisances), caliper=0.1)
    assert found.loc[("unweighted", "a"), "smd"] > 0.5
    for method in ("ipw_ate", "ipw_att", "ato", "matched"):
        for name in ("a", "b"):
            assert abs(found.loc[(method, name), "smd"]) < 0.1
    summary = balance_summary(table=table, threshold=0.1, ratio_range=RANGE).set_index("method")
    assert summary.loc["matched", "share_balanced"] == 1.0
    assert summary.loc["unweighted", "share_balanced"] == 0.0


def test_balance_of_one_arm_is_refused():
    data, nuisances, _ = confounded(n_households=20)
    sample = sample_of(replace(data, treatment=np.ones_like(data.treatment)), nuisances)
    matching = match_nearest(sample=sample, caliper=0.1, seed=0)
    with pytest.raises(MetricError, match="must hold both arms; 40 of 40"):
        balance_table(sample=sample, matching=matching, rank_tolerance=1e-7)


def test_the_trimming_path_keeps_what_it_says():
    data, nuisances, cate = confounded(n_households=6_000, slope=4.0, seed=6)
    e = nuisances.propensity
    path = trimming_path(sample=sample_of(data, nuisances), trims=(0.0, 0.1, 0.25))
    assert len(path) == 6
    for trim, part in path.groupby("trim"):
        kept = (e >= trim) & (e <= 1 - trim)
        rows = part.set_index("estimand")
        assert (rows["n"] == kept.sum()).all()
        assert (rows["n_dropped"] == (~kept).sum()).all()
        for estimand, population in (("ate", kept), ("att", kept & (data.treatment == 1))):
            one = rows.loc[estimand]
            assert abs(one["estimate"] - cate[population].mean()) < 3.5 * one["se"]
    with pytest.raises(MetricError, match=r"`trims` must lie in \[0, 0.5\), found \[0.5\]"):
        trimming_path(sample=sample_of(data, nuisances), trims=(0.1, 0.5))


def test_a_trim_that_keeps_nobody_is_a_reason():
    data, nuisances, _ = confounded(n_households=20)
    raw = np.full(len(data.treatment), 0.01)
    path = trimming_path(sample=sample_of(data, nuisances, raw), trims=(0.2,))
    assert path["reason"].tolist() == ["one arm only: 0 of 0 rows were mailed"] * 2
