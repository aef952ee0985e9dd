"""The published files themselves, where they lie beside the checkout: known counts and effects."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import numpy as np
import pytest
from sets_settings import TREES, analysis_parameters

from promo_uplift.benchmark.sets import SETS, SkippedSet, load_set, set_spec
from promo_uplift.benchmark.sets.positivity import positivity_table
from promo_uplift.benchmark.sets.splitting import split_set
from promo_uplift.contracts.parameters import LearnerParameters

REPOSITORY = Path(__file__).resolve().parents[2]
ROOT = Path(os.environ.get("PROMO_UPLIFT_SETS", REPOSITORY.parent / "shared" / "data"))

pytestmark = pytest.mark.shared

#: Rows, share treated, plain difference of the arms: of the publications or of the files.
KNOWN = {
    "acic2016": (4_802, 0.179, 3.58),
    "ihdp": (747, 139 / 747, 4.02),
    "hillstrom_womens": (42_693, 0.501, 0.0452),
    "hillstrom_mens": (42_613, 0.500, 0.0766),
    "lenta": (50_000, 0.754, 0.0091),
    "lenta_biased": (35_530, 0.654, -0.0458),
    "ggl_civic_duty": (229_461, 1 / 6, 0.3145 - 0.2966),
    "ggl_hawthorne": (229_447, 1 / 6, 0.3224 - 0.2966),
    "ggl_self": (229_461, 1 / 6, 0.3452 - 0.2966),
    "ggl_neighbors": (229_444, 1 / 6, 0.3779 - 0.2966),
}
#: Rows that the published table holds out of each split.
HELD_OUT = {"hillstrom_womens": 8_539, "ihdp": 150}


def loaded(name, replicate=1):
    bench = load_set(name=name, root=ROOT, replicate=replicate)
    if isinstance(bench, SkippedSet):
        pytest.skip(f"{bench.reason} (PROMO_UPLIFT_SETS names the folder)")
    return bench


@pytest.mark.parametrize("name", SETS)
def test_rows_arms_and_plain_difference_are_those_known(name):
    bench = loaded(name)
    n_rows, share, difference = KNOWN[name]
    treated = bench.frame[bench.treatment] == 1
    means = bench.frame.groupby(bench.treatment)[bench.outcome].mean()
    assert bench.n_rows == n_rows
    assert treated.mean() == pytest.approx(share, abs=0.001)
    assert means[1] - means[0] == pytest.approx(difference, abs=0.006 if bench.truth else 1e-4)


@pytest.mark.parametrize(("name", "replicate", "ate"), [("acic2016", 1, 2.13), ("ihdp", 1, 4.02)])
def test_the_average_true_effect_is_the_published_one(name, replicate, ate):
    assert loaded(name, replicate).truth.cate.mean() == pytest.approx(ate, abs=0.005)


@pytest.mark.parametrize("replicate", [2, 3])
def test_two_settings_of_acic_have_one_effect_for_everybody(replicate):
    assert np.ptp(loaded("acic2016", replicate).truth.cate) < 1e-9


@pytest.mark.parametrize("name", HELD_OUT)
def test_as_many_rows_are_held_out_as_in_the_published_table(name):
    split = split_set(bench=loaded(name), seed=11, shares=(0.6, 0.2))
    assert len(split.test) == HELD_OUT[name]


def test_a_households_voters_get_the_same_letter():
    bench = loaded("ggl_neighbors")
    letters = bench.frame.groupby(bench.groups)[bench.treatment].nunique()
    assert (letters == 1).all()


def sharp_analysis():
    """Enough trees for a propensity that reaches the clip where nobody was treated."""
    analysis = analysis_parameters()
    trees = {"defaults": TREES | {"n_estimators": 150, "min_child_samples": 50}}
    model = LearnerParameters.model_validate(trees)
    return analysis.model_copy(
        update={"nuisance": analysis.nuisance.model_copy(update={"model": model})}
    )


def test_the_biased_log_is_refused_or_bounded_and_the_truth_lies_in_its_bounds():
    table = positivity_table(
        log=loaded("lenta_biased"),
        experiment=loaded("lenta"),
        analysis=sharp_analysis(),
        seed=1,
    )
    truth = table[table["subject"] == "truth"].iloc[0]
    assert truth["value"] == pytest.approx(0.0091, abs=1e-4)
    for subject in ("as_observed", "as_experiment"):
        rows = table[table["subject"] == subject].set_index("figure")
        assert rows.loc["verdict", "note"].split(":")[0] in ("refuse", "bounds_only")
        assert rows.loc["naive", "value"] == pytest.approx(-0.0458, abs=1e-4)
        for bounds in ("manski_bounds", "overlap_bounds"):
            assert rows.loc[bounds, "ci_low"] < truth["value"] < rows.loc[bounds, "ci_high"]


def test_the_documented_digests_are_those_of_the_files():
    page = (REPOSITORY / "docs" / "outside-sets.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"`([\w./]+)`\s*\|\s*`([0-9a-f]{32})`", page))
    wanted = {
        f"{spec.folder}/{file}"
        for spec in map(set_spec, SETS)
        for replicate in spec.replicates
        for file in spec.files(replicate)
    }
    assert set(documented) == wanted
    for name, digest in documented.items():
        path = ROOT / name
        if not path.is_file():
            pytest.skip(f"no file {name} (PROMO_UPLIFT_SETS names the folder)")
        assert hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == digest
