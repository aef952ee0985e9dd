"""False discovery control equals two libraries and the procedure of the papers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.discovery import control_discoveries

#: Table 1 of Benjamini & Hochberg (1995): 15 endpoints of a trial; 4 are found at a rate of 5 %.
PUBLISHED = np.array(
    [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
        0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000,
    ]
)  # fmt: skip
SHARES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30)


def test_the_papers_example_finds_four():
    adjusted = control_discoveries(p_values=PUBLISHED, method="bh").adjusted
    assert int((adjusted <= 0.05).sum()) == 4


@pytest.mark.parametrize(("method", "theirs"), [("bh", "fdr_bh"), ("by", "fdr_by")])
@given(p_values=SHARES)
def test_both_methods_equal_scipy_and_statsmodels(method, theirs, p_values):
    values = np.array(p_values)
    adjusted = control_discoveries(p_values=values, method=method).adjusted
    np.testing.assert_allclose(adjusted, false_discovery_control(values, method=method))
    np.testing.assert_allclose(adjusted, multipletests(values, method=theirs)[1], atol=1e-12)


def test_missing_p_values_are_counted_and_are_no_part_of_the_family():
    values = np.array([0.01, np.nan, 0.04, np.nan, 0.03])
    found = control_discoveries(p_values=values, method="bh")
    assert (found.n_tested, found.n_missing) == (3, 2)
    assert np.isnan(found.adjusted[[1, 3]]).all()
    np.testing.assert_allclose(found.adjusted[[0, 2, 4]], [0.03, 0.04, 0.04])
    nothing = control_discoveries(p_values=np.array([np.nan]), method="by")
    assert (nothing.n_tested, nothing.n_missing) == (0, 1)


def test_what_is_no_p_value_or_method_is_refused():
    with pytest.raises(MetricError, match="between 0 and 1; 1 of 2"):
        control_discoveries(p_values=np.array([0.2, 1.7]), method="bh")
    with pytest.raises(MetricError, match="'bh' or 'by'"):
        control_discoveries(p_values=np.array([0.2]), method="holm")
