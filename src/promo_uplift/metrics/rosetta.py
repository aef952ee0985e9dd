r"""The Rosetta table: one ranking under every Qini and AUUC that the field calls by that name.

Each row is one definition, labelled by who uses it, with the number that this library returns on
the same ranking. What each of them means stands in ``docs/rosetta.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import MetricError
from promo_uplift.contracts.parameters import MetricParameters
from promo_uplift.contracts.results import FloatArray, IntArray
from promo_uplift.metrics import rosetta_definitions as by
from promo_uplift.metrics.arm_curves import PREFIX, arm_figures
from promo_uplift.metrics.bootstrap import household_draws, percentile_interval
from promo_uplift.metrics.fold_dependence import (
    AUUC_FACTOR,
    QINI_FACTOR,
    autoc_factor,
    group_factor,
    widened,
)
from promo_uplift.metrics.folds import FoldRows, fold_rows, validate_rankings, with_expected_random
from promo_uplift.metrics.gain import areas, autoc, gain_at, rank_rows

Figure = Literal["qini", "auuc", "autoc", "uplift_at_k"]
Needs = Literal["arms", "binary", "scores", "propensity"]
#: Order of tied rows in the figures of the published table.
TIE_SEED: Final = 0
OURS: Final = "promo_uplift"


@dataclass(frozen=True, slots=True)
class Definition:
    """One definition, and what a reader must know before comparing its number with another.

    Attributes
    ----------
    library, function : str
        Whose number it is, and the call that returns it.
    figure : {"qini", "auuc", "autoc", "uplift_at_k"}
    formula : str
        With N1, N0, S1, S0: rows and sums of outcomes by arm among the first k of n rows; G: the
        doubly robust score; Q(q): sum of G over the top share q, divided by n.
    unit : str
    random : str
        What a random ranking has, in expectation.
    ties : str
        What becomes of tied rows.
    propensity : str
        Whether a propensity that varies is handled.
    needs : {"arms", "binary", "scores", "propensity"}
        Outcome and arm of each row; the same with a 0/1 outcome; scores; a propensity.
    order : str or None
        Sort that the library uses; None where the value is computed for all replicates at once.
    value : callable or None
        Of the ordered rows.
    share : float
        Top share of ``uplift_at_k``.
    """

    library: str
    function: str
    figure: Figure
    formula: str
    unit: str
    random: str
    ties: str
    propensity: str
    needs: Needs
    order: by.Order | None = None
    value: by.Value | None = None
    share: float = 0.0


PER_ROW: Final = "outcome per row"
SUM: Final = "outcome x rows"
NO_UNIT: Final = "none"
HALF_ATE: Final = "half of the average effect"
AVERAGED: Final = "averaged over their orders"
MERGED: Final = "joined: one point of the curve"
ROW_ORDER: Final = "order of rows decides"
IGNORED: Final = "ignored: differences of arms"
BY_SCORES: Final = "in the scores"


def definitions(
    *, uplift_shares: Sequence[float], training_ranking: FloatArray | None = None
) -> tuple[Definition, ...]:
    """Every definition of the table, in its order.

    Parameters
    ----------
    uplift_shares : sequence of float
        The k of uplift at k, in (0, 1).
    training_ranking : float64 (t,), optional
        Predictions on EconML's training rows, whose percentiles it cuts at; None: the ranking's.
    """
    return (
        *_ours(uplift_shares),
        *_sklift(uplift_shares),
        *_causalml(),
        *_econml_and_grf(training_ranking),
        *_tables(uplift_shares),
    )


def _ours(uplift_shares: Sequence[float]) -> list[Definition]:
    found = []
    kinds: tuple[tuple[str, Needs, str], ...] = (
        ("doubly robust", "scores", BY_SCORES),
        ("inverse propensity", "propensity", "weights 1 / e"),
        ("naive", "arms", "ignored: one share of treated for all"),
    )
    for kind, needs, propensity in kinds:
        rows: list[tuple[Figure, str, str, str, float]] = [
            ("qini", "integral of Q(q) - q Q(1)", PER_ROW, "0", 0.0),
            ("auuc", "integral of Q(q)", PER_ROW, HALF_ATE, 0.0),
            ("autoc", "integral of Q(q) / q - Q(1)", PER_ROW, "0", 0.0),
        ]
        rows += [
            ("uplift_at_k", f"Q({k:g}) / {k:g}", "outcome per targeted row", "average effect", k)
            for k in uplift_shares
        ]
        found += [
            Definition(
                OURS, kind, figure, formula, unit, random, AVERAGED, propensity, needs, share=share
            )
            for figure, formula, unit, random, share in rows
        ]
    return found


def _sklift(uplift_shares: Sequence[float]) -> list[Definition]:
    library = "scikit-uplift"
    order: by.Order = "stable_reversed"
    curve = "area of S1 - S0 N1 / N0 over k, above its chord"
    rows: list[tuple[str, Figure, str, str, str, by.Value]] = [
        ("qini_curve", "qini", curve, SUM, "0", by.sklift_qini_area),
        (
            "qini_auc_score(negative_effect=True)",
            "qini",
            f"{curve}, over that of the order by y t - y (1 - t)",
            NO_UNIT,
            "0",
            by.sklift_qini_auc_score,
        ),
        (
            "qini_auc_score(negative_effect=False)",
            "qini",
            f"{curve}, over that of a curve that is at its end after so many rows",
            NO_UNIT,
            "0",
            by.sklift_qini_auc_score_without_negative,
        ),
        (
            "uplift_auc_score",
            "auuc",
            "area of k (S1 / N1 - S0 / N0) above its chord, over that of the perfect order",
            NO_UNIT,
            "0",
            by.sklift_uplift_auc_score,
        ),
    ]
    found = [
        Definition(
            library, function, figure, formula, unit, random, MERGED, IGNORED, "binary", order, how
        )
        for function, figure, formula, unit, random, how in rows
    ]
    strategies: tuple[Literal["overall", "by_group"], ...] = ("overall", "by_group")
    return found + [
        Definition(
            library,
            f"uplift_at_k(strategy='{strategy}', k={k:g})",
            "uplift_at_k",
            f"S1 / N1 - S0 / N0 in the top {k:g} of {rows_of}",
            "outcome per targeted row",
            "average difference of arms",
            ROW_ORDER,
            IGNORED,
            "binary",
            order,
            by.sklift_uplift_at_k(k, strategy),
            k,
        )
        for strategy, rows_of in zip(strategies, ("all rows", "each arm"), strict=True)
        for k in uplift_shares
    ]


def _causalml() -> list[Definition]:
    found = []
    for with_scores in (False, True):
        extra = ", treatment_effect_col=G" if with_scores else ""
        gain = "sum of G" if with_scores else "k (S1 / N1 - S0 / N0)"
        per_treated = "mean G x N1" if with_scores else "S1 - S0 N1 / N0"
        toc = ("mean of G" if with_scores else "S1 / N1 - S0 / N0") + " less that of all rows"
        for normalise in (True, False):
            over = ", over |its end|" if normalise else ""
            unit = NO_UNIT if normalise else SUM
            half = "about 1/2 (-1/2 if the effect is negative)" if normalise else "half of the end"
            found += [
                _of_causalml(
                    f"qini_score(normalize={normalise}{extra})",
                    "qini",
                    f"mean over k = 0..n of {per_treated} less the line to its end{over}",
                    unit,
                    "about 0",
                    by.causalml_qini_score(normalise=normalise, with_scores=with_scores),
                    with_scores,
                ),
                _of_causalml(
                    f"auuc_score(normalize={normalise}{extra})",
                    "auuc",
                    f"mean over k = 0..n of {gain}{over}",
                    unit,
                    half,
                    by.causalml_auuc_score(normalise=normalise, with_scores=with_scores),
                    with_scores,
                ),
            ]
        weightings: tuple[Literal["autoc", "qini"], ...] = ("autoc", "qini")
        found += [
            _of_causalml(
                f"rate_score(weighting='{weighting}'{extra})",
                weighting,
                f"mean of TOC(q) weighted by {weight}, TOC: {toc}",
                PER_ROW,
                "about 0",
                by.causalml_rate_score(weighting=weighting, with_scores=with_scores),
                with_scores,
            )
            for weighting, weight in zip(weightings, ("1 / q", "q"), strict=True)
        ]
    return found


def _of_causalml(
    function: str,
    figure: Figure,
    formula: str,
    unit: str,
    random: str,
    value: by.Value,
    with_scores: bool,
) -> Definition:
    return Definition(
        "causalml",
        function,
        figure,
        formula,
        unit,
        random,
        ROW_ORDER,
        BY_SCORES if with_scores else IGNORED,
        "scores" if with_scores else "arms",
        "frame",
        value,
    )


def _econml_and_grf(training_ranking: FloatArray | None) -> list[Definition]:
    cut = "sum over 49 percentile steps of (mean G above the cut - mean G)"
    whole = "all of a tie is above its cut"
    rate = "mean over k of (mean G of the first k - mean G)"
    rows: list[tuple[str, str, Figure, str, str, by.Order, by.Value]] = [
        (
            "econml",
            "DRTester.evaluate_uplift(metric='qini')",
            "qini",
            f"{cut} x share above it",
            whole,
            "stable",
            by.econml_uplift(metric="qini", training_ranking=training_ranking),
        ),
        (
            "econml",
            "DRTester.evaluate_uplift(metric='toc')",
            "autoc",
            cut,
            whole,
            "stable",
            by.econml_uplift(metric="toc", training_ranking=training_ranking),
        ),
        (
            "grf",
            "rank_average_treatment_effect(target='QINI')",
            "qini",
            f"{rate} x k / n",
            AVERAGED,
            "stable",
            by.grf_rate("QINI"),
        ),
        (
            "grf",
            "rank_average_treatment_effect(target='AUTOC')",
            "autoc",
            rate,
            AVERAGED,
            "stable",
            by.grf_rate("AUTOC"),
        ),
    ]
    return [
        Definition(
            library, function, figure, formula, PER_ROW, "0", ties, BY_SCORES, "scores", order, how
        )
        for library, function, figure, formula, ties, order, how in rows
    ]


def _tables(uplift_shares: Sequence[float]) -> list[Definition]:
    seeded = "an order drawn from a seed"
    itx: list[tuple[Figure, str, str, str, str, float]] = [
        (
            "qini",
            "qini_coefficient",
            "area of (S1 - S0 N1 / N0) / n over k / n, above its chord",
            PER_ROW,
            "0",
            0.0,
        ),
        (
            "auuc",
            "auuc_normalised",
            "area of k (S1 / N1 - S0 / N0), over that of the order by y (2 t - 1)",
            NO_UNIT,
            "depends on the table",
            0.0,
        ),
    ]
    itx += [
        (
            "uplift_at_k",
            f"uplift_at_k({k:g})",
            f"S1 / N1 - S0 / N0 in the top {k:g}",
            "outcome per targeted row",
            "average difference of arms",
            k,
        )
        for k in uplift_shares
    ]
    found = [
        Definition(
            "itx", function, figure, formula, unit, random, seeded, IGNORED, "arms", share=share
        )
        for figure, function, formula, unit, random, share in itx
    ]
    ten: list[tuple[Figure, str, str, str, str, by.Value]] = [
        (
            "qini",
            "compute_qini_coef",
            "trapezoids over the top tenths of S1 - S0 N1 / N0 less the line to its end",
            SUM,
            "about 0",
            by.ten_bin_qini,
        ),
        (
            "auuc",
            "compute_auuc",
            "trapezoids from .1 to 1 over S1 / N1 - S0 / N0 of the top tenths",
            PER_ROW,
            "0.9 x average difference of arms",
            by.ten_bin_auuc,
        ),
    ]
    return found + [
        Definition(
            "ten-bin notebooks",
            function,
            figure,
            formula,
            unit,
            random,
            ROW_ORDER,
            IGNORED,
            "arms",
            "numpy",
            how,
        )
        for figure, function, formula, unit, random, how in ten
    ]


@dataclass(frozen=True, slots=True)
class _Rows:
    """What the definitions are functions of, besides a ranking; each ``(n,)``."""

    treatment: IntArray
    outcome: FloatArray
    propensity: FloatArray | None
    scores: FloatArray | None

    def take(self, rows: IntArray) -> _Rows:
        return _Rows(
            self.treatment[rows],
            self.outcome[rows],
            None if self.propensity is None else self.propensity[rows],
            None if self.scores is None else self.scores[rows],
        )

    def missing(self, needs: Needs) -> str:
        """Return why a definition is not defined here, or nothing."""
        if needs == "scores" and self.scores is None:
            return "not computed: needs `scores`"
        if needs == "propensity" and self.propensity is None:
            return "not computed: needs `propensity`"
        if needs == "binary" and not np.array_equal(np.unique(self.outcome), [0.0, 1.0]):
            return "not defined: the library takes outcomes 0 and 1 only"
        return ""

    def own_scores(self, needs: Needs) -> FloatArray:
        """Scores behind our doubly robust, inverse-propensity and naive figures."""
        if needs == "scores" and self.scores is not None:
            return self.scores
        e: FloatArray | float = float(self.treatment.mean())
        if needs == "propensity" and self.propensity is not None:
            e = self.propensity
        treated = self.treatment == 1
        return np.asarray(np.where(treated, self.outcome / e, -self.outcome / (1.0 - e)))


def _validate(*, rows: _Rows, fold: IntArray) -> None:
    named = {"outcome": rows.outcome, "propensity": rows.propensity, "scores": rows.scores}
    for name, values in named.items():
        if values is None:
            continue
        if values.shape != fold.shape or not np.isfinite(values).all():
            raise MetricError(
                f"`{name}` must have one finite value per row, shape {fold.shape}; got shape "
                f"{values.shape} with {int((~np.isfinite(values)).sum())} values that are not."
            )
    if rows.treatment.shape != fold.shape:
        raise MetricError(
            f"`treatment` must have one value per row, shape {fold.shape}; got "
            f"{rows.treatment.shape}."
        )
    e = rows.propensity
    if e is not None and not ((e > 0.0) & (e < 1.0)).all():
        raise MetricError(
            f"`propensity` must lie strictly between 0 and 1; "
            f"{int((~((e > 0.0) & (e < 1.0))).sum())} of {len(e)} do not. Clip it, and count."
        )
    for number in np.unique(fold):
        arms = np.unique(rows.treatment[fold == number])
        if not np.array_equal(arms, [0, 1]):
            raise MetricError(
                "`treatment` must hold both arms, coded 0 and 1, in every fold; found "
                f"{arms.tolist()} in fold {number}. Use fewer folds or more rows."
            )


def _factor(definition: Definition) -> float:
    """Return how much folds that learn from each other widen the figure's interval."""
    if definition.figure == "uplift_at_k":
        return group_factor(low=1.0 - definition.share, high=1.0)
    if definition.figure == "autoc":
        return autoc_factor()
    return QINI_FACTOR if definition.figure == "qini" else AUUC_FACTOR


def _own_values(
    *, definition: Definition, ranking: FloatArray, rows: _Rows, part: FoldRows
) -> FloatArray:
    scores = rows.own_scores(definition.needs)
    ranked = rank_rows(ranking=ranking, weights=part.weights)
    if definition.figure == "uplift_at_k":
        return gain_at(ranked=ranked, scores=scores, share=definition.share) / definition.share
    if definition.figure == "autoc":
        return autoc(ranked=ranked, scores=scores)
    auuc, qini = areas(ranked=ranked, scores=scores)
    return qini if definition.figure == "qini" else auuc


def _published_values(
    *, chosen: Sequence[Definition], ranking: FloatArray, rows: _Rows, part: FoldRows
) -> dict[Definition, FloatArray]:
    shares = sorted({one.share for one in chosen if one.figure == "uplift_at_k"})
    found = arm_figures(
        treatment=rows.treatment,
        outcome=rows.outcome,
        ranking=ranking,
        weights=part.weights.counts[part.weights.code].astype(np.float64),
        uplift_shares=shares,
        tie_seed=TIE_SEED,
    )
    named = {"qini": PREFIX + "qini", "auuc": PREFIX + "auuc_normalised"}
    at_k = dict(zip(shares, list(found)[2:], strict=True))
    return {one: found[named.get(one.figure) or at_k[one.share]] for one in chosen}


def _ordered_values(
    *, chosen: Sequence[Definition], ranking: FloatArray, rows: _Rows, part: FoldRows
) -> dict[Definition, FloatArray]:
    counts = part.weights.counts[part.weights.code]
    replicates = counts.shape[1]
    found = {one: np.full(replicates, np.nan) for one in chosen}
    for name in by.ORDERS:
        of_order = [(one, one.value) for one in chosen if one.order == name and one.value]
        if not of_order:
            continue
        order = by.ranked_order(ranking=ranking, order=name)
        for replicate in range(replicates):
            picked = np.repeat(order, counts[order, replicate])
            treatment = rows.treatment[picked].astype(np.float64)
            if not 0.0 < treatment.sum() < len(treatment):
                continue  # NaN: a replicate without an arm has no figure
            sample = by.RankedSample.of(
                ranking=ranking[picked],
                treatment=treatment,
                outcome=rows.outcome[picked],
                scores=None if rows.scores is None else rows.scores[picked],
            )
            for one, value in of_order:
                found[one][replicate] = value(sample)
    return found


def _fold_values(
    *,
    chosen: Sequence[Definition],
    ranking: FloatArray,
    expected: FloatArray,
    rows: _Rows,
    part: FoldRows,
) -> dict[Definition, FloatArray]:
    """Value of each definition in one fold, on the sample and each replicate."""
    found = {
        one: _own_values(definition=one, ranking=expected, rows=rows, part=part)
        for one in chosen
        if one.library == OURS
    }
    itx = [one for one in chosen if one.order is None and one.library != OURS]
    merged = [one for one in chosen if one.order is not None and one.ties != ROW_ORDER]
    by_row = [one for one in chosen if one.order is not None and one.ties == ROW_ORDER]
    found |= _published_values(chosen=itx, ranking=ranking, rows=rows, part=part)
    found |= _ordered_values(chosen=merged, ranking=expected, rows=rows, part=part)
    return found | _ordered_values(chosen=by_row, ranking=ranking, rows=rows, part=part)


def learners_rosetta(  # noqa: PLR0913 - what the definitions are functions of
    *,
    rankings: Mapping[str, FloatArray],
    treatment: IntArray,
    outcome: FloatArray,
    propensity: FloatArray | None,
    scores: FloatArray | None,
    fold: IntArray,
    groups: IntArray,
    parameters: MetricParameters,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Every learner's held-out ranking under every definition, with intervals.

    Each definition is computed within each fold, on the rows of the fold alone, and averaged by
    the folds' size, as the leaderboard is: predictions of different folds come from different
    models. In one fold it is the number that the library returns on that fold's rows.

    Parameters
    ----------
    rankings : mapping of str to float64 (n,)
        Held-out predicted effect (or score) of each learner; where a truth is known, the true
        effect may be among them, as the best ranking there is. ``random`` is judged as one tie
        (its expectation) where a definition joins or averages ties, and by its coin elsewhere.
    treatment : int64 (n,)
        0 or 1.
    outcome : float64 (n,)
    propensity, scores : float64 (n,) or None
        P(treated), and doubly robust scores; without them their rows say so.
    fold, groups : int64 (n,)
        Fold and household of each row.
    parameters : MetricParameters
        Shares, level, ``rosetta_replicates`` (0: no interval) and ``rosetta_max_rows``.
    rng : Generator
        Draws the households once, for all learners and definitions.

    Returns
    -------
    DataFrame
        ``learner, library, function, figure, value, ci_low, ci_high, unit, random_ranking, ties,
        propensity, formula, note``. An undefined value is NaN, and ``note`` says why.

    Raises
    ------
    MetricError
        If shapes differ, a value is not finite, or a fold lacks an arm.

    Notes
    -----
    The interval is a household bootstrap of the definition itself; with several folds it carries
    their dependence (:mod:`promo_uplift.metrics.fold_dependence`). One replicate on which a
    definition is undefined leaves it without an interval.

    References
    ----------
    Radcliffe (2007), Direct Marketing Analytics Journal 3; Gutierrez & Gerardy (2017), PMLR 67;
    Devriendt, Guns & Verbeke (2020), arXiv:2002.05897; Yadlowsky et al. (2025), JASA 120(549),
    arXiv:2111.07966.
    """
    first = next(iter(rankings.values()), np.zeros(0))
    validate_rankings(scores=first, rankings=rankings, fold=fold, groups=groups)
    rows = _Rows(treatment, outcome, propensity, scores)
    _validate(rows=rows, fold=fold)
    everything = definitions(uplift_shares=parameters.uplift_shares)
    is_small = len(fold) <= parameters.rosetta_max_rows
    return _table(
        rankings=rankings,
        rows=rows,
        everything=everything,
        folds=fold_rows(
            fold=fold,
            draws=household_draws(
                groups=groups, replicates=parameters.rosetta_replicates if is_small else 0, rng=rng
            ),
        ),
        level=parameters.level,
    )


def rosetta_table(  # noqa: PLR0913 - the same
    *,
    ranking: FloatArray,
    treatment: IntArray,
    outcome: FloatArray,
    propensity: FloatArray | float | None = None,
    scores: FloatArray | None = None,
    groups: IntArray | None = None,
    uplift_shares: Sequence[float] = (0.3,),
    training_ranking: FloatArray | None = None,
    level: float = 0.95,
    replicates: int = 0,
    seed: int = 0,
) -> pd.DataFrame:
    """One ranking of your own under every definition.

    Parameters
    ----------
    ranking : float64 (n,)
        Predicted effect, or any score: the highest is targeted first.
    treatment : int64 (n,)
        0 or 1.
    outcome : float64 (n,)
        Any number; scikit-uplift's rows need 0 and 1.
    propensity : float64 (n,) or float, optional
        P(treated).
    scores : float64 (n,), optional
        Doubly robust scores (:func:`promo_uplift.nuisance.scores.dr_scores`).
    groups : int64 (n,), optional
        Household of each row; None: every row is its own.
    uplift_shares : sequence of float
        The k of uplift at k.
    training_ranking : float64 (t,), optional
        Predictions on EconML's training rows; None: its percentiles are those of ``ranking``.
    level : float
        Confidence level.
    replicates : int
        Household-bootstrap replicates; 0: no interval.
    seed : int

    Returns
    -------
    DataFrame
        As :func:`learners_rosetta`, without ``learner``.

    Raises
    ------
    MetricError
        As :func:`learners_rosetta`; or a share outside (0, 1).

    Examples
    --------
    >>> table = rosetta_table(
    ...     ranking=np.array([4.0, 3.0, 2.0, 1.0]),
    ...     treatment=np.array([1, 0, 0, 1]),
    ...     outcome=np.array([1.0, 0.0, 1.0, 0.0]),
    ... )
    >>> found = table.set_index(["library", "function"])["value"]
    >>> round(float(found["scikit-uplift", "qini_auc_score(negative_effect=True)"]), 3)
    0.833
    >>> round(float(found["causalml", "qini_score(normalize=False)"]), 3)
    0.4
    >>> round(float(found["promo_uplift", "naive"].iloc[0]), 3)
    0.25
    """
    if any(not 0.0 < share < 1.0 for share in uplift_shares):
        raise MetricError(
            f"`uplift_shares` must lie strictly between 0 and 1; got {list(uplift_shares)}."
        )
    values = np.asarray(ranking, dtype=np.float64)
    n = len(values)
    e = None if propensity is None else np.broadcast_to(np.asarray(propensity, np.float64), (n,))
    rows = _Rows(
        treatment=np.asarray(treatment).astype(np.int64),
        outcome=np.asarray(outcome, dtype=np.float64),
        propensity=e,
        scores=None if scores is None else np.asarray(scores, dtype=np.float64),
    )
    fold = np.zeros(n, dtype=np.int64)
    households = np.arange(n) if groups is None else np.asarray(groups)
    validate_rankings(scores=values, rankings={"ranking": values}, fold=fold, groups=households)
    _validate(rows=rows, fold=fold)
    rng = np.random.default_rng(seed)
    return _table(
        rankings={"ranking": values},
        rows=rows,
        everything=definitions(uplift_shares=uplift_shares, training_ranking=training_ranking),
        folds=fold_rows(
            fold=fold, draws=household_draws(groups=households, replicates=replicates, rng=rng)
        ),
        level=level,
    ).drop(columns="learner")


def _table(
    *,
    rankings: Mapping[str, FloatArray],
    rows: _Rows,
    everything: Sequence[Definition],
    folds: Sequence[FoldRows],
    level: float,
) -> pd.DataFrame:
    notes = {one: rows.missing(one.needs) for one in everything}
    chosen = [one for one in everything if not notes[one]]
    expected = with_expected_random(rankings)
    lines = []
    for learner, ranking in rankings.items():
        total = {one: np.zeros(len(folds[0].part)) for one in chosen}
        for part in folds:
            found = _fold_values(
                chosen=chosen,
                ranking=ranking[part.rows],
                expected=expected[learner][part.rows],
                rows=rows.take(part.rows),
                part=part,
            )
            for one, values in found.items():
                total[one] += part.part * values
        for one in everything:
            line = _line(one, total.get(one), len(folds), level)
            lines.append({"learner": learner, **line, "note": notes[one] or line["note"]})
    return pd.DataFrame(lines)


def _line(
    one: Definition, values: FloatArray | None, n_folds: int, level: float
) -> dict[str, object]:
    low, high, value, note = np.nan, np.nan, np.nan, ""
    if values is not None:
        value = float(values[0])
        if not np.isfinite(value):
            note = "not defined: the definition divides by zero on these rows"
        elif len(values) > 1:
            factor = _factor(one) if n_folds > 1 else 1.0
            interval = percentile_interval(
                values=widened(values=values, factor=factor), level=level
            )
            low, high = interval.ci_low, interval.ci_high
    return {
        "library": one.library,
        "function": one.function,
        "figure": one.figure,
        "value": value,
        "ci_low": low,
        "ci_high": high,
        "unit": one.unit,
        "random_ranking": one.random,
        "ties": one.ties,
        "propensity": one.propensity,
        "formula": one.formula,
        "note": note,
    }
