"""Areas and curves of one ranking without bootstrap weights, as the tests compare them."""

import numpy as np

from promo_uplift.metrics.gain import Weights, autoc, gain_curve, rank_rows
from promo_uplift.metrics.gain import areas as gain_areas


def of_rows(weights):
    """Weights of rows that are households of their own."""
    return Weights.of(code=np.arange(len(weights)), counts=np.asarray(weights, dtype=np.uint8))


def areas(scores, ranking, weights=None):
    weights = np.ones((len(scores), 1)) if weights is None else weights[:, np.newaxis]
    ranked = rank_rows(ranking=ranking, weights=of_rows(weights))
    auuc, qini = (area[0] for area in gain_areas(ranked=ranked, scores=scores))
    return {
        "auuc": auuc,
        "qini": qini,
        "autoc": autoc(ranked=ranked, scores=scores)[0],
        "q1": gain_curve(ranked=ranked, scores=scores, shares=np.ones(1))[0, 0],
    }


def curve(scores, ranking, shares):
    ranked = rank_rows(ranking=ranking, weights=of_rows(np.ones((len(scores), 1))))
    return gain_curve(ranked=ranked, scores=scores, shares=np.asarray(shares))[:, 0]
