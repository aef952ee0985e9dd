"""Each check passes and fails where it should, and the verdict is the worst they allow."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from promo_uplift.analysis.effect_checks import timing_of
from promo_uplift.checks import (
    CHECKS,
    DESIGN,
    SEVERITY,
    TARGETING,
    Evidence,
    PolicyProfit,
    VerdictFacts,
    checks_table,
    run_checks,
    verdict,
    verdict_text,
)
from promo_uplift.checks.report import default_check_parameters
from promo_uplift.contracts.errors import CheckError
from promo_uplift.contracts.parameters import (
    PolicyParameters,
    WordingParameters,
)
from promo_uplift.contracts.results import Interval
from promo_uplift.effects import (
    ClusteredMean,
    LotteryTest,
    ManskiBounds,
    OverlapSummary,
    PlaceboEffect,
)
from promo_uplift.features import WindowAudit
from promo_uplift.metrics import RankingMetrics
from promo_uplift.policy import DecidingPolicy, PolicyEvaluation, PolicyValue

WIDTH, MOST_LINES = 100, 25
ABOVE, ACROSS, BELOW = Interval(2.0, 1.0, 3.0), Interval(0.5, -1.0, 2.0), Interval(-2.0, -3.0, -1.0)
CONFIGURED = default_check_parameters()
PARAMETERS = CONFIGURED.model_copy(
    update={"on_fail": CONFIGURED.on_fail | {"PU-SEPARATION": "experiment_needed"}}
)
MONEY = PolicyParameters(
    margin_rate=0.25,
    contact_cost_usd=0.75,
    redemption_cost_usd=1.0,
    values_are_assumptions=True,
    grid_points=11,
    support_quantile=0.0,
)
WORDING = WordingParameters(
    unit="USD",
    decimals=2,
    treatment="mailing",
    treated="mailed",
    subject="household",
    subjects="households",
    horizon="in 28 days",
)
FAIR = LotteryTest(
    largest_z=1.5,
    largest_name="pre_visits",
    threshold_z=3.2,
    departing=(),
    n_tests=45,
)
RIGGED = replace(FAIR, largest_z=9.0, departing=("pre_visits", "propensity model"))


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
        break_even_usd=Interval(3.4, 3.4, 3.4),
        learner_by_fold=("causal_forest",),
        share_by_fold=(0.3,),
        baselines={
            "none": value(Interval(0.0, 0.0, 0.0), over_none),
            "all": value(all_profit, over_all),
        },
        level=0.95,
        replicates=100,
    )


def evidence(
    *,
    gain_random=ABOVE,
    gain_response=ABOVE,
    placebo=ACROSS,
    changed=(),
    lottery=FAIR,
    **parts,
):
    overlap = {"propensity_auc": 0.7, "overlap_share": 0.9, "clipped_share": 0.01}
    overlap |= {name: parts.pop(name) for name in list(overlap) if name in parts}
    facts = (
        None
        if changed is None
        else WindowAudit(n_covariates=44, n_rows=6_900, changed=changed, passed=not changed),
        lottery,
        OverlapSummary(**overlap, low=0.1, high=0.9, n_rows=6_900),
        None if placebo is None else PlaceboEffect(placebo, 14.0, 28, 6_900, 2_300),
        RankingMetrics(
            figures={
                "selected": {
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
        PolicyProfit(
            is_money_stated=parts.pop("is_money_stated", True),
            gains_usd={
                name: one.chosen_minus_this_usd for name, one in policy(**parts).baselines.items()
            },
        ),
    )
    return Evidence(facts=tuple(fact for fact in facts if fact is not None), wording=WORDING)


def policy_of(parts):
    names = ("over_none", "over_all", "all_profit")
    return policy(**{name: value for name, value in parts.items() if name in names})


def look(found, parameters=PARAMETERS):
    return run_checks(evidence=found, parameters=parameters, expected=TARGETING)


FACTS = VerdictFacts(
    effect=ClusteredMean(4.5, 6.0, 6_900, 2_300),
    bounds=ManskiBounds(-2_000.0, 2_100.0, 0.0, 4_100.0),
    residual_sd_usd=110.0,
    redemption_rate=0.1,
    level=0.95,
    power=0.8,
)

FAILURES = {
    "PU-WINDOW": [{"changed": ("pre_visits",)}],
    "PU-LOTTERY": [{"lottery": RIGGED}],
    "PU-OVERLAP": [{"overlap_share": 0.79}],
    "PU-SEPARATION": [{"propensity_auc": 0.91}],
    "PU-CLIPPED": [{"clipped_share": 0.051}],
    "PU-PLACEBO": [{"placebo": ABOVE}, {"placebo": BELOW}, {"placebo": None, "lottery": None}],
    "PU-RANKING": [{"gain_random": ACROSS}, {"gain_response": BELOW}],
    "PU-POLICY": [{"over_none": ACROSS}, {"over_all": ACROSS}],
}


def decide(**parts):
    found = evidence(**parts)
    results = look(found)
    return verdict(
        results=results,
        policy=policy_of(parts),
        facts=FACTS,
        parameters=MONEY,
        wording=WORDING,
    )


def test_every_check_has_a_failure_here():
    assert set(FAILURES) == set(TARGETING)
    assert set(DESIGN) < set(TARGETING) <= set(CHECKS)


def test_all_checks_pass_on_good_evidence():
    results = look(evidence())
    assert [result.code for result in results if not result.passed] == []
    assert {result.allows for result in results} == {"publish"}


@pytest.mark.parametrize(
    ("code", "parts"), [(code, parts) for code, many in FAILURES.items() for parts in many]
)
def test_each_check_fails_alone_and_allows_what_is_configured(code, parts):
    results = look(evidence(**parts))
    failed = [result for result in results if result.failed]
    assert [result.code for result in failed] == [code]
    assert failed[0].allows == PARAMETERS.on_fail[code]


@pytest.mark.parametrize("at", [{"overlap_share": 0.8}, {"propensity_auc": 0.9}])
def test_a_value_at_its_threshold_passes(at):
    assert decide(**at).name == "publish"


def test_hardly_any_overlap_refuses_whatever_is_configured():
    assert decide(overlap_share=0.19).name == "refuse"


def test_the_placebo_says_what_it_could_have_noticed():
    (result,) = [r for r in look(evidence()) if r.code == "PU-PLACEBO"]
    assert "would notice 14.00 USD" in result.sentence


def test_a_selection_without_a_ranking_is_refused():
    found = evidence()
    lost = replace(
        found,
        facts=tuple(
            replace(fact, figures={"causal_forest": {}})
            if isinstance(fact, RankingMetrics)
            else fact
            for fact in found.facts
        ),
    )
    with pytest.raises(CheckError, match=r"must hold 'selected'; found \['causal_forest'\]"):
        look(lost)


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
        look(evidence(), broken)


def test_the_table_has_one_row_per_check():
    table = checks_table(look(evidence()))
    assert table["code"].tolist() == list(TARGETING)
    assert table["sentence"].str.len().min() > 20
    assert table["value"].notna().all()


@pytest.mark.parametrize("worst", range(len(SEVERITY)))
def test_the_verdict_is_the_worst_that_is_allowed(worst):
    results = look(evidence())
    mixed = [
        replace(results[0], allows=SEVERITY[worst], passed=worst == 0),
        *(replace(result, allows="publish") for result in results[1:]),
    ]
    for order in (mixed, mixed[::-1]):
        found = verdict(
            results=order, policy=policy(), facts=FACTS, parameters=MONEY, wording=WORDING
        )
        assert found.name == SEVERITY[worst]


def test_no_checks_allow_nothing():
    with pytest.raises(CheckError, match="at least one check"):
        verdict(results=[], policy=policy(), facts=FACTS, parameters=MONEY, wording=WORDING)


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


@pytest.mark.parametrize(
    ("definition", "action"), [("campaign_targeted", "target"), (None, "target")]
)
def test_a_treatment_known_before_time_zero_takes_nothing_from_the_verdict(definition, action):
    assert decided_under(definition).action == action


def test_a_treatment_decided_after_time_zero_is_never_published():
    found = decided_under("campaign_participation", all_profit=ABOVE)
    assert found.reasons == ("PU-TIMING",)
    assert (found.name, found.action) == ("experiment_needed", "experiment")


def decided_under(definition, **parts):
    found = evidence(**parts)
    timing = timing_of(definition)
    facts = found.facts if timing is None else (*found.facts, timing)
    return verdict(
        results=look(replace(found, facts=facts)),
        policy=policy_of(parts),
        facts=FACTS,
        parameters=MONEY,
        wording=WORDING,
    )


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
    results = look(found)
    text = verdict_text(
        verdict=verdict(
            results=results,
            policy=policy(),
            facts=FACTS,
            parameters=given,
            wording=WORDING,
        ),
        width=WIDTH,
    )
    assert "ASSUMED" not in text


def test_an_infinite_break_even_needs_no_test_of_any_size():
    free = MONEY.model_copy(update={"margin_rate": 0.0})
    found = evidence(gain_random=ACROSS)
    results = look(found)
    decided = verdict(
        results=results,
        policy=policy(),
        facts=FACTS,
        parameters=free,
        wording=WORDING,
    )
    assert decided.households_per_arm is None
    assert "no finite A/B test" in verdict_text(verdict=decided, width=WIDTH)


WORST = {
    "overlap_share": 0.1234,
    "propensity_auc": 0.987,
    "clipped_share": 0.234,
    "placebo": Interval(-123.45, -150.67, -101.23),
    "gain_random": Interval(-123.45, -150.67, -101.23),
    "gain_response": Interval(-123.45, -150.67, -101.23),
    "over_none": Interval(-123.45, -150.67, -101.23),
    "over_all": Interval(-123.45, -150.67, -101.23),
}


@pytest.mark.parametrize(
    "parts",
    [
        {},
        # raw data are audited and no lottery; a table is the other way round
        {**WORST, "changed": ("pre_purchase_regularity", "pre_visits"), "lottery": None},
        {**WORST, "changed": None, "lottery": RIGGED},
    ],
)
def test_even_the_longest_text_fits_a_screen(parts):
    lines = verdict_text(verdict=decide(**parts), width=WIDTH).splitlines()
    assert len(lines) <= MOST_LINES
    assert max(len(line) for line in lines) <= WIDTH


def result_of(code, **parts):
    results = look(evidence(**parts))
    (found,) = [result for result in results if result.code == code]
    return found


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("PU-WINDOW", {"changed": None}),
        ("PU-LOTTERY", {"lottery": None}),
        ("PU-PLACEBO", {"placebo": None}),
        ("PU-POLICY", {"is_money_stated": False}),
    ],
)
def test_a_check_that_has_nothing_to_look_at_neither_passes_nor_fails(code, parts):
    found = result_of(code, **parts)
    assert (found.applies, found.passed, found.failed) == (False, False, False)
    assert found.allows == "publish"
    assert np.isnan(found.value)
    row = checks_table([found]).iloc[0]
    assert row["outcome"] == "not applicable"
    decided = decide(**parts)
    assert decided.not_applicable == (code,)
    assert code not in (*decided.passed, *decided.reasons)
    assert f"nothing to check: {code}" in verdict_text(verdict=decided, width=WIDTH)


def test_the_table_says_passed_failed_or_not_applicable():
    results = look(evidence(changed=None, clipped_share=0.06))
    outcomes = checks_table(results).set_index("code")["outcome"].to_dict()
    assert outcomes.pop("PU-WINDOW") == "not applicable"
    assert outcomes.pop("PU-CLIPPED") == "failed"
    assert set(outcomes.values()) == {"passed"}


def test_without_a_lottery_a_missing_placebo_still_fails():
    assert result_of("PU-PLACEBO", placebo=None, lottery=None).failed


def test_a_placebo_that_was_looked_at_counts_in_an_experiment_too():
    assert result_of("PU-PLACEBO", placebo=ABOVE, lottery=FAIR).failed


def test_a_failed_lottery_names_what_departs_and_why_that_may_be():
    found = result_of("PU-LOTTERY", lottery=RIGGED)
    assert found.sentence.startswith("2 of 45 comparisons with the stated propensity depart, ")
    assert "up to 9.0 errors: " in found.sentence
    assert "`pre_visits`, `propensity model`" in found.sentence
    assert "these follow the mailing" in found.sentence
    assert (found.value, found.threshold, found.allows) == (9.0, 3.2, "refuse")


def test_a_failed_lottery_lists_five_names_at_most():
    many = replace(RIGGED, departing=tuple(f"column_{n}" for n in range(30)))
    found = result_of("PU-LOTTERY", lottery=many)
    assert "30 of 45 comparisons" in found.sentence
    assert found.sentence.count("`column_") == 5


def test_a_fair_lottery_says_how_far_the_largest_departs():
    sentence = result_of("PU-LOTTERY").sentence
    assert sentence.startswith("None of 45 comparisons")
    assert "the largest, pre_visits, by 1.5 errors" in sentence


@pytest.mark.parametrize(
    ("share", "allows"),
    [(0.05, "publish"), (0.051, "bounds_only"), (0.1, "bounds_only"), (0.101, "refuse")],
)
def test_a_region_without_counterparts_refuses(share, allows):
    assert result_of("PU-CLIPPED", clipped_share=share).allows == allows
    assert decide(clipped_share=share).name == allows


UNSTATED = MONEY.model_copy(
    update={
        "are_stated": False,
        "margin_rate": 1.0,
        "contact_cost_usd": 0.0,
        "redemption_cost_usd": 0.0,
    }
)


def decide_without_cost(**parts):
    found = evidence(is_money_stated=False, **parts)
    results = look(found)
    return verdict(
        results=results,
        policy=policy_of(parts),
        facts=FACTS,
        parameters=UNSTATED,
        wording=WORDING,
    )


@pytest.mark.parametrize(
    ("parts", "name", "action"),
    [
        ({}, "publish", "use_effects"),
        ({"all_profit": ABOVE, "gain_random": ACROSS}, "experiment_needed", "use_average"),
        ({"all_profit": BELOW, "gain_random": ACROSS}, "experiment_needed", "use_average"),
        ({"placebo": ABOVE, "gain_random": ACROSS}, "experiment_needed", "experiment"),
        ({"clipped_share": 0.06}, "bounds_only", "experiment"),
        ({"lottery": RIGGED}, "refuse", "stop"),
    ],
)
def test_without_a_cost_the_verdict_is_about_effects(parts, name, action):
    decided = decide_without_cost(**parts)
    assert (decided.name, decided.action) == (name, action)
    assert np.isnan(decided.break_even_usd)
    expected = 2 * ((1.959964 + 0.841621) * 110.0 / decided.mde_usd) ** 2
    assert decided.households_per_arm == int(np.ceil(expected))
    text = verdict_text(verdict=decided, width=WIDTH)
    for word in ("profit", "breaks even", "ASSUMED", "margin 100%", "targeting list"):
        assert word not in text


def test_without_a_cost_a_verdict_to_publish_asks_for_one():
    text = verdict_text(verdict=decide_without_cost(), width=WIDTH)
    assert "state a cost to get a decision" in text
    assert "`contact_cost`" in text


def test_where_only_the_ranking_fails_the_average_effect_stands():
    text = verdict_text(verdict=decide_without_cost(gain_random=ACROSS), width=WIDTH)
    assert "VERDICT experiment_needed: the average effect may be used, the ranking may not" in text
    assert "do not choose households by their predicted effects" in " ".join(text.split())
    assert "Draw lots" not in text


def test_the_value_of_a_unit_is_said_where_the_outcome_is_no_money():
    found = evidence()
    results = look(found)
    valued = MONEY.model_copy(update={"outcome_value_usd": 20.0})
    decided = verdict(
        results=results,
        policy=policy(),
        facts=FACTS,
        parameters=valued,
        wording=WORDING,
    )
    assert "20.00 USD for a unit of the outcome, margin 25%" in decided.figures[-1]
    assert "for a unit" not in decide().figures[-1]


def named(**parts):
    found = evidence(**parts)
    decider = DecidingPolicy(
        name="break_even",
        learner="causal_forest",
        share=Interval(0.2, 0.1, 0.3),
        profit_usd=Interval(0.7, 0.2, 1.2),
        gains_usd={},
        contacts=np.zeros(1),
        listed=np.zeros(1),
        fitted=SimpleNamespace(describe=lambda: "Contact whoever pays."),
    )
    return verdict(
        results=look(found),
        policy=policy(),
        facts=FACTS,
        parameters=MONEY,
        wording=WORDING,
        decider=decider,
    )


def test_a_named_policy_is_advised_by_its_rule_and_its_own_profit():
    decided = named()
    assert decided.action == "target"
    assert decided.advice == (
        "Let the policy `break_even` choose 20% of households for the mailing: Contact "
        "whoever pays. Expect +0.70 USD (+0.20 to +1.20) profit per household of the base."
    )
    (spoken,) = [one for one in decided.figures if one.startswith("Profit")]
    assert spoken == (
        "Profit of the policy `break_even` per household: +0.70 USD (+0.20 to +1.20) on "
        "households that it was not fitted on."
    )
