"""What a ranking, a policy and an interval are judged to be, against closed forms."""

import numpy as np
import pandas as pd
import pytest
from benchmark_worlds import spend_world

from promo_uplift.benchmark.judge import (
    Judgements,
    Question,
    judge_cate,
    judge_effects,
    judge_groups,
    judge_policy,
    judge_ranking,
)
from promo_uplift.benchmark.textbook import spend_trials
from promo_uplift.benchmark.truth import (
    sample_folds,
    true_averages,
    true_policies,
    true_profit,
    true_ranking,
    true_share_profit,
)
from promo_uplift.checks.report import default_check_parameters
from promo_uplift.contracts.parameters import (
    MetricParameters,
    PolicyParameters,
)
from promo_uplift.contracts.results import CrossFittedNuisances, Interval, TrialTruth
from promo_uplift.effects import cross_section_effects
from promo_uplift.metrics import ranking_metrics
from promo_uplift.policy import PolicyCandidates, evaluate_policy, policy_scores

FOLDS = 3
POLICY = PolicyParameters(
    margin_rate=0.5,
    contact_cost_usd=4.0,
    redemption_cost_usd=0.0,
    values_are_assumptions=True,
    grid_points=101,
    support_quantile=0.0,
)
METRICS = MetricParameters(uplift_shares=[0.2], level=0.95, bootstrap_replicates=50)
CHECKS = default_check_parameters()


def brute_force_areas(cate, ranking, fold):
    """Mean gain of the top k rows, for each k and fold, by definition and without ties."""
    auuc = qini = 0.0
    for number in np.unique(fold):
        ordered = cate[fold == number][np.argsort(-ranking[fold == number])]
        n = len(ordered)
        gains = np.r_[0.0, np.cumsum(ordered)] / n
        area = np.trapezoid(gains, dx=1.0 / n)
        auuc += area * n / len(cate)
        qini += (area - gains[-1] / 2.0) * n / len(cate)
    return auuc, qini


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(8)
    groups = np.arange(240)
    fold = rng.permutation(groups % FOLDS)
    return {
        "cate": rng.normal(5.0, 10.0, 240),
        "ranking": rng.normal(size=240),
        "fold": fold,
        "groups": groups,
        "folds": sample_folds(fold=fold, groups=groups),
    }


def truth_of(cate, propensity=0.5):
    n = len(cate)
    return TrialTruth(
        cate=cate, propensity=np.full(n, propensity), mu0=np.zeros(n), mu1=np.asarray(cate)
    )


def question_of(cate, data=None):
    return Question(
        data=data, truth=truth_of(cate), metrics=METRICS, checks=CHECKS, policy=POLICY, quantiles=5
    )


def test_true_areas_of_a_ranking_are_those_by_definition(rows):
    found = true_ranking(cate=rows["cate"], ranking=rows["ranking"], folds=rows["folds"])
    expected = brute_force_areas(rows["cate"], rows["ranking"], rows["fold"])
    assert (found.auuc, found.qini) == pytest.approx(expected)


def test_nobody_ranks_better_than_the_truth(rows):
    oracle = true_ranking(cate=rows["cate"], ranking=rows["cate"], folds=rows["folds"])
    assert oracle.calibration_slope == pytest.approx(1.0)
    rng = np.random.default_rng(1)
    for _ in range(20):
        other = rows["cate"] + rng.normal(0.0, 5.0, 240)
        assert true_ranking(cate=rows["cate"], ranking=other, folds=rows["folds"]).qini < (
            oracle.qini
        )


def test_the_qini_of_a_linear_effect_ranked_right_is_a_twelfth_of_its_range():
    cate = np.linspace(0.0, 12.0, 3_000)
    fold = np.zeros(3_000, dtype=np.int64)
    folds = sample_folds(fold=fold, groups=np.arange(3_000))
    found = true_ranking(cate=cate, ranking=cate, folds=folds)
    assert found.qini == pytest.approx(1.0, abs=1e-3)
    assert found.auuc == pytest.approx(1.0 + 6.0 / 2.0, abs=1e-3)


def test_the_oracle_contacts_those_who_pay_and_has_no_regret(rows):
    profit = true_profit(truth=truth_of(rows["cate"]), parameters=POLICY)
    np.testing.assert_allclose(profit, 0.5 * rows["cate"] - 4.0)
    best = true_policies(profit=profit)
    assert best.oracle == pytest.approx(np.where(profit > 0, profit, 0.0).mean())
    assert best.everybody == pytest.approx(profit.mean())
    assert best.best_simple == max(0.0, best.everybody)
    shares = [(profit[part.rows] > 0.0).mean() for part in rows["folds"]]
    value = true_share_profit(
        profit=profit, rankings=[profit] * FOLDS, shares=shares, folds=rows["folds"]
    )
    assert value == pytest.approx(best.oracle)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_true_profit_of_a_share_is_the_mean_over_its_top_rows(rows, share):
    profit = rows["cate"] - 3.0
    expected = 0.0
    for number in range(FOLDS):
        inside = profit[rows["fold"] == number]
        ranking = rows["ranking"][rows["fold"] == number]
        top = np.argsort(-ranking)[: round(share * len(inside))]
        expected += inside[top].sum() / len(profit)
    found = true_share_profit(
        profit=profit,
        rankings=[rows["ranking"]] * FOLDS,
        shares=[share] * FOLDS,
        folds=rows["folds"],
    )
    assert found == pytest.approx(expected)


def test_each_average_is_true_of_its_own_population():
    truth = TrialTruth(
        cate=np.array([1.0, 2.0, 4.0]),
        propensity=np.array([0.5, 0.5, 0.1]),
        mu0=np.zeros(3),
        mu1=np.array([1.0, 2.0, 4.0]),
    )
    found = true_averages(
        truth=truth,
        treatment=np.array([0, 1, 1]),
        in_overlap=np.array([True, False, True]),
    )
    assert found["aipw_ate"] == found["naive_difference"] == pytest.approx(7.0 / 3.0)
    assert found["aipw_att"] == pytest.approx(3.0)
    assert found["aipw_ate_overlap"] == pytest.approx(2.5)
    assert found["ato"] == pytest.approx((0.25 * 1 + 0.25 * 2 + 0.09 * 4) / 0.59)


def table_of(judgements):
    return judgements.table().set_index(["subject", "figure"])


@pytest.mark.parametrize(
    ("truth", "covered"), [(1.0, True), (2.0, True), (2.0 + 1e-6, False), (0.9, False)]
)
def test_an_interval_covers_the_truth_or_does_not(truth, covered):
    found = Judgements()
    found.interval("s", "f", Interval(1.5, 1.0, 2.0), truth)
    assert found.table()["covered"].tolist() == [covered]


def test_without_an_interval_or_a_truth_nothing_is_said_of_coverage():
    found = Judgements()
    found.add("s", "f", 1.0)
    found.interval("s", "g", Interval(1.5, np.nan, np.nan), 1.0)
    found.interval("s", "h", Interval(1.5, 1.0, 2.0), np.nan)
    assert found.table()["covered"].isna().all()


def test_the_error_of_effects_is_their_root_mean_square():
    cate = np.array([0.0, 2.0, 4.0])
    found = Judgements()
    judge_cate(
        rows=found,
        question=question_of(cate),
        cates={"zero": np.zeros(3), "constant": np.full(3, 2.0), "mine": cate + 1.0},
    )
    values = table_of(found)["value"]
    assert values["mine", "pehe_usd"] == pytest.approx(1.0)
    assert values["mine", "cate_bias_usd"] == pytest.approx(1.0)
    assert values["mine", "pehe_over_constant"] == pytest.approx(1.0 / np.sqrt(8.0 / 3.0))
    assert values["mine", "pehe_over_zero"] == pytest.approx(1.0 / np.sqrt(20.0 / 3.0))


def test_an_error_is_not_compared_with_a_baseline_that_has_none():
    found = Judgements()
    judge_cate(
        rows=found,
        question=question_of(np.full(3, 2.0)),
        cates={"zero": np.zeros(3), "constant": np.full(3, 2.0)},
    )
    figures = set(found.table()["figure"])
    assert "pehe_over_zero" in figures
    assert "pehe_over_constant" not in figures


@pytest.fixture(scope="module")
def world():
    """A world analysed with its own true nuisances, so that every judgement has a known answer."""
    data, truth = spend_trials(
        world=spend_world(effect="sign_changing", effect_usd=15.0, n_campaigns=2),
        n_households=600,
        rng=np.random.default_rng(6),
    )

    def wide(values):
        return np.repeat(np.asarray(values, dtype=np.float64)[:, np.newaxis], FOLDS, axis=1)

    n = len(data.treatment)
    nuisances = CrossFittedNuisances(
        fold=data.groups % FOLDS,
        propensity=wide(truth.propensity),
        mu0=wide(truth.mu0),
        mu1=wide(truth.mu1),
        redemption=wide(np.zeros(n)),
        raw_propensity_held_out=truth.propensity,
        n_clipped=0,
        clip=0.02,
        tuned=pd.DataFrame(),
    )
    question = Question(
        data=data, truth=truth, metrics=METRICS, checks=CHECKS, policy=POLICY, quantiles=5
    )
    return question, nuisances


def test_average_effects_are_held_against_their_own_truth(world):
    question, nuisances = world
    effects = cross_section_effects(
        data=question.data,
        nuisances=nuisances.held_out(),
        raw_propensity=nuisances.raw_propensity_held_out,
        overlap_low=0.1,
        overlap_high=0.9,
        level=0.95,
    )
    found = Judgements()
    judge_effects(rows=found, question=question, nuisances=nuisances, effects=effects)
    table = table_of(found)
    truth = question.truth
    att = truth.cate[question.data.treatment == 1].mean()
    assert table.loc[("aipw_att", "effect_usd"), "truth"] == pytest.approx(att)
    row = effects[(effects["estimand"] == "aipw_ate") & (effects["campaign"] == "pooled")].iloc[0]
    mde = table.loc[("aipw_ate", "mde_usd"), "value"]
    assert mde == pytest.approx((1.959964 + 0.841621) * row["se"], rel=1e-5)
    assert table.loc[("run", "overlap_passes"), "value"] == 1.0
    assert table.loc[("run", "rows"), "value"] == 1_200


def test_the_oracles_ranking_and_groups_have_no_regret_and_the_true_means(world):
    question, nuisances = world
    cate = question.truth.cate
    folds = sample_folds(fold=nuisances.fold, groups=question.data.groups)
    noise = np.random.default_rng(2).normal(size=len(cate))
    ranking = ranking_metrics(
        scores=cate,
        rankings={
            "oracle": cate,
            **dict.fromkeys(("noise", "random", "response", "constant"), noise),
        },
        fold=nuisances.fold,
        groups=question.data.groups,
        parameters=METRICS,
        rng=np.random.default_rng(3),
    )
    found = Judgements()
    for name, ranked in {"oracle": cate, "noise": noise}.items():
        judge_ranking(
            rows=found,
            question=question,
            folds=folds,
            learner=name,
            cate=ranked,
            ranking=ranking,
        )
        judge_groups(rows=found, question=question, nuisances=nuisances, learner=name, cate=ranked)
    table = table_of(found)
    assert table.loc[("oracle", "qini_regret_usd"), "value"] == pytest.approx(0.0)
    assert table.loc[("oracle", "qini_normalised"), "value"] == pytest.approx(1.0)
    assert table.loc[("oracle", "finds_heterogeneity"), ["value", "truth"]].tolist() == [1.0, 1.0]
    assert abs(table.loc[("noise", "qini_normalised"), "value"]) < 0.2
    tops = [cate[part.rows][np.argsort(cate[part.rows])][-80:] for part in folds]
    top = table.loc[("oracle", "group_5_of_5_usd"), "truth"]
    assert top == pytest.approx(np.concatenate(tops).mean())


def test_the_oracles_policy_earns_what_it_says_and_targets_rightly(world):
    question, nuisances = world
    scores = policy_scores(data=question.data, nuisances=nuisances, parameters=POLICY)
    cate = np.repeat(question.truth.cate[:, np.newaxis], FOLDS, axis=1)
    evaluation = evaluate_policy(
        scores=scores,
        candidates=PolicyCandidates(
            cate={"oracle": cate}, losses={"oracle": np.zeros_like(cate)}, response=cate
        ),
        fold=nuisances.fold,
        groups=question.data.groups,
        parameters=POLICY,
        intervals=METRICS,
        rng=np.random.default_rng(1),
    )
    found = Judgements()
    judge_policy(
        rows=found,
        question=question,
        folds=sample_folds(fold=nuisances.fold, groups=question.data.groups),
        subject="oracle",
        evaluation=evaluation,
        cates={"oracle": cate},
        held_out={"oracle": question.truth.cate},
    )
    table = table_of(found)
    profit = 0.5 * question.truth.cate - 4.0
    expected = 0.0
    for number in range(FOLDS):
        inside = profit[nuisances.fold == number]
        share = evaluation.share_by_fold[number]
        gains = np.r_[0.0, np.cumsum(np.sort(inside)[::-1])] / len(inside)
        grid = np.linspace(0.0, 1.0, len(gains))
        expected += np.interp(share, grid, gains) * len(inside) / len(profit)
    assert table.loc[("oracle", "profit_usd"), "truth"] == pytest.approx(expected)
    regret = table.loc[("oracle", "policy_regret_usd"), "value"]
    assert regret == pytest.approx(np.maximum(profit, 0.0).mean() - expected)
    assert 0.0 <= regret < 0.5 * np.maximum(profit, 0.0).mean()
    assert table.loc[("oracle", "targeting_pays"), "truth"] == 1.0
