"""Robust intervals against HonestDiD's README, diff-diff's solver and a linear program."""

from dataclasses import replace

import numpy as np
import pytest
from diff_diff.honest_did import _flci_solve
from scipy.optimize import linprog
from scipy.stats import norm

from promo_uplift.effects.panel import honest_relative
from promo_uplift.effects.panel.event_study_path import EventStudyPath
from promo_uplift.effects.panel.honest import HonestSettings, honest_bounds
from promo_uplift.effects.panel.honest_relative import relative_magnitude_interval
from promo_uplift.effects.panel.honest_smoothness import fixed_length_estimator
from tests.golden.medicaid import medicaid_path, r_normals

FIRST = np.array([1.0, 0.0])
R_GRID = 1_000


@pytest.fixture(scope="module")
def path():
    return medicaid_path()


def printed(value):
    """Three significant digits, as R prints a tibble."""
    return float(f"{value:.3g}")


def moments(path, step, m):
    post = np.zeros((path.n_post, len(path.estimates)))
    post[:, path.n_pre :] = np.eye(path.n_post) - np.eye(path.n_post, k=-1)
    return np.vstack([post - m * step, -post - m * step])


def pre_steps(path):
    steps = np.zeros((path.n_pre, len(path.estimates)))
    steps[:, : path.n_pre] = np.eye(path.n_pre, k=1) - np.eye(path.n_pre)
    return np.vstack([steps, -steps])


def moment_weights(se, weights):
    """The dual's vertices as weights of the moments."""
    k, ahead = len(weights), np.cumsum(weights[::-1])[::-1]
    both = np.hstack([np.eye(k), np.eye(k)]) / (se[:k] + se[k:])[:, None]
    above, below = np.zeros(2 * k), np.zeros(2 * k)
    above[:k], below[k:] = ahead / (ahead @ se[:k]), ahead / (ahead @ se[k:])
    return np.vstack([both, above, below])


def with_r_critical_values(path, m, polyhedra, size):
    """The same tests with R's first stage: the quantile of 1,000 draws under seed 0."""
    replaced = []
    for step, one in zip(pre_steps(path), polyhedra, strict=True):
        rows = moments(path, step, m)
        spread = rows @ path.covariance @ rows.T
        values, vectors = np.linalg.eigh(spread)
        root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        draws = r_normals(1_000 * len(rows)).reshape(1_000, len(rows)) @ root
        largest = draws @ moment_weights(np.sqrt(np.diag(spread)), FIRST).T
        replaced.append(replace(one, critical=np.quantile(largest.max(axis=1), 1.0 - size)))
    return replaced


def on_grid(interval, centre, reach):
    grid = np.linspace(centre - reach, centre + reach, R_GRID)
    inside = grid[(grid >= interval.ci_low) & (grid <= interval.ci_high)]
    return printed(inside[0]), printed(inside[-1])


@pytest.mark.parametrize(
    ("m", "low", "high"),
    [
        (0.5, 0.0240, 0.0672),
        (1.0, 0.0170, 0.0720),
        (1.5, 0.00824, 0.0797),
        (2.0, -0.000916, 0.0881),
    ],
)
def test_relative_magnitudes_equal_the_readme_on_its_first_grid(path, m, low, high):
    found = relative_magnitude_interval(
        path=path, weights=FIRST, m=m, level=0.95, first_stage_share=0.1
    )
    reach = 20.0 * path.target(weights=FIRST)[1]
    assert on_grid(found, 0.0, reach) == (low, high)


@pytest.mark.parametrize(
    ("m", "low", "high"),
    [(0.5, 0.0241, 0.0673), (1.0, 0.0171, 0.0720), (1.5, 0.00859, 0.0796), (2.0, -0.00107, 0.0883)],
)
def test_relative_magnitudes_equal_the_newer_readme_with_r_s_draws(path, m, low, high, monkeypatch):
    """The newer README has another grid; two of its bounds hang on R's 1,000 draws."""
    exact = honest_relative._polyhedra

    def drawn(*arguments):
        return with_r_critical_values(path, m, exact(*arguments), arguments[-1])

    monkeypatch.setattr(honest_relative, "_polyhedra", drawn)
    found = relative_magnitude_interval(
        path=path, weights=FIRST, m=m, level=0.95, first_stage_share=0.1
    )
    value, se = path.target(weights=FIRST)
    largest = np.abs(np.diff([*path.pre, 0.0])).max()
    assert on_grid(found, value, m * largest + 20.0 * se) == (low, high)


@pytest.mark.parametrize(
    ("m", "low", "high", "slack"),
    [
        (0.0, 0.0259, 0.0607, 2e-6),  # R: .025951, and its cone solver stops within 2e-6
        (0.01, 0.0132, 0.0787, 0.0),
        (0.02, 0.00286, 0.0907, 0.0),
        (0.03, -0.00714, 0.101, 0.0),
        (0.04, -0.0171, 0.111, 0.0),
        (0.05, -0.0271, 0.121, 0.0),
    ],
)
def test_smoothness_equals_the_readme_with_r_s_quantile(path, m, low, high, slack):
    """R's folded normal quantile comes from a million draws; ours is exact."""
    found = fixed_length_estimator(path=path, weights=FIRST, m=m, level=0.95)
    quantile = np.quantile(np.abs(r_normals(1_000_000) + found.bias / found.se), 0.95)
    half = quantile * found.se
    assert low in {printed(found.estimate - half), printed(found.estimate - half - slack)}
    assert printed(found.estimate + half) == high
    assert found.half_length == pytest.approx(half, rel=2e-3)


def some_path(seed, n_pre, n_post):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n_pre + n_post, n_pre + n_post + 3))
    covariance = factor @ factor.T / 50.0 + 0.05
    return EventStudyPath(rng.normal(size=n_pre + n_post), covariance, n_pre)


@pytest.mark.parametrize(("seed", "n_pre", "n_post"), [(0, 4, 3), (1, 6, 1), (2, 2, 4), (3, 1, 2)])
@pytest.mark.parametrize("m", [0.0, 0.1, 1.0])
def test_smoothness_is_never_longer_than_diff_diffs(seed, n_pre, n_post, m):
    path = some_path(seed, n_pre, n_post)
    weights = np.full(n_post, 1.0 / n_post)
    ours = fixed_length_estimator(path=path, weights=weights, m=m, level=0.95)
    low, high, _ = _flci_solve(path.pre, path.post, path.covariance, weights, n_pre, n_post, m)
    assert ours.half_length <= (high - low) / 2.0 * (1.0 + 1e-9)
    assert ours.half_length == pytest.approx((high - low) / 2.0, rel=1e-4)
    assert ours.estimate == pytest.approx((high + low) / 2.0, abs=0.02 * ours.half_length)


@pytest.mark.parametrize("seed", range(6))
def test_the_test_statistic_is_the_linear_program_s(seed):
    """Andrews, Roth & Pakes' program, solved, against the vertices in closed form."""
    path = some_path(seed, 3, 3)
    weights = np.array([0.2, 0.0, 0.8]) if seed % 2 else np.full(3, 1 / 3)
    m, theta = 0.7, 0.3
    polyhedra = honest_relative._polyhedra(path, weights, m, 0.005)
    nuisance = np.linalg.svd(weights[None, :])[2][1:].T
    direction = weights / (weights @ weights)
    for step, one in zip(pre_steps(path), polyhedra, strict=True):
        rows = moments(path, step, m)
        se = np.sqrt(np.diag(rows @ path.covariance @ rows.T))
        y = rows @ path.estimates - rows[:, 3:] @ direction * theta
        program = linprog(
            [1.0, 0.0, 0.0],
            A_ub=-np.column_stack([se, rows[:, 3:] @ nuisance]),
            b_ub=-y,
            bounds=(None, None),
        )
        assert (one.values + one.slopes * theta).max() == pytest.approx(program.fun, abs=1e-8)


def test_the_first_stage_s_critical_value_is_that_of_draws(path):
    one = honest_relative._polyhedra(path, FIRST, 2.0, 0.05)[0]
    draws = np.random.default_rng(0).multivariate_normal(
        np.zeros(len(one.values)), one.covariance, size=400_000, check_valid="ignore"
    )
    assert (draws.max(axis=1) > one.critical).mean() == pytest.approx(0.05, abs=0.0015)


@pytest.mark.parametrize("n_post", [1, 3])
def test_nothing_relative_to_the_past_is_the_plain_interval(n_post):
    path = some_path(5, 4, n_post)
    weights = np.full(n_post, 1.0 / n_post)
    found = relative_magnitude_interval(
        path=path, weights=weights, m=0.0, level=0.9, first_stage_share=0.1
    )
    value, se = path.target(weights=weights)
    half = norm.ppf(0.95) * se
    assert [found.ci_low, found.ci_high] == pytest.approx([value - half, value + half], abs=1e-6)


def test_both_hold_the_effect_as_often_as_they_say_when_trends_part():
    """Trends as bad as the restriction allows, and every bound at its edge."""
    covariance = 0.05 * (np.eye(5) + 1.0)
    drift = np.array([0.0, 1.0, 0.0])  # before: steps +1 and -1, the reference period at 0
    trend = np.concatenate([drift, [1.0, 2.0]])  # after: +1 a period, Mbar = 1
    rng = np.random.default_rng(4)
    draws = rng.multivariate_normal(trend, covariance, size=150)
    weights = np.array([0.0, 1.0])
    held = np.zeros(2)
    for draw in draws:
        path = EventStudyPath(draw, covariance, 3)
        relative = relative_magnitude_interval(
            path=path, weights=weights, m=1.0, level=0.9, first_stage_share=0.1
        )
        smooth = fixed_length_estimator(path=path, weights=weights, m=2.0, level=0.9).interval
        held += [relative.ci_low <= 0.0 <= relative.ci_high, smooth.ci_low <= 0 <= smooth.ci_high]
    assert (held / len(draws) > 0.9 - 3 * np.sqrt(0.09 / len(draws))).all()
    assert held[0] < len(draws)  # it can miss


def test_breakdown_values_are_those_of_the_readme(path):
    settings = HonestSettings((0.5, 1.0, 1.5, 2.0, 3.0), (0.0, 0.01, 0.02, 0.03), 0.95, 0.1)
    bounds = honest_bounds(path=path, weights=FIRST, settings=settings)
    relative, smooth = bounds.breakdowns
    assert relative.value == pytest.approx(2.0, abs=0.1)
    assert smooth.value == pytest.approx(0.0228, abs=2e-4)
    flags = [relative.is_at_least, relative.is_never, smooth.is_at_least, smooth.is_never]
    assert not any(flags)
    table = bounds.table.set_index(["restriction", "m"])["excludes_zero"]
    assert table["relative_magnitude"].tolist() == [True, True, True, False, False]
    assert table["smoothness"].tolist() == [True, True, True, False]
    assert bounds.target == "effect in period 0 from treatment on (0 is the first)"
