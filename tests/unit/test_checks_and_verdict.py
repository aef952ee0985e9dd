"""Each check passes and fails where it should, and the verdict is the worst they allow."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from promo_uplift.checks import (
    CHECKS,
    DESIGN,
    SEVERITY,
    Evidence,
    VerdictFacts,
    checks_table,
    run_checks,
    verdict,
    verdict_text,
)
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import CheckParameters, PolicyParameters
from promo_uplift.contracts.results import Interval
from promo_uplift.effects import ClusteredMean, ManskiBounds, OverlapSummary, PlaceboEffect
from promo_uplift.metrics import RankingMetrics
from promo_uplift.policy import PolicyEvaluation, PolicyValue

WIDTH, MOST_LINES = 100, 25
ABOVE, ACROSS, BELOW = Interval(2.0, 1.0, 3.0), Interval(0.5, -1.0, 2.0), Interval(-2.0, -3.0, -1.0)
PARAMETERS = CheckParameters(
    overlap_low=0.1,
    overlap_high=0.9,
    min_overlap_share=0.8,
    max_propensity_auc=0.9,
    refuse_overlap_share=0.2,
    max_clipped_share=0.05,
    power=0.8,
    on_fail={
        "PU-WINDOW": "refuse",
        "PU-OVERLAP": "bounds_only",
        "PU-SEPARATION": "experiment_needed",
        "PU-CLIPPED": "bounds_only",
        "PU-PLACEBO": "experiment_needed",
        "PU-RANKING": "experiment_needed",
        "PU-POLICY": "experiment_needed",
    },
)
MONEY = PolicyParameters(
    margin_rate=0.25,
    contact_cost_usd=0.75,
    redemption_cost_usd=1.0,
    values_are_assumptions=True,
    grid_points=11,
    support_quantile=0.0,
)


@dataclass
class Audit:
    n_covariates: int = 44
    n_rows: int = 6_900
    changed: tuple = ()

    @property
    def passed(self):
        return not self.changed


def value(profit, chosen_minus):
    nothing = Interval(0.0, 0.0, 0.0)
    return PolicyValue(nothing, profit, nothing, nothing, nothing, chosen_minus)


def policy(*, over_none=ABOVE, over_all=ABOVE, all_profit=ACROSS):
    return PolicyEvaluation(
        champion="causal_forest",
        roi_optimal_share=Interval(0.3, 0.1, 0.6),
        roi_at_share=Interval(1.0, 0.5, 2.0),
        max_ratio_share=0.01,
        max_ratio=3.0,
        chosen=value(over_none, Interval(0.0, 0.0, 0.0)),
        optimistic_profit_usd=Interval(2.5, 1.5, 3.5),
        winners_curse_usd=Interval(0.5, 0.1, 1.0),
        learner_by_fold=("causal_forest",),
        share_by_fold=(0.3,),
        baselines={
            "none": value(Interval(0.0, 0.0, 0.0), over_none),
            "all": value(all_profit, over_all),
        },
        level=0.95,
        replicates=100,
    )


def evidence(*, gain_random=ABOVE, gain_response=ABOVE, placebo=ACROSS, changed=(), **parts):
    overlap = {"propensity_auc": 0.7, "overlap_share": 0.9, "clipped_share": 0.01}
    overlap |= {name: parts.pop(name) for name in list(overlap) if name in parts}
    return Evidence(
        windows=Audit(changed=changed),
        overlap=OverlapSummary(**overlap, low=0.1, high=0.9, n_rows=6_900),
        placebo=None if placebo is None else PlaceboEffect(placebo, 14.0, 28, 6_900, 2_300),
        ranking=RankingMetrics(
            figures={
                "causal_forest": {
                    "auuc_minus_random": gain_random,
                    "auuc_minus_response": gain_response,
                }
            },
            ate=ACROSS,
            n_rows=6_900,
            n_households=2_300,
            replicates=100,
            level=0.95,
        ),
        policy=policy(**parts),
    )


FACTS = VerdictFacts(
    effect=ClusteredMean(4.5, 6.0, 6_900, 2_300),
    bounds=ManskiBounds(-2_000.0, 2_100.0, 0.0, 4_100.0),
    residual_sd_usd=110.0,
    redemption_rate=0.1,
    outcome_days=28,
    level=0.95,
    power=0.8,
)

FAILURES = {
    "PU-WINDOW": [{"changed": ("pre_visits",)}],
    "PU-OVERLAP": [{"overlap_share": 0.79}],
    "PU-SEPARATION": [{"propensity_auc": 0.91}],
    "PU-CLIPPED": [{"clipped_share": 0.051}],
    "PU-PLACEBO": [{"placebo": ABOVE}, {"placebo": BELOW}, {"placebo": None}],
    "PU-RANKING": [{"gain_random": ACROSS}, {"gain_response": BELOW}],
    "PU-POLICY": [{"over_none": ACROSS}, {"over_all": ACROSS}],
}


def decide(**parts):
    found = evidence(**parts)
    results = run_checks(evidence=found, parameters=PARAMETERS)
    return verdict(results=results, policy=found.policy, facts=FACTS, parameters=MONEY)


def test_every_check_has_a_failure_here():
    assert set(FAILURES) == set(CHECKS)
    assert set(DESIGN) < set(CHECKS)


def test_all_checks_pass_on_good_evidence():
    results = run_checks(evidence=evidence(), parameters=PARAMETERS)
    assert [result.code for result in results if not result.passed] == []
    assert {result.allows for result in results} == {"publish"}


@pytest.mark.parametrize(
    ("code", "parts"), [(code, parts) for code, many in FAILURES.items() for parts in many]
)
def test_each_check_fails_alone_and_allows_what_is_configured(code, parts):
    results = run_checks(evidence=evidence(**parts), parameters=PARAMETERS)
    failed = [result for result in results if not result.passed]
    assert [result.code for result in failed] == [code]
    assert failed[0].allows == PARAMETERS.on_fail[code]


@pytest.mark.parametrize("at", [{"overlap_share": 0.8}, {"propensity_auc": 0.9}])
def test_a_value_at_its_threshold_passes(at):
    assert decide(**at).name == "publish"


def test_hardly_any_overlap_refuses_whatever_is_configured():
    assert decide(overlap_share=0.19).name == "refuse"


def test_the_placebo_says_what_it_could_have_noticed():
    (result,) = [
        r for r in run_checks(evidence=evidence(), parameters=PARAMETERS) if r.code == "PU-PLACEBO"
    ]
    assert "would notice 14.00 USD" in result.sentence


def test_a_champion_without_a_ranking_is_refused():
    found = evidence()
    lost = replace(found, policy=replace(found.policy, champion="nobody"))
    with pytest.raises(CheckError, match="must hold the champion 'nobody'"):
        run_checks(evidence=lost, parameters=PARAMETERS)


@pytest.mark.parametrize(
    ("on_fail", "message"),
    [
        (
            {k: v for k, v in PARAMETERS.on_fail.items() if k != "PU-WINDOW"},
            "missing: .'PU-WINDOW'",
        ),
        (PARAMETERS.on_fail | {"PU-TYPO": "refuse"}, "unknown: .'PU-TYPO'"),
    ],
)
def test_a_configuration_that_does_not_fit_the_registry_is_refused(on_fail, message):
    broken = PARAMETERS.model_copy(update={"on_fail": on_fail})
    with pytest.raises(CheckError, match=message):
        run_checks(evidence=evidence(), parameters=broken)


def test_the_table_has_one_row_per_check():
    table = checks_table(run_checks(evidence=evidence(), parameters=PARAMETERS))
    assert table["code"].tolist() == list(CHECKS)
    assert table["sentence"].str.len().min() > 20
    assert table["value"].notna().all()


@pytest.mark.parametrize("worst", range(len(SEVERITY)))
def test_the_verdict_is_the_worst_that_is_allowed(worst):
    results = run_checks(evidence=evidence(), parameters=PARAMETERS)
    mixed = [
        replace(results[0], allows=SEVERITY[worst], passed=worst == 0),
        *(replace(result, allows="publish") for result in results[1:]),
    ]
    for order in (mixed, mixed[::-1]):
        found = verdict(results=order, policy=policy(), facts=FACTS, parameters=MONEY)
        assert found.name == SEVERITY[worst]


def test_no_checks_allow_nothing():
    with pytest.raises(CheckError, match="at least one check"):
        verdict(results=[], policy=policy(), facts=FACTS, parameters=MONEY)


@pytest.mark.parametrize(
    ("parts", "action"),
    [
        ({}, "target"),
        ({"over_all": ACROSS, "all_profit": ABOVE}, "mail_all"),
        ({"over_none": ACROSS, "all_profit": BELOW}, "mail_none"),
        ({"over_none": ACROSS, "all_profit": ACROSS}, "experiment"),
        ({"placebo": ABOVE, "all_profit": ABOVE}, "experiment"),
        ({"overlap_share": 0.5, "all_profit": ABOVE}, "experiment"),
        ({"changed": ("pre_visits",), "all_profit": ABOVE}, "stop"),
    ],
)
def test_the_advice_follows_from_what_may_be_believed(parts, action):
    assert decide(**parts).action == action


def test_figures_are_those_of_the_formulas():
    found = decide(gain_random=ACROSS)
    assert found.mde_usd == pytest.approx((1.959964 + 0.841621) * 6.0, abs=1e-4)
    assert found.break_even_usd == pytest.approx((0.75 + 1.0 * 0.1) / 0.25)
    expected = 2 * ((1.959964 + 0.841621) * 110.0 / found.break_even_usd) ** 2
    assert found.households_per_arm == int(np.ceil(expected))
    assert found.effect_usd.ci_low == pytest.approx(4.5 - 1.959964 * 6.0, abs=1e-4)


def test_the_text_says_verdict_reasons_action_and_assumptions():
    found = decide(gain_random=ACROSS)
    text = verdict_text(verdict=found, width=WIDTH)
    assert text.splitlines()[0].startswith("VERDICT experiment_needed: ")
    assert "PU-RANKING" in text
    assert f"{found.households_per_arm:,} households in each arm" in text
    assert f"{found.mde_usd:.2f} USD" in text
    assert "ASSUMED, not in the data" in text
    assert "passed: PU-WINDOW" in text


def test_money_that_is_not_assumed_is_not_called_so():
    found = evidence()
    given = MONEY.model_copy(update={"values_are_assumptions": False})
    results = run_checks(evidence=found, parameters=PARAMETERS)
    text = verdict_text(
        verdict=verdict(results=results, policy=found.policy, facts=FACTS, parameters=given),
        width=WIDTH,
    )
    assert "ASSUMED" not in text


def test_an_infinite_break_even_needs_no_test_of_any_size():
    free = MONEY.model_copy(update={"margin_rate": 0.0})
    found = evidence(gain_random=ACROSS)
    results = run_checks(evidence=found, parameters=PARAMETERS)
    decided = verdict(results=results, policy=found.policy, facts=FACTS, parameters=free)
    assert decided.households_per_arm is None
    assert "no finite A/B test" in verdict_text(verdict=decided, width=WIDTH)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {
            "changed": ("pre_purchase_regularity", "pre_visits"),
            "overlap_share": 0.1234,
            "propensity_auc": 0.987,
            "clipped_share": 0.234,
            "placebo": Interval(-123.45, -150.67, -101.23),
            "gain_random": Interval(-123.45, -150.67, -101.23),
            "gain_response": Interval(-123.45, -150.67, -101.23),
            "over_none": Interval(-123.45, -150.67, -101.23),
            "over_all": Interval(-123.45, -150.67, -101.23),
        },
    ],
)
def test_even_the_longest_text_fits_a_screen(parts):
    lines = verdict_text(verdict=decide(**parts), width=WIDTH).splitlines()
    assert len(lines) <= MOST_LINES
    assert max(len(line) for line in lines) <= WIDTH
