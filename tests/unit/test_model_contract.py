"""What a model was made with, what differs now, and which version may score."""

from __future__ import annotations

import pytest
from tiny_retail import trial_parameters

from promo_uplift.analysis.scoring import warnings_of
from promo_uplift.contracts.errors import ScoringError
from promo_uplift.contracts.parameters import PolicyParameters, ScoringParameters, SourceParameters
from promo_uplift.policy import (
    DataContract,
    RegisteredVersion,
    choose_version,
    definition_differences,
    definition_of_a_table,
    definition_of_raw_tables,
    package_differences,
    refuse_other_cut,
    standing_sentence,
)
from promo_uplift.policy.contract import OF_A_CUT

MONEY = PolicyParameters(
    margin_rate=0.5,
    contact_cost_usd=1.0,
    redemption_cost_usd=0.0,
    values_are_assumptions=True,
    grid_points=11,
    support_quantile=0.0,
)


class Estimation:
    outcome = "spend_usd"


def definition(*, policy=MONEY, outcome="spend_usd", **trials):
    estimation = Estimation()
    estimation.outcome = outcome
    return definition_of_raw_tables(
        trials=trial_parameters(**trials),
        estimation=estimation,
        source=SourceParameters(form="package", folder=None),
        policy=policy,
    )


def contract(values=None):
    return DataContract(("a", "b"), ("a", "b"), "package-1", values or definition())


def test_a_definition_holds_windows_treatment_outcome_source_and_money():
    found = definition()
    assert set(OF_A_CUT) <= set(found)
    assert (found["source.form"], found["policy.margin_rate"]) == ("package", 0.5)
    assert found["trials.campaign_types"] == "TypeA"
    # resolution and support are no money
    assert "policy.grid_points" not in found


def test_the_same_definition_differs_in_nothing():
    assert definition_differences(contract=contract(), definition=definition()) == ()


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"pre_days": 56}, "`trials.pre_days` 84 (now 56)"),
        ({"history_days": 84}, "`trials.history_days` 126 (now 84)"),
        ({"outcome_days": 14}, "`trials.outcome_days` 28 (now 14)"),
        ({"treatment_definition": "campaign_participation"}, "`trials.treatment_definition`"),
        ({"outcome": "all_sales_usd"}, "`estimation.outcome` spend_usd (now all_sales_usd)"),
    ],
)
def test_a_cut_for_another_window_treatment_or_outcome_is_refused(now, said):
    with pytest.raises(ScoringError) as refused:
        refuse_other_cut(contract=contract(), definition=definition(**now))
    assert said in str(refused.value)


def test_other_money_is_said_and_no_cut_is_refused_for_it():
    now = definition(policy=MONEY.model_copy(update={"contact_cost_usd": 2.0}))
    refuse_other_cut(contract=contract(), definition=now)
    (found,) = definition_differences(contract=contract(), definition=now)
    assert str(found) == "`policy.contact_cost_usd` 1.0 (now 2.0)"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "needs a model that keeps its data contract"),
        (
            contract(definition_of_a_table(estimation=Estimation(), policy=MONEY)),
            r"made for a table with the columns \['a', 'b'\]",
        ),
    ],
)
def test_a_cut_is_refused_for_a_model_that_is_not_of_raw_tables(given, said):
    with pytest.raises(ScoringError, match=said):
        refuse_other_cut(contract=given, definition=definition())


def test_packages_that_differ_or_are_gone_are_named_and_new_ones_are_not():
    found = package_differences(
        made_with={"python": "3.11", "lightgbm": "4.7.0", "numpy": "2.4.6"},
        running={"python": "3.11", "lightgbm": "4.6.0", "scipy": "1.17"},
    )
    assert [str(one) for one in found] == [
        "`lightgbm` 4.7.0 (now 4.6.0)",
        "`numpy` 2.4.6 (now absent)",
    ]


def test_the_warnings_tell_packages_from_settings_and_what_cannot_be_compared():
    made_with = {"lightgbm": "4.7.0"}
    differences = (
        *definition_differences(contract=contract(), definition=definition(pre_days=56)),
        *package_differences(made_with=made_with, running={"lightgbm": "4.6.0"}),
    )
    settings, packages = warnings_of(
        contract=contract(), made_with=made_with, differences=differences, filled=()
    )
    assert "other data or settings: `trials.pre_days` 84 (now 56)." in settings
    assert "other package versions: `lightgbm` 4.7.0 (now 4.6.0)." in packages
    same = {"contract": contract(), "made_with": made_with, "differences": ()}
    assert warnings_of(**same, filled=()) == []
    assert len(warnings_of(contract=None, made_with={}, differences=(), filled=())) == 2
    (older,) = warnings_of(**same, filled=("ScoringModel.contract", "PolicyParameters.budget_usd"))
    assert "has no `ScoringModel.contract`, `PolicyParameters.budget_usd`: each takes" in older


def version(number, *, passed=False, gate="The verdict is refuse: no champion without publish."):
    return RegisteredVersion("promo_uplift", number, "run", passed, gate, {}, {}, lambda: None)


CHALLENGER = version("3")
CHAMPION = version("2", passed=True, gate="The verdict is publish and no champion stands.")


def test_without_a_champion_the_refusal_says_why_and_how_to_ask_for_the_challenger():
    with pytest.raises(ScoringError) as refused:
        choose_version(versions={"challenger": CHALLENGER}, alias="champion")
    said = str(refused.value)
    assert "No champion of `promo_uplift` stands" in said
    assert "version 3: The verdict is refuse" in said
    assert said.endswith("--params scoring.alias=challenger")


@pytest.mark.parametrize(
    ("versions", "alias", "said"),
    [
        ({}, "champion", "found aliases: none. Train and register"),
        ({"challenger": CHALLENGER}, "shadow", "`shadow` is none. Known are: challenger"),
    ],
)
def test_an_alias_that_is_not_there_is_refused(versions, alias, said):
    with pytest.raises(ScoringError, match=said):
        choose_version(versions=versions, alias=alias)


@pytest.mark.parametrize(
    ("versions", "alias", "said"),
    [
        (
            {"challenger": CHALLENGER},
            "challenger",
            "version 3, which did not pass the gate: The verdict is refuse",
        ),
        ({"challenger": CHAMPION, "champion": CHAMPION}, "challenger", "is the champion too"),
        ({"challenger": CHALLENGER, "champion": CHAMPION}, "champion", "version 2. The gate: The"),
        ({"challenger": CHALLENGER, "champion": CHALLENGER}, "champion", "that was set by hand"),
    ],
)
def test_who_scored_is_said_and_whether_the_gate_let_it(versions, alias, said):
    assert choose_version(versions=versions, alias=alias) is versions[alias]
    assert said in standing_sentence(versions=versions, alias=alias)


SCORING = {"alias": "champion", "table": None, "as_of": None, "id_column": None, "chunk_rows": 10}


def test_a_date_may_come_as_text_and_only_as_a_date():
    assert ScoringParameters(**SCORING | {"as_of": "2017-11-01"}).as_of.isoformat() == "2017-11-01"
    with pytest.raises(ValueError, match="must be a date as 2017-11-01, got '1 November'"):
        ScoringParameters(**SCORING | {"as_of": "1 November"})
    with pytest.raises(ValueError, match="not both"):
        ScoringParameters(**SCORING | {"as_of": "2017-11-01", "table": "a.csv"})
    # as the command line reads it
    assert ScoringParameters(**SCORING | {"as_of": 20171101}).as_of.isoformat() == "2017-11-01"
    with pytest.raises(ValueError, match="`id_column` with `table` only, got 'customer'"):
        ScoringParameters(**SCORING | {"as_of": "2017-11-01", "id_column": "customer"})
