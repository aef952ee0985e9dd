"""The card says what the figures say, and names what fails."""

import re

import numpy as np
import pandas as pd
import pytest
from benchmark_worlds import benchmark_parameters, nie_wager_world, spend_world

from promo_uplift.benchmark.card import trust_card, world_facts
from promo_uplift.benchmark.cells import cell_label, group_figures
from promo_uplift.benchmark.figures import (
    coverage_figure,
    discovery_figure,
    mde_figure,
    pehe_figure,
    regret_figure,
)
from promo_uplift.benchmark.outside import outside_paragraph
from promo_uplift.benchmark.record import benchmark_record
from promo_uplift.benchmark.summary import CELL, FIGURES, wilson_interval
from promo_uplift.benchmark.worlds import SimulatedWorld

WORLDS = {
    "same": spend_world(effect="zero"),
    "differs": spend_world(),
    "hidden": spend_world(hidden_confounding=0.5),
    "apart": spend_world(log_odds_sd=3.0),
    "b": nie_wager_world(),
}
N = 200


def row(world, subject, figure, **known):
    return {
        **dict(zip(CELL, (world, 300, subject, figure), strict=True)),
        **dict.fromkeys(FIGURES, np.nan),
        "replications": N,
        "intervals": 0,
        **known,
    }


def covering(world, subject, figure, share):
    bounds = wilson_interval(successes=round(share * N), trials=N, level=0.95)
    return row(
        world,
        subject,
        figure,
        mean=5.0,
        truth=5.0,
        bias=1.5,
        intervals=N,
        coverage=share,
        coverage_ci_low=bounds.ci_low,
        coverage_ci_high=bounds.ci_high,
        width=3.0,
    )


def claiming(world, subject, figure, share, truth):
    bounds = wilson_interval(successes=round(share * N), trials=N, level=0.95)
    return row(
        world,
        subject,
        figure,
        mean=share,
        mean_ci_low=bounds.ci_low,
        mean_ci_high=bounds.ci_high,
        truth=truth,
    )


def mean(world, subject, figure, value):
    return row(world, subject, figure, mean=value, mean_ci_low=value, mean_ci_high=value)


def summary_of(*, ate=0.95, champion=0.8, false_claims=0.0, pointwise=0.5):
    rows = []
    for world in WORLDS:
        is_same = world == "same"
        for estimand in ("aipw_ate", "aipw_att", "aipw_ate_overlap", "ato"):
            rows.append(covering(world, estimand, "effect_usd", ate))
        rows.append(mean(world, "aipw_ate", "mde_usd", 12.0))
        rows.append(claiming(world, "aipw_ate", "detects_effect", 0.4, float(not is_same)))
        rows.append(claiming(world, "run", "overlap_passes", float(world != "apart"), np.nan))
        rows.append(mean(world, "run", "residual_sd_usd", 100.0))
        rows += [
            covering(world, "t_learner", f"group_{group}_of_5_usd", 0.95) for group in range(1, 6)
        ]
        claimed = false_claims if is_same else 0.6
        for subject, figure in (
            ("champion", "finds_heterogeneity"),
            ("run", "ranking_passes"),
            ("champion", "targeting_pays"),
        ):
            rows.append(claiming(world, subject, figure, claimed, float(not is_same)))
        for subject, value in (
            ("zero", 2.0),
            ("constant", 1.0),
            ("t_learner", 1.7),
            ("dr_learner", 0.7),
            ("champion", champion),
        ):
            rows.append(mean(world, subject, "pehe_over_constant", value))
        rows.append(mean(world, "champion", "qini_normalised", 0.4))
        rows.append(mean(world, "dr_learner", "pointwise_coverage", pointwise))
        rows.append(mean(world, "dr_learner", "pointwise_multiple", 2.5))
        for subject in ("champion", "t_learner"):
            rows.append(covering(world, subject, "profit_usd", 0.95))
            rows.append(covering(world, subject, "optimistic_profit_usd", 0.3))
            rows.append(mean(world, subject, "policy_regret_usd", 0.5))
            rows.append(mean(world, subject, "policy_gain_usd", -0.1))
    return pd.DataFrame(rows, columns=[*CELL, *FIGURES])


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return benchmark_parameters(folder=tmp_path_factory.mktemp("pieces"), worlds=WORLDS)


def card_of(benchmark, **changed):
    return trust_card(
        summary=summary_of(**changed), benchmark=benchmark, level=0.95, power=0.8, outside="None."
    )


def answer(card, question):
    (line,) = [line for line in card.splitlines() if line.startswith("- **") and question in line]
    return line


def test_worlds_are_sorted_by_what_their_intervals_may_rest_on(benchmark):
    facts = world_facts(summary=summary_of(), worlds=benchmark.worlds)
    assert [facts[name, 300].should_cover for name in WORLDS] == [True, True, False, False, True]
    assert [facts[name, 300].is_heterogeneous for name in WORLDS] == [False, *[True] * 4]


def test_good_coverage_is_said_to_be_good(benchmark):
    found = answer(card_of(benchmark), "cover?")
    assert "6 of 6 ATE and quintile coverages lie within 92 to 98 % (all worlds " in found
    assert "together: ATE 95.0 % of 600; quintiles 95.0 % of 3,000). Outside beyond" in found
    assert "error: none; within it: none." in found


def test_a_world_that_fails_is_named(benchmark):
    card = card_of(benchmark, ate=0.85)
    found = answer(card, "cover?")
    assert "3 of 6" in found
    assert "beyond Monte-Carlo error: ATE in *same, 300* (85 %); ATE in *differs, 300*" in found
    assert "Where they do not, the ATE misses: *hidden, 300* (85 %); *apart, 300* (85 %)" in found
    assert "**85 % (79 to 89)**" in card


def test_doubt_by_few_replications_is_said(benchmark):
    found = answer(card_of(benchmark, ate=0.91), "cover?")
    assert "error: none; within it: ATE in *same, 300* (91 %)" in found


@pytest.mark.parametrize(
    ("champion", "expected"),
    [
        (0.8, "in 4 of 4: *differs, 300*; *hidden, 300*; *apart, 300*; *b, 300*."),
        (1.3, "in 0 of 4: none. Elsewhere believe the average only: *differs, 300*"),
    ],
)
def test_the_champion_is_held_against_one_effect_for_all(benchmark, champion, expected):
    found = answer(card_of(benchmark, champion=champion), "Which learner")
    assert expected in found
    assert "`dr_learner` (4)" in found


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, '"targeting pays" in 0 of 200 runs (up to 2 %); 5 % is allowed. Above it in a'),
        (0.2, 'beyond Monte-Carlo error: "calibration slope above 0" in *same, 300* (20 %)'),
    ],
)
def test_false_claims_are_counted_where_all_respond_alike(benchmark, share, expected):
    assert expected in answer(card_of(benchmark, false_claims=share), "heterogeneity")


def test_the_smallest_visible_effect_is_in_deviations_of_what_is_unexplained(benchmark):
    assert "from 0.12 (*same, 300*) to 0.12" in answer(card_of(benchmark), "How large")


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5, "good for none. The others"), (0.94, "good for `dr_learner`.")],
)
def test_intervals_of_a_household_are_offered_by_what_they_hold(benchmark, share, expected):
    assert expected in answer(card_of(benchmark, pointwise=share), "single household")


def test_money_is_read_only_where_a_dollar_is_one(benchmark):
    card = card_of(benchmark)
    assert "in 95 % of 400 runs. Read off the data that chose it, in 30 %" in answer(card, "profit")
    table = card.split("## What is a promised profit worth?")[1].split("##")[0]
    assert "| differs, 300 |" in table
    assert "| b, 300 |" not in table


def test_equal_figures_give_an_equal_page_without_a_date(benchmark):
    card = card_of(benchmark)
    assert card == card_of(benchmark)
    assert not re.search(r"20\d\d-\d\d", card)
    assert "`make card`" in card.splitlines()[2]


def test_coverage_of_groups_is_pooled_and_counts_replications():
    (found,) = group_figures(summary_of(), level=0.95).head(1).to_dict("records")
    assert found["intervals"] == 5 * N
    assert found["coverage"] == pytest.approx(0.95)
    bounds = wilson_interval(successes=190, trials=N, level=0.95)
    assert found["coverage_ci_low"] == pytest.approx(bounds.ci_low)


def test_a_hidden_cause_of_a_simulated_world_is_seen(benchmark):
    world = SimulatedWorld(
        kind="simulated",
        n_households=[300],
        full=1,
        effects=0,
        pointwise=0,
        parameters={"targeting": {"unobserved_confounding": 0.4}},
    )
    facts = world_facts(summary=summary_of(), worlds={**benchmark.worlds, "differs": world})
    assert facts["differs", 300].is_hidden


def test_labels_are_for_a_reader():
    assert cell_label(("poor_overlap", 12_500)) == "poor overlap, 12,500"


def test_every_figure_shows_every_world(benchmark):
    summary = summary_of()
    figures = [
        coverage_figure(summary=summary, card=benchmark.card, level=0.95),
        regret_figure(summary=summary, learners=["champion", "t_learner"]),
        discovery_figure(
            summary=summary,
            decisions=[("run", "ranking_passes", "ranking passes")],
            card=benchmark.card,
        ),
        pehe_figure(summary=summary),
    ]
    for figure in figures:
        labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert labels == [cell_label((name, 300)) for name in WORLDS]
    legend = mde_figure(summary=summary, worlds=["same", "apart"]).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["same", "apart"]


def test_the_record_has_learners_apart_and_names_that_the_store_takes():
    record = benchmark_record(summary=summary_of())
    assert {one.learner for one in record.learners} == {
        "zero", "constant", "t_learner", "dr_learner",
    }  # fmt: skip
    assert record.metrics["coverage_of_effect_usd/aipw_ate/differs/300"] == 0.95
    assert record.metrics["targeting_pays/champion/same/300"] == 0.0
    for name in record.metrics:
        assert re.fullmatch(r"[\w\-. :/]{1,250}", name)


def test_sets_that_were_not_run_are_named_with_the_reason():
    rows = pd.DataFrame({"set": ["ihdp"], "figure": ["skipped"], "note": ["no folder named"]})
    empty = pd.DataFrame(columns=["learner", "ours", "figure"])
    text = outside_paragraph(rows=rows, comparison=empty)
    assert text == "Not run: `ihdp` (no folder named)."


def test_sets_that_were_run_are_held_against_the_best_peer():
    rows = pd.DataFrame({"set": ["ihdp"], "figure": ["pehe"], "note": [""]})
    comparison = pd.DataFrame(
        {
            "set": ["ihdp"],
            "figure": ["pehe"],
            "ours": ["champion"],
            "learner": ["best single peer"],
            "value_ours": [1.2],
            "value": [1.5],
            "difference": [-0.3],
            "difference_ci_low": [-0.5],
            "difference_ci_high": [-0.1],
            "n_pairs": [10],
        }
    )
    text = outside_paragraph(rows=rows, comparison=comparison)
    assert "| ihdp | error of the effects (PEHE) | 1.2 | 1.5 | -0.3 (-0.5 to -0.1) | 10 |" in text
    assert "Not run" not in text
