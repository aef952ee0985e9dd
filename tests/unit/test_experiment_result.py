"""What comes back is held to the lots; what it says is what least squares say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import chisquare, norm
from test_experiment_lots import drawn
from test_experiment_plan import MONEY, NO_MONEY, WORDING, design

from promo_uplift.analysis import conclude_experiment, experiment_verdict_text
from promo_uplift.contracts.errors import ExperimentError
from promo_uplift.contracts.money import Distribution
from promo_uplift.experiments import (
    analyse_experiment,
    experiment_scores,
    join_result,
    read_result,
    recalibrate,
)
from promo_uplift.reporting.experiment_figures import found_figure


@pytest.fixture(scope="module")
def lots():
    """One wave of 150 households."""
    return drawn(max_waves=1)[0].table


@pytest.fixture(scope="module")
def waves():
    """Four waves."""
    return drawn()[0].table


def result_of(lots, *, effect_usd=3.0, seed=1, columns=("household_id",)):
    rng = np.random.default_rng(seed)
    mailed = (lots["arm"] == "mail").to_numpy()
    outcome = lots["outcome_if_not_mailed"] + effect_usd * mailed
    return lots[list(columns)].assign(outcome=outcome + rng.normal(0, 4.0, len(lots)))


def half_width(interval):
    return (interval.ci_high - interval.ci_low) / 2.0


def law(mean, sd):
    return Distribution.model_validate(
        {"uniform": {"low": mean - sd * 3**0.5, "high": mean + sd * 3**0.5}}
    )


def concluded(lots, result, *, policy=MONEY, worth_finding_usd=1.0, **changed):
    return conclude_experiment(
        result=result,
        assignment=lots,
        worth_finding_usd=worth_finding_usd,
        policy=policy,
        parameters=design(**changed),
        level=0.95,
        power=0.8,
        wording=WORDING,
    )


class TestContract:
    def test_a_misnamed_column_is_named_with_its_likely_name(self, lots):
        result = result_of(lots).rename(columns={"outcome": "outcomes", "household_id": "house_id"})
        with pytest.raises(
            ExperimentError, match=r"`household_id` \(is it `house_id`\?\), `outcome` \(is it"
        ):
            join_result(result=result, assignment=lots)

    def test_a_household_twice_is_refused(self, lots):
        result = result_of(lots)
        twice = pd.concat([result, result.head(2)])
        with pytest.raises(ExperimentError, match=r"2 rows repeat one, e\.g\. household_id \d+; "):
            join_result(result=twice, assignment=lots)

    def test_a_household_that_was_never_drawn_is_refused(self, lots):
        result = result_of(lots).replace({"household_id": {0: 99_999}})
        with pytest.raises(
            ExperimentError, match=r"1 of 150 rows are not, e\.g\. household_id 99999"
        ):
            join_result(result=result, assignment=lots)

    def test_a_row_without_a_household_is_refused(self, lots):
        result = result_of(lots).replace({"household_id": {0: np.nan}})
        with pytest.raises(ExperimentError, match="1 rows lack one"):
            join_result(result=result, assignment=lots)

    def test_several_waves_need_the_wave(self, waves):
        with pytest.raises(ExperimentError, match="must have the columns `wave`"):
            join_result(result=result_of(waves), assignment=waves)
        found = join_result(
            result=result_of(waves, columns=("wave", "household_id")), assignment=waves
        )
        assert found.counts.observed == len(waves)

    @pytest.mark.parametrize(
        ("column", "value", "message"),
        [
            ("outcome", "much", r"`outcome` must be a finite number or missing; 1 rows"),
            ("outcome", np.inf, r"`outcome` must be a finite number or missing; 1 rows"),
            ("redeemed", 2, r"`redeemed` must be 0 or 1 or missing; 1 rows are not, e.g. \[2"),
            ("contacted", "yes", r"`contacted` must be 0 or 1 or missing"),
        ],
    )
    def test_a_value_that_cannot_be_is_refused(self, lots, column, value, message):
        result = result_of(lots).assign(redeemed=0, contacted=0).astype({column: object})
        result.loc[3, column] = value
        with pytest.raises(ExperimentError, match=message):
            join_result(result=result, assignment=lots)

    def test_an_arm_that_was_not_drawn_is_refused(self, lots):
        result = result_of(lots).assign(arm=lots["arm"])
        assert join_result(result=result, assignment=lots).counts.observed == 150
        swapped = result["arm"].map({"mail": "control", "control": "mail"})
        with pytest.raises(ExperimentError, match=r"150 of 150 rows have another.*`contacted`"):
            join_result(result=result.assign(arm=swapped), assignment=lots)

    def test_a_result_without_rows_is_refused(self, lots):
        with pytest.raises(ExperimentError, match=r"a row for each household.*found none, and 150"):
            join_result(result=result_of(lots).head(0), assignment=lots)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (None, "must be `.*result.csv`; found no file"),
            (b"", "must be a CSV file in UTF-8; reading it failed: No columns"),
            ("household_id,outcome\n1,2\n".encode("utf-16"), "must be a CSV file in UTF-8"),
            (b"household_id;outcome\n1;2,5\n", "separated by commas; found one column"),
        ],
    )
    def test_a_file_that_is_no_table_is_refused(self, tmp_path, text, message):
        path = tmp_path / "result.csv"
        if text is not None:
            path.write_bytes(text)
        with pytest.raises(ExperimentError, match=f"{message}.*household_id,outcome"):
            read_result(path)

    def test_a_spreadsheets_file_is_read(self, lots, tmp_path):
        path = tmp_path / "result.csv"
        result = result_of(lots)
        result.to_csv(path, index=False, encoding="utf-8-sig")
        pd.testing.assert_frame_equal(read_result(path), result)

    def test_the_pages_three_lines_are_a_result(self, waves, tmp_path):
        page = Path(__file__).resolve().parents[2] / "docs/how-to/run-the-next-experiment.md"
        (text,) = re.findall(r"```\n(wave,.*?)```", page.read_text(encoding="utf-8"), re.S)
        path = tmp_path / "result.csv"
        path.write_text(text, encoding="utf-8")
        given = waves.assign(household_id=waves["household_id"] + 1)
        counts = join_result(result=read_result(path), assignment=given).counts
        assert (counts.observed, counts.empty) == (2, 1)

    def test_lots_that_were_never_drawn_are_refused(self, lots):
        with pytest.raises(ExperimentError, match="must hold households, found none"):
            join_result(result=result_of(lots), assignment=lots.head(0))
        with pytest.raises(ExperimentError, match="assignment must have the columns `arm`"):
            join_result(result=result_of(lots), assignment=lots.drop(columns="arm"))

    def test_an_arm_without_outcomes_is_refused(self, lots):
        with pytest.raises(
            ExperimentError, match=r"must be known in both arms; 75 rows have one, all of"
        ):
            join_result(result=result_of(lots)[lots["arm"] == "mail"], assignment=lots)

    def test_a_stratum_without_an_arm_is_refused(self, lots):
        gone = (lots["arm"] == "mail") & (lots["stratum"] == "effect 2")
        experiment = join_result(result=result_of(lots)[~gone], assignment=lots)
        with pytest.raises(ExperimentError, match="not so in wave 1; effect 2"):
            analyse_experiment(experiment=experiment, policy=MONEY, level=0.95)


class TestDepartures:
    def failed(self, verdict):
        return {one.name for one in verdict.departures if not one.passed}

    def test_a_result_as_planned_departs_in_nothing(self, lots):
        found = concluded(lots, result_of(lots, effect_usd=6.0))
        assert self.failed(found.verdict) == set()
        assert (found.verdict.name, found.verdict.action) == ("publish", "mail_all")

    def test_arms_that_are_not_those_drawn_refuse(self, lots):
        """40 of 75 mailed households never came back: not by chance."""
        lost = lots.index[lots["arm"] == "mail"][:40]
        experiment = join_result(result=result_of(lots).drop(index=lost), assignment=lots)
        ratio = experiment.counts.sample_ratio
        chances = lots["probability_mail"].drop(index=lost)
        expected = chances.sum()
        assert (ratio.found, ratio.expected) == (35, pytest.approx(expected))
        theirs = chisquare([35, 75], [expected, 110 - expected]).pvalue
        assert ratio.p_value == pytest.approx(theirs, rel=0.02)
        kept = result_of(lots).drop(index=lots.index[lots["arm"] == "mail"][:50])
        verdict = concluded(lots, kept).verdict
        assert (verdict.name, verdict.action) == ("refuse", "stop")
        assert "sample_ratio" in self.failed(verdict)
        assert "Base no decision" in verdict.advice

    def test_outcomes_missing_in_one_arm_allow_no_effect(self, lots):
        result = result_of(lots, effect_usd=6.0)
        result.loc[lots.index[lots["arm"] == "mail"][:6], "outcome"] = np.nan
        result = result.drop(index=lots.index[lots["arm"] == "mail"][6:10])
        found = concluded(lots, result)
        counts = found.findings.counts
        assert (counts.absent, counts.empty, counts.observed) == (4, 6, 140)
        assert counts.missing_mailed == pytest.approx(10 / 75)
        pooled = 10 / 150
        z = (10 / 75) / np.sqrt(pooled * (1 - pooled) * 2 / 75)
        assert counts.attrition.p_value == pytest.approx(2 * norm.sf(z))
        assert self.failed(found.verdict) == {"attrition", "missing_outcomes"}
        assert (found.verdict.name, found.verdict.action) == ("experiment_needed", "experiment")
        assert "Report no effect yet" in found.verdict.advice

    def test_outcomes_missing_alike_in_both_arms_are_no_attrition(self, lots):
        mailed = lots["arm"] == "mail"
        lost = [*lots.index[mailed][:6], *lots.index[~mailed][:6]]
        counts = join_result(result=result_of(lots).drop(index=lost), assignment=lots).counts
        assert counts.missing_mailed == pytest.approx(6 / 75)
        assert counts.attrition.found == pytest.approx(0.0)
        assert counts.attrition.p_value == pytest.approx(1.0)

    def test_who_was_not_mailed_as_drawn_stays_in_its_arm_and_is_counted(self, lots):
        result = result_of(lots, effect_usd=6.0)
        mailed = lots["arm"] == "mail"
        contacted = mailed.astype(int)
        contacted[lots.index[mailed][:5]] = 0
        contacted[lots.index[~mailed][:2]] = 1
        found = concluded(lots, result.assign(contacted=contacted))
        plain = concluded(lots, result)
        assert found.findings.effect_usd == plain.findings.effect_usd
        assert self.failed(found.verdict) == {"compliance"}
        assert found.verdict.name == "publish"
        text = experiment_verdict_text(verdict=found.verdict, width=96)
        assert "5 drawn to be mailed were not, 2 control households were" in " ".join(text.split())

    def test_lots_that_were_drawn_again_are_told(self, lots):
        verdict = concluded(lots.assign(n_draws=7), result_of(lots)).verdict
        (told,) = [one for one in verdict.departures if one.name == "redrawn"]
        assert "up to 7 times" in told.sentence

    def test_a_control_household_that_redeems_is_counted(self, lots):
        redeemed = (lots["arm"] == "control").astype(int).where(lots.index < 20, 0)
        counts = join_result(
            result=result_of(lots).assign(redeemed=redeemed), assignment=lots
        ).counts
        assert counts.control_redeemed == redeemed.sum() > 0
        verdict = concluded(lots, result_of(lots).assign(redeemed=redeemed)).verdict
        assert self.failed(verdict) == {"redemption"}
        assert f"{redeemed.sum()} control households redeemed" in experiment_verdict_text(
            verdict=verdict, width=96
        )

    def test_waves_that_are_still_out_decide_nothing(self, waves):
        result = result_of(waves, effect_usd=9.0, columns=("wave", "household_id"))
        found = concluded(waves, result[result["wave"] <= 3])
        assert found.findings.counts.waves_absent == (4,)
        assert found.verdict.action == "experiment"
        assert "1 of 4 have no outcome yet (from wave 4)" in found.verdict.advice
        assert concluded(waves, result).findings.counts.waves_absent == ()

    def test_what_departs_is_marked(self, lots):
        result = result_of(lots).drop(index=lots.index[:20])
        text = experiment_verdict_text(verdict=concluded(lots, result).verdict, width=96)
        assert "missing_outcomes DEPARTS: 130 of 150" in text
        assert "sample_ratio: " in text
        assert "departs from the plan in 1 of 3 respects" in text


class TestEstimates:
    def table(self, seed=0):
        rng = np.random.default_rng(seed)
        stratum = np.repeat([0, 1, 2], [40, 60, 100])
        mailed = np.concatenate([rng.permutation(n) < n * 0.4 for n in (40, 60, 100)])
        x = rng.normal(size=200) + stratum
        y = 5.0 + 2.0 * x + mailed * (1.0 + stratum + 0.5 * x) + rng.normal(size=200)
        return y, mailed, stratum, x

    def test_the_effect_is_that_of_interacted_least_squares(self):
        y, mailed, stratum, x = self.table()
        scores = experiment_scores(outcome=y, mailed=mailed, stratum=stratum, covariate=x)
        dummies = (stratum[:, None] == np.arange(3)).astype(float)
        means = np.array([x[stratum == s].mean() for s in range(3)])
        centred = (x - means[stratum])[:, None]
        design_matrix = np.column_stack(
            [dummies, centred, mailed[:, None] * dummies, mailed[:, None] * centred]
        )
        fit = sm.OLS(y, design_matrix).fit(cov_type="HC3")
        effects = fit.params[4:7]
        for number in range(3):
            assert scores[stratum == number].mean() == pytest.approx(effects[number])
        shares = np.array([40, 60, 100]) / 200
        assert scores.mean() == pytest.approx(shares @ effects)
        error = np.sqrt(shares @ fit.cov_params()[4:7, 4:7] @ shares)
        between = np.sqrt(shares @ (effects - shares @ effects) ** 2 / 200)
        inside = scores.std(ddof=1) / np.sqrt(200)
        # the strata's own effects and the slope's difference come on top of what least squares see
        assert error < inside < 1.15 * np.sqrt(error**2 + between**2)

    def test_a_covariate_that_knows_nothing_changes_no_mean(self):
        y, mailed, stratum, _ = self.table()
        scores = experiment_scores(
            outcome=y, mailed=mailed, stratum=stratum, covariate=np.zeros(200)
        )
        for number in range(3):
            rows = stratum == number
            difference = y[rows & mailed].mean() - y[rows & ~mailed].mean()
            assert scores[rows].mean() == pytest.approx(difference)

    def test_the_slope_is_that_of_least_squares_with_its_error(self):
        rng = np.random.default_rng(4)
        cate = rng.normal(2.0, 3.0, 300)
        scores = 1.0 + 0.7 * cate + rng.normal(0, 5.0, 300)
        found = recalibrate(scores=scores, cate=cate, groups=np.arange(300), level=0.95)
        fit = sm.OLS(scores, sm.add_constant(cate)).fit(cov_type="HC0")
        assert found.slope.estimate == pytest.approx(fit.params[1])
        half = 1.959964 * fit.bse[1] * np.sqrt(300 / 299)
        assert found.slope.ci_high - found.slope.estimate == pytest.approx(half, rel=1e-6)
        predicted = found.predict(cate=np.array([-4.0, 2.0, 9.0]), level=0.95)
        line = fit.get_prediction(sm.add_constant(np.array([-4.0, 2.0, 9.0])))
        np.testing.assert_allclose(predicted["recalibrated_cate_usd"], line.predicted_mean)
        np.testing.assert_allclose(
            predicted["recalibrated_cate_ci_high_usd"] - predicted["recalibrated_cate_usd"],
            1.959964 * line.se_mean * np.sqrt(300 / 299),
            rtol=1e-6,
        )

    def test_copies_of_a_household_make_no_line_surer(self):
        rng = np.random.default_rng(4)
        cate, scores = rng.normal(size=(2, 100))
        once, thrice = (
            recalibrate(
                scores=np.tile(scores, n),
                cate=np.tile(cate, n),
                groups=np.tile(np.arange(100), n),
                level=0.95,
            )
            for n in (1, 3)
        )
        np.testing.assert_allclose(once.covariance, thrice.covariance)
        assert once.slope.ci_low == pytest.approx(thrice.slope.ci_low)

    def test_one_prediction_for_all_has_an_average_and_no_slope(self):
        scores = np.random.default_rng(0).normal(3.0, 1.0, 50)
        found = recalibrate(scores=scores, cate=np.ones(50), groups=np.arange(50), level=0.95)
        assert np.isnan(found.slope.estimate)
        assert found.reason == "one effect was predicted for everybody"
        predicted = found.predict(cate=np.array([1.0, 5.0]), level=0.95)
        np.testing.assert_allclose(predicted["recalibrated_cate_usd"], scores.mean())
        assert predicted["recalibrated_cate_ci_low_usd"].notna().all()

    def test_redemptions_are_counted_where_all_are_known(self, lots):
        money = MONEY.model_copy(update={"redemption_cost_usd": 2.0})
        mailed = (lots["arm"] == "mail").astype(int)
        result = result_of(lots)
        nobody, everyone = (
            concluded(lots, result.assign(redeemed=value), policy=money).findings
            for value in (0, mailed)
        )
        cost = nobody.profit_usd["all"].estimate - everyone.profit_usd["all"].estimate
        assert cost == pytest.approx(2.0)
        assert everyone.redemption_source == "counted"
        partly = result.assign(redeemed=np.where(lots.index == 0, np.nan, mailed))
        assert concluded(lots, partly).findings.redemption_source == "predicted"

    def test_a_household_of_several_waves_counts_as_one_cluster(self, waves):
        """The same error in every wave of a household is no new evidence."""
        own = pd.Series(np.random.default_rng(3).normal(0, 20.0, 150), index=range(150))
        noise = waves["household_id"].map(own)
        one_arm = waves.assign(
            arm=np.where(waves["household_id"] % 2 == 0, "mail", "control"), probability_mail=0.5
        )
        result = one_arm[["wave", "household_id"]].assign(outcome=noise)
        found = concluded(one_arm, result).findings
        alone = found.effect.se
        mailed = waves["household_id"].to_numpy() % 2 == 0
        rows = np.sqrt(noise[mailed].var() / mailed.sum() + noise[~mailed].var() / (~mailed).sum())
        assert alone > 1.5 * rows
        assert found.effect.n_clusters == waves["household_id"].nunique()


class TestConclusion:
    def test_what_remains_is_the_size_for_what_was_found(self, lots):
        found = concluded(lots, result_of(lots, effect_usd=1.3))
        profit = found.findings.all_profit
        z = 1.959964 + 0.841621
        needed = int(np.ceil((z * profit.se / profit.estimate) ** 2 * 150)) - 150
        assert found.verdict.remaining_for_found == pytest.approx(needed, abs=2)
        planned = int(np.ceil((z * found.findings.effect.se / 1.0) ** 2 * 150)) - 150
        assert found.verdict.remaining_for_plan == pytest.approx(planned, abs=2)
        assert f"{found.verdict.remaining_for_found:,} more households" in found.verdict.advice

    def test_unknown_money_is_in_every_profit_and_no_experiment_settles_it(self, lots):
        result = result_of(lots, effect_usd=6.0)
        found = concluded(lots, result).findings
        sd = 0.1
        unknown = MONEY.model_copy(update={"contact_cost_usd": law(0.25, sd)})
        other = concluded(lots, result, policy=unknown)
        for name, share in (("none", 0.0), ("all", 1.0), ("targeted", found.targeted_share)):
            before, after = (one.profit_usd[name] for one in (found, other.findings))
            assert after.estimate == pytest.approx(before.estimate)
            expected = np.hypot(half_width(before), 1.959964 * sd * share)
            assert half_width(after) == pytest.approx(expected)
        before, after = (one.targeted_minus_all_usd for one in (found, other.findings))
        part = 1.0 - found.targeted_share
        expected = np.hypot(half_width(before), 1.959964 * sd * part)
        assert half_width(after) == pytest.approx(expected)
        # the effect, and the error that more households make smaller, know no money
        assert other.findings.effect_usd == found.effect_usd
        assert other.findings.all_profit.se == pytest.approx(found.all_profit.se)

    @pytest.mark.parametrize("sd", [0.05, 0.5])
    def test_what_remains_is_for_the_error_that_households_make_smaller(self, lots, sd):
        unknown = MONEY.model_copy(update={"contact_cost_usd": law(0.25, sd)})
        found = concluded(lots, result_of(lots, effect_usd=1.3), policy=unknown)
        profit, z = found.findings.all_profit, 1.959964 + 0.841621
        error = found.findings.all_profit_money_error_usd
        if abs(profit.estimate) <= z * error:
            assert sd == 0.5
            assert found.verdict.remaining_for_found is None
            assert "no number of households settles it" in found.verdict.advice
            return
        assert sd == 0.05
        remaining = found.verdict.remaining_for_found
        # with so many the error is just small enough for the power
        n = 150 + remaining
        assert z * np.hypot(profit.se * np.sqrt(150 / n), error) == pytest.approx(
            abs(profit.estimate), rel=0.01
        )

    def test_no_effect_worth_finding_leaves_nothing_to_count(self, lots):
        found = concluded(lots, result_of(lots), worth_finding_usd=float("inf"))
        assert found.verdict.remaining_for_plan is None

    @pytest.mark.parametrize(("effect", "action"), [(6.0, "use_average"), (0.0, "experiment")])
    def test_without_money_an_effect_is_all_that_can_be_said(self, lots, effect, action):
        found = concluded(lots, result_of(lots, effect_usd=effect), policy=NO_MONEY)
        assert found.verdict.action == action
        assert not any("Profit" in figure for figure in found.verdict.figures)

    def test_the_recalibrated_table_has_every_household_once(self, waves):
        result = result_of(waves, columns=("wave", "household_id"))
        found = concluded(waves, result)
        assert found.recalibrated["household_id"].is_unique
        assert len(found.recalibrated) == waves["household_id"].nunique()
        profit = 0.25 * found.recalibrated["recalibrated_cate_usd"] - 0.25
        np.testing.assert_allclose(found.recalibrated["expected_profit_usd"], profit)

    def test_for_whom_mailing_pays_is_said_only_where_a_ranking_is_shown(self, lots):
        steep = lots.assign(outcome_if_not_mailed=0.0)
        mailed = (steep["arm"] == "mail").to_numpy()
        noise = np.random.default_rng(2).normal(0.0, 0.1, len(steep))
        found = {
            slope: concluded(
                steep,
                steep[["household_id"]].assign(outcome=noise + slope * mailed * steep["cate"]),
            )
            for slope in (1.0, 0.0)
        }
        pays = (found[1.0].recalibrated["expected_profit_usd"] > 0.0).mean()
        assert 0.0 < pays < 1.0
        assert any(
            f"pays for {pays:.0%} of households" in one for one in found[1.0].verdict.figures
        )
        assert not any("pays for" in one for one in found[0.0].verdict.figures)

    def test_the_record_is_plain_and_holds_the_verdict(self, lots):
        record = concluded(lots, result_of(lots)).record()
        assert record["verdict"]["name"] in ("publish", "experiment_needed")
        assert record["counts"]["observed"] == 150
        assert set(record["profit_usd"]) == {"none", "all", "targeted"}
        assert "strata" not in record

    @pytest.mark.parametrize("is_flat", [False, True])
    def test_the_figure_shows_strata_and_line(self, lots, is_flat):
        flat = {"cate": 2.0, "stratum": "effect 1", "effect_bin": 1}
        given = lots.assign(**flat) if is_flat else lots
        findings = concluded(given, result_of(given)).findings
        figure = found_figure(findings=findings, worth_finding_usd=1.0, wording=WORDING)
        labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert "recalibrated" in labels
        assert ("as predicted" in labels) == (not is_flat)
        assert np.isnan(findings.gradient_usd.estimate) == is_flat
