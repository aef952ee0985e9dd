"""The outside sets on small stand-ins: what is read, what is skipped, what is refused by name."""

from __future__ import annotations

import numpy as np
import pytest
from sets_stand_ins import ROWS, WRITERS, write_ihdp

from promo_uplift.benchmark.sets import (
    SETS,
    SkippedSet,
    find_set,
    load_set,
    numeric_covariates,
    to_trial_data,
)
from promo_uplift.benchmark.sets.hillstrom import OUTCOMES as HILLSTROM_OUTCOMES
from promo_uplift.contracts.errors import ConfigurationError, SourceError

#: Every column of a file that the treatment or time after it decides, or that is the answer.
AFTER = {
    "ihdp": {"treatment", "y_factual", "y_counterfactual", "mu0", "mu1"},
    "acic2016": {"z", "y", "y0", "y1", "mu0", "mu1"},
    "hillstrom_womens": {"segment", "mailed", *HILLSTROM_OUTCOMES},
    "hillstrom_mens": {"segment", "mailed", *HILLSTROM_OUTCOMES},
    "lenta": {"is_treatment", "response_att", "response_sms", "response_viber"},
    "lenta_biased": {"is_treatment", "response_att", "response_sms", "response_viber"},
}
AFTER |= {name: {"treatment", "letter", "voted"} for name in SETS if name.startswith("ggl_")}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    for write in WRITERS.values():
        write(folder)
    return folder


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_read_with_its_roles(name, root):
    bench = load_set(name=name, root=root)
    assert set(bench.frame[bench.treatment].unique()) == {0, 1}
    assert not bench.frame[bench.outcome].isna().any()
    assert set(bench.frame.columns) >= {bench.treatment, bench.outcome, *bench.covariates}
    assert (bench.known_propensity is None) == (SETS[name].design == "observational")
    assert (bench.truth is not None) == (name in ("acic2016", "ihdp"))


@pytest.mark.parametrize("name", SETS)
def test_nothing_from_after_the_treatment_is_a_covariate(name, root):
    bench = load_set(name=name, root=root)
    covariates = numeric_covariates(bench=bench)
    assert not AFTER[name] & set(bench.covariates)
    assert not AFTER[name] & {column.split("=")[0] for column in covariates.columns}


@pytest.mark.parametrize("name", SETS)
def test_covariates_are_numbers_and_arrays_are_aligned(name, root):
    bench = load_set(name=name, root=root)
    data = to_trial_data(bench=bench, covariates=numeric_covariates(bench=bench))
    assert (data.covariates.dtypes == np.float64).all()
    lengths = {len(data.covariates), len(data.treatment), len(data.outcome), len(data.groups)}
    assert lengths == {bench.n_rows}


def test_text_becomes_one_indicator_for_each_level(root):
    covariates = numeric_covariates(bench=load_set(name="hillstrom_womens", root=root))
    levels = [name for name in covariates.columns if name.startswith("zip_code")]
    assert levels == ["zip_code=Rural", "zip_code=Surburban", "zip_code=Urban"]
    assert (covariates[levels].sum(axis="columns") == 1.0).all()
    assert set(covariates["history_segment"]) == {1.0, 2.0}


def test_the_observed_outcome_is_that_of_the_arm(root):
    bench = load_set(name="ihdp", root=root, replicate=2)
    truth = bench.truth
    treated = bench.frame[bench.treatment].to_numpy() == 1
    expected = np.where(treated, truth.mu1, truth.mu0)
    assert np.abs(bench.frame[bench.outcome] - expected).mean() < 0.6  # noise sd .5
    np.testing.assert_allclose(truth.cate, truth.mu1 - truth.mu0)


def test_one_mailing_is_compared_with_none_and_the_other_is_left_out(root):
    womens, mens = (load_set(name=f"hillstrom_{arm}", root=root) for arm in ("womens", "mens"))
    assert womens.n_rows == mens.n_rows == ROWS * 2 // 3
    assert womens.frame[womens.treatment].sum() == mens.frame[mens.treatment].sum() == ROWS // 3


def test_answers_in_both_cases_and_labels_with_blanks_are_read(root):
    bench = load_set(name="ggl_self", root=root)
    assert set(bench.frame["p2004"]) == set(bench.frame["g2000"]) == {0, 1}
    assert bench.groups == "hh_id"
    assert bench.n_rows == ROWS * 2 // 5


def test_rows_can_be_taken_with_their_truth(root):
    bench = load_set(name="acic2016", root=root)
    rows = np.array([5, 3, 8])
    taken = bench.take(rows)
    np.testing.assert_array_equal(taken.truth.cate, bench.truth.cate[rows])
    np.testing.assert_array_equal(taken.frame["x_1"], bench.frame["x_1"].iloc[rows])
    mask = np.isin(np.arange(ROWS), rows)
    np.testing.assert_array_equal(bench.take(mask).truth.mu0, bench.truth.mu0[mask])


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        (None, "no folder named: set `benchmark.root`"),
        ("nowhere", "no folder `ihdp` below `benchmark.root`"),
    ],
)
def test_an_absent_set_is_skipped_with_its_reason(folder, reason, tmp_path):
    root = None if folder is None else tmp_path / folder
    assert load_set(name="ihdp", root=root) == SkippedSet("ihdp", reason)


def test_an_absent_file_is_skipped_by_name(tmp_path):
    write_ihdp(tmp_path)
    (tmp_path / "ihdp" / "ihdp_npci_4.csv").unlink()
    skipped = find_set(name="ihdp", root=tmp_path)
    assert skipped == SkippedSet("ihdp", "`ihdp` lacks ihdp_npci_4.csv")


def test_unknown_sets_and_replicates_are_refused(root):
    with pytest.raises(ConfigurationError, match=r"`idhp` is unknown. Did you mean `ihdp`\?"):
        load_set(name="idhp", root=root)
    with pytest.raises(ConfigurationError, match=r"`replicate` of `ihdp` must be one of.*got 6"):
        load_set(name="ihdp", root=root, replicate=6)


def gap(column):
    return lambda table: table.mask((table.index == 7)[:, None] & (table.columns == column))


def text(column):
    return lambda table: table.assign(**{column: "?"})


def without(column):
    return lambda table: table.drop(columns=column)


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        ("ihdp", lambda t: t.drop(columns=9), r"`ihdp_npci_1.csv` must have 30 columns.*found 29"),
        ("ihdp", gap(4), r"`ihdp_npci_1.csv`: column `mu1`.*1 of 240 are not, first in row 7"),
        ("acic2016", without("mu0"), r"`zymu_1.csv` must have the columns \['mu0'\]"),
        ("acic2016", lambda t: t.assign(z=2), r"`zymu_1.csv`: column `z` must be one of.*\['2'\]"),
        ("acic2016", lambda t: t.head(9), r"`zymu_1.csv` must have one row.*found 9 and 240"),
        ("hillstrom_womens", text("spend"), r"`hillstrom.csv`: column `spend` must hold numbers"),
        ("hillstrom_womens", text("segment"), r"`hillstrom.csv`: column `segment`.*\['\?'\]"),
        ("hillstrom_womens", text("history_segment"), r"column `history_segment`.*240 of"),
        ("lenta", gap("is_women"), r"`lenta_dataset.csv`: column `is_women`.*row 7"),
        ("lenta", lambda t: t.assign(response_att=3), r"column `response_att`.*found \['3'\]"),
        ("lenta", lambda t: t.head(0), r"`lenta_dataset.csv` must have rows"),
        ("ggl_neighbors", text("voted"), r"column `voted` must be one of \['no', 'yes'\]"),
        ("ggl_neighbors", text("treatment"), r"column `treatment`.*'neighbors'.*found \['\?'\]"),
        ("ggl_neighbors", without("hh_id"), r"must have the columns \['hh_id'\]"),
    ],
)
def test_wrong_content_is_refused_by_file_and_column(name, change, found, tmp_path):
    WRITERS[name](tmp_path, change=change)
    with pytest.raises(SourceError, match=found):
        load_set(name=name, root=tmp_path)


def test_a_file_that_is_no_table_is_refused(tmp_path):
    write_ihdp(tmp_path)
    (tmp_path / "ihdp" / "ihdp_npci_1.csv").write_bytes(b"")
    with pytest.raises(SourceError, match=r"`ihdp_npci_1.csv` must be a CSV file"):
        load_set(name="ihdp", root=tmp_path)
