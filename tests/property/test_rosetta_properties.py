"""What each definition does not depend on, and a witness where it does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.metrics import learners_rosetta, ranking_metrics, rosetta_table
from promo_uplift.metrics.rosetta import AVERAGED, MERGED, ROW_ORDER, definitions

KEYS = ["library", "function", "figure"]
#: Blocks of ties count alike whatever the order of their rows.
BLIND_TO_ROW_ORDER = {AVERAGED, MERGED, "all of a tie is above its cut"}


def world(n=60, seed=0, levels=None, binary=True):
    rng = np.random.default_rng(seed)
    ranking = rng.normal(size=n) if levels is None else rng.integers(0, levels, n).astype(float)
    treatment = rng.integers(0, 2, n)
    treatment[:2] = [0, 1]
    outcome = rng.integers(0, 2, n).astype(float) if binary else rng.normal(size=n)
    outcome[:2] = [0.0, 1.0]
    return {
        "ranking": ranking,
        "treatment": treatment,
        "outcome": outcome,
        "propensity": np.full(n, 0.5),
        "scores": rng.normal(size=n),
    }


def table(data, **more):
    return rosetta_table(**data, **more)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([None, 5]))
def test_only_the_order_of_the_ranking_matters(seed, levels):
    """EconML interpolates between the ranking's values at its percentiles: up to a tie it is blind.

    With a percentile between two rows any strictly increasing map leaves the same rows above it.
    """
    data = world(seed=seed, levels=levels)
    before = table(data)
    after = table(data | {"ranking": np.exp(2.0 * data["ranking"]) - 7.0})
    np.testing.assert_allclose(after["value"], before["value"], rtol=1e-9, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_without_ties_no_definition_depends_on_the_order_of_rows(seed):
    data = world(seed=seed)
    shuffle = np.random.default_rng(seed).permutation(60)
    after = table({name: values[shuffle] for name, values in data.items()})
    before = table(data)
    rest = before["function"] != "auuc_normalised"
    np.testing.assert_allclose(
        after.loc[rest, "value"], before.loc[rest, "value"], rtol=1e-9, atol=1e-12
    )


def test_the_published_auuc_depends_on_row_order_even_without_ties():
    """Its best order, by y (2 t - 1), ties most rows, and breaks these ties by position."""
    data = world(seed=0)
    shuffle = np.random.default_rng(0).permutation(60)
    values = [
        rows.loc[rows["function"] == "auuc_normalised", "value"].iloc[0]
        for rows in (table(data), table({name: v[shuffle] for name, v in data.items()}))
    ]
    assert abs(values[0] - values[1]) > 1e-3


def extremes(data):
    """The same ranking with all its rows tied, in the best and the worst order of rows."""
    tied = data | {"ranking": np.ones(60)}
    gain = data["outcome"] * (2 * data["treatment"] - 1) + data["scores"]
    orders = (np.argsort(-gain), np.argsort(gain))
    return [table({name: v[order] for name, v in tied.items()}) for order in orders]


def test_ties_move_exactly_the_definitions_that_say_so():
    best, worst = extremes(world())
    moved = ~np.isclose(best["value"], worst["value"], rtol=1e-9, atol=1e-12, equal_nan=True)
    says_so = ~best["ties"].isin(BLIND_TO_ROW_ORDER)
    assert set(best.loc[says_so, "ties"]) == {ROW_ORDER, "an order drawn from a seed"}
    assert not moved[~says_so].any()
    assert moved[says_so].all()


def test_a_constant_ranking_has_no_qini_where_ties_are_averaged():
    constant = table(world() | {"ranking": np.ones(60)}).set_index(KEYS)["value"]
    for library in ("promo_uplift", "scikit-uplift", "grf"):
        for (_, function, figure), value in constant[[library]].items():
            if figure == "qini" and "negative_effect=False" not in function:
                assert value == pytest.approx(0.0, abs=1e-12), function


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.floats(0.1, 50.0))
def test_figures_scale_with_the_outcome_unless_they_have_no_unit(seed, factor):
    data = world(seed=seed, binary=False)
    scaled = data | {name: factor * data[name] for name in ("outcome", "scores")}
    before, after = table(data), table(scaled)
    per = np.where(before["unit"] == "none", 1.0, factor)
    np.testing.assert_allclose(after["value"], per * before["value"], rtol=1e-7, atol=1e-9)


def test_which_normalised_scores_exceed_one():
    """Rankings that know the outcomes: what the page says of 1 as a bound."""
    highest = {}
    for seed in range(60):
        data = world(n=12, seed=seed)
        noise = np.random.default_rng(seed).normal(0.0, 0.3, 12)
        knowing = (2 * data["treatment"] - 1) * data["outcome"] + noise
        rows = table(data | {"ranking": knowing}).set_index("function")["value"]
        for name in rows.index[rows.index.str.contains("auc_score|normalize=True")]:
            value = rows[name]
            if np.isfinite(value):
                highest[name] = max(highest.get(name, -np.inf), value)
    assert highest["qini_auc_score(negative_effect=True)"] == pytest.approx(1.0)
    assert highest["qini_auc_score(negative_effect=False)"] > 1.5
    assert highest["uplift_auc_score"] > 1.0
    assert highest["qini_score(normalize=True)"] > 1.5


def test_a_doubled_table_doubles_sums_and_leaves_our_figures():
    data = world(n=400, levels=6)
    twice = {name: np.tile(values, 2) for name, values in data.items()}
    before, after = table(data).set_index(KEYS), table(twice).set_index(KEYS)
    ours = before.index.get_level_values("library") == "promo_uplift"
    np.testing.assert_allclose(after.loc[ours, "value"], before.loc[ours, "value"], rtol=1e-9)
    area = ("scikit-uplift", "qini_curve", "qini")
    assert after.loc[area, "value"] == pytest.approx(4.0 * before.loc[area, "value"])
    notebook = ("ten-bin notebooks", "compute_qini_coef", "qini")
    assert abs(after.loc[notebook, "value"]) > 1.5 * abs(before.loc[notebook, "value"])


def metric_parameters(replicates=20):
    return MetricParameters(
        uplift_shares=[0.1, 0.3],
        level=0.95,
        bootstrap_replicates=50,
        rosetta_replicates=replicates,
    )


def folded(seed=3, n=300):
    data = world(n=n, seed=seed)
    groups = np.repeat(np.arange(n // 2), 2)
    rng = np.random.default_rng(seed)
    rankings = {
        "champion": data.pop("ranking"),
        "response": rng.normal(size=n),
        "random": rng.normal(size=n),
    }
    return data, groups, groups % 3, rankings


def test_our_rows_are_the_leaderboards():
    data, groups, fold, rankings = folded()
    found = learners_rosetta(
        rankings=rankings,
        fold=fold,
        groups=groups,
        parameters=metric_parameters(),
        rng=np.random.default_rng(0),
        **data,
    )
    board = ranking_metrics(
        scores=data["scores"],
        rankings={**rankings, "constant": np.zeros(len(fold))},
        fold=fold,
        groups=groups,
        parameters=metric_parameters(),
        rng=np.random.default_rng(0),
    ).figures
    ours = found.loc[found["function"] == "doubly robust"]
    for learner in rankings:
        mine = ours.loc[ours["learner"] == learner].groupby("figure")["value"].first()
        for figure in ("qini", "auuc", "autoc"):
            assert mine[figure] == pytest.approx(board[learner][figure].estimate, abs=1e-12)
        assert mine["uplift_at_k"] == pytest.approx(
            board[learner]["uplift_at_10"].estimate, abs=1e-12
        )


def test_folds_count_by_their_size_and_each_is_judged_alone():
    data, groups, fold, rankings = folded()
    together = learners_rosetta(
        rankings=rankings,
        fold=fold,
        groups=groups,
        parameters=metric_parameters(0),
        rng=np.random.default_rng(0),
        **data,
    )
    by_hand = np.zeros(len(definitions(uplift_shares=[0.1, 0.3])))
    for number in range(3):
        rows = fold == number
        alone = rosetta_table(
            ranking=rankings["champion"][rows],
            uplift_shares=[0.1, 0.3],
            **{name: values[rows] for name, values in data.items()},
        )
        by_hand += rows.mean() * alone["value"].to_numpy()
    champion = together.loc[together["learner"] == "champion", "value"]
    np.testing.assert_allclose(champion, by_hand, rtol=1e-9, atol=1e-12)


def test_intervals_hold_households_together():
    """Rows repeated in one household carry no news: the interval must not shrink with them."""
    rng = np.random.default_rng(5)
    n = 150
    data = world(n=n, seed=5)
    copies = {name: np.repeat(values, 4) for name, values in data.items()}
    copies["ranking"] = copies["ranking"] + 1e-9 * rng.normal(size=4 * n)
    once = table(data, replicates=200, seed=1)
    alike = table(copies, groups=np.repeat(np.arange(n), 4), replicates=200, seed=1)
    apart = table(copies, replicates=200, seed=1)
    row = (once["function"] == "doubly robust") & (once["figure"] == "qini")
    width = [float((t["ci_high"] - t["ci_low"])[row].iloc[0]) for t in (once, alike, apart)]
    assert width[1] == pytest.approx(width[0], rel=0.1)
    assert width[2] < 0.65 * width[0]


def test_a_row_that_cannot_be_computed_says_what_it_needs():
    data = world()
    bare = rosetta_table(
        **{name: data[name] for name in ("ranking", "treatment", "outcome")}
    ).set_index(KEYS)
    missing = bare.loc[bare["note"] != "", "note"]
    assert missing["econml"].str.contains("scores").all()
    assert set(missing.loc["promo_uplift"]) == {
        "not computed: needs `scores`",
        "not computed: needs `propensity`",
    }
    assert np.isfinite(bare.loc["causalml", "value"].iloc[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"treatment": np.ones(60, dtype=int)}, "both arms"),
        ({"treatment": np.full(60, 2)}, "both arms"),
        ({"outcome": np.full(60, np.nan)}, "`outcome`"),
        ({"scores": np.zeros(59)}, "`scores`"),
        ({"propensity": np.ones(60)}, "strictly between 0 and 1"),
        ({"uplift_shares": [1.0]}, "`uplift_shares`"),
        ({"ranking": np.full(60, np.inf)}, "finite"),
    ],
)
def test_refusals_name_the_field(change, says):
    with pytest.raises(MetricError, match=says):
        rosetta_table(**(world() | change))


def test_a_large_table_has_values_without_intervals():
    data, groups, fold, rankings = folded()
    small, large = (
        learners_rosetta(
            rankings=rankings,
            fold=fold,
            groups=groups,
            parameters=metric_parameters().model_copy(update={"rosetta_max_rows": rows}),
            rng=np.random.default_rng(0),
            **data,
        )
        for rows in (300, 299)
    )
    np.testing.assert_allclose(small["value"], large["value"])
    assert small["ci_low"].notna().mean() > 0.8
    assert large["ci_low"].isna().all()
