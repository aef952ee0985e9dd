"""The Medicaid event study of HonestDiD's README, and R's draws that its figures contain."""

from importlib import resources

import numpy as np
import pandas as pd
from scipy.special import ndtri

from promo_uplift.effects.panel.event_study_path import EventStudyPath


def medicaid_path():
    """`dins ~ i(year, D, ref = 2013) | stfips + year`, clustered by state, as fixest has it."""
    file = resources.files("moderndid") / "core/datasets/ehec_data.pkl.gz"
    raw = pd.read_pickle(file)  # noqa: S301 - shipped by an installed package
    kept = raw[(raw["year"] < 2016) & (raw["yexp2"].isna() | (raw["yexp2"] != 2015))]
    outcome = kept.pivot_table(index="stfips", columns="year", values="dins")
    is_treated = kept.groupby("stfips")["yexp2"].first().reindex(outcome.index) == 2014
    years = [year for year in outcome.columns if year != 2013]

    def within(table):
        return table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()

    y = within(outcome.to_numpy())
    dummies = [np.outer(is_treated, outcome.columns == year).astype(float) for year in years]
    x = np.stack([within(one) for one in dummies], axis=2)
    bread = np.linalg.inv(np.einsum("itj,itk->jk", x, x))
    beta = bread @ np.einsum("itj,it->j", x, y)
    scores = np.einsum("itj,it->ij", x, y - x @ beta)
    n, clusters = y.size, len(y)
    # fixest counts the years' effects and the coefficients, not the states' (nested in clusters)
    counted = len(years) + y.shape[1]
    correction = clusters / (clusters - 1) * (n - 1) / (n - counted)
    return EventStudyPath(beta, correction * bread @ scores.T @ scores @ bread, n_pre=5)


def r_normals(n):
    """`set.seed(0); rnorm(n)` of R: its Mersenne twister, inverted."""
    word, words = 0, []
    for _ in range(50 + 625):
        word = (69069 * word + 1) % 2**32
        words.append(word)
    generator = np.random.RandomState()
    generator.set_state(("MT19937", np.array(words[51:], dtype=np.uint32), 624))
    uniform = generator.randint(0, 2**32, size=2 * n, dtype=np.uint32) * 2.3283064365386963e-10
    big = 134217728
    return ndtri((np.floor(big * uniform[0::2]) + uniform[1::2]) / big)
