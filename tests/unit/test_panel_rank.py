from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from promo_uplift.contracts.errors import MetricError
from promo_uplift.effects.panel import rank_report, refuse_rank_deficient

X = np.random.default_rng(4).normal(size=(60, 3))


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (
            {"post": [0, 1, 0, 1], "treatment": [0, 1, 0, 1]},
            "`post` and `treatment` are the same column: there is no untreated group",
        ),
        ({"y": X[:, 0], "x": 2.0 * X[:, 0]}, "`x` is 2 x `y`"),
        ({"one": np.ones(60), "z": np.full(60, 3.0), "y": X[:, 0]}, "`z` is constant"),
        ({"y": X[:, 0], "z": np.zeros(60)}, "`z` is 0 in every row"),
        (
            {"small": 1e-6 * X[:, 0], "big": 1e6 * X[:, 1], "copy": 1e6 * X[:, 1]},
            "`big` and `copy` are the same column",
        ),
    ],
)
def test_columns_that_repeat_each_other_are_named(
    columns: dict[str, np.ndarray], sentence: str
) -> None:
    with pytest.raises(MetricError) as refusal:
        refuse_rank_deficient(pd.DataFrame(columns))
    assert sentence in str(refusal.value)


def test_a_sum_of_columns_is_written_out_and_holds() -> None:
    design = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 0] - 3.0 * X[:, 1], "d": X[:, 2]})
    report = rank_report(design)
    assert (report.rank, report.n_columns, report.is_full) == (3, 4, False)
    assert report.condition_number == np.inf
    assert sorted(report.groups[0]) == ["a", "b", "c"]
    # what the sentence says is true of the rows
    said = report.sentences[0].replace(" x `", " * `").replace("`", "").split(" is ")
    found = design.eval(said[1])
    np.testing.assert_allclose(found, design[said[0]], atol=1e-5)


def test_rank_and_condition_of_a_full_design_are_those_of_numpy() -> None:
    design = pd.DataFrame(X, columns=["a", "b", "c"])
    report = refuse_rank_deficient(design)
    assert report.is_full
    assert report.rank == np.linalg.matrix_rank(X)
    unit = X / np.linalg.norm(X, axis=0)
    assert report.condition_number == pytest.approx(np.linalg.cond(unit))


def test_a_nearly_repeated_column_is_not_refused() -> None:
    design = pd.DataFrame({"a": X[:, 0], "b": X[:, 0] + 1e-5 * X[:, 1]})
    assert refuse_rank_deficient(design).condition_number > 1e4


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(MetricError, match=r"columns \['b'\] are not"):
        rank_report(pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, 1.0]}))
