"""Areas and curves of one ranking without bootstrap weights, as the tests compare them."""

import numpy as np

from promo_uplift.metrics.gain import autoc, auuc, block_gains, gain_curve, rank_rows


def areas(scores, ranking, weights=None):
    weights = np.ones((len(scores), 1)) if weights is None else weights[:, np.newaxis]
    ranked = rank_rows(ranking=ranking, weights=weights)
    gains = block_gains(ranked=ranked, scores=scores)
    area = auuc(ranked=ranked, gains=gains)[0]
    return {
        "auuc": area,
        "qini": area - 0.5 * gains.sum(),
        "autoc": autoc(ranked=ranked, gains=gains)[0],
        "q1": gains.sum(),
    }


def curve(scores, ranking, shares):
    ranked = rank_rows(ranking=ranking, weights=np.ones((len(scores), 1)))
    gains = block_gains(ranked=ranked, scores=scores)
    return gain_curve(ranked=ranked, gains=gains, shares=np.asarray(shares))[:, 0]
