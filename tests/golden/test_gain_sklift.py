"""scikit-uplift takes binary outcomes of an experiment and compares arm means in the top k."""

import numpy as np
from gain_areas import curve
from sklift.metrics import qini_curve, uplift_curve


def known_propensity_scores(outcome, treatment, propensity):
    return outcome * treatment / propensity - outcome * (1 - treatment) / (1 - propensity)


def test_curves_coincide_where_each_tied_block_holds_one_of_each_arm():
    """Then treated and control counts in the top k are equal: uplift curve = n Q, Qini half."""
    rng = np.random.default_rng(21)
    pairs = 200
    treatment = np.tile([0, 1], pairs)
    prediction = np.repeat(rng.permutation(pairs).astype(float), 2)
    outcome = rng.integers(0, 2, 2 * pairs)
    n = 2 * pairs
    x, uplift = uplift_curve(outcome, prediction, treatment)
    ours = curve(known_propensity_scores(outcome, treatment, 0.5), prediction, x / n)
    np.testing.assert_allclose(n * ours, uplift, atol=1e-8)
    x, qini = qini_curve(outcome, prediction, treatment)
    np.testing.assert_allclose(n * ours / 2, qini, atol=1e-8)


def test_curves_differ_where_the_arms_are_mixed_by_chance():
    """Theirs divides by the arms' counts in the top k, ours by the known propensity."""
    rng = np.random.default_rng(22)
    n = 400
    treatment, outcome = rng.integers(0, 2, n), rng.integers(0, 2, n)
    prediction = rng.normal(size=n)
    x, uplift = uplift_curve(outcome, prediction, treatment)
    ours = n * curve(known_propensity_scores(outcome, treatment, 0.5), prediction, x / n)
    assert np.max(np.abs(ours - uplift)) > 1.0
