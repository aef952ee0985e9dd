"""What every learner must do, as rules that anyone can run on a learner of their own.

The project's own tests run the same rules on every learner of the registry.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from promo_uplift.contracts.errors import IntervalNotOffered, LearnerError
from promo_uplift.contracts.learner import Learner
from promo_uplift.contracts.results import FloatArray, NuisanceValues
from promo_uplift.learners.intervals import with_half_sample_interval

N_ROWS: Final = 400
SEED: Final = 7
_NEGATION_TOLERANCE = 1e-6  # USD, of effects of 5 and 10: sums in another order
#: What a learner that breaks a rule may raise, in place of a refusal.
_BREAKS = (
    LearnerError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    pickle.PickleError,
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A learner to judge.

    Attributes
    ----------
    build : callable
        Returns a new, unfitted learner.
    estimates_effect : bool
        False: it ranks only, and its sign means nothing.
    takes_missing, offers_interval : bool or None
        What it states; None: either, as long as a refusal is a clear one.
    """

    build: Callable[[], Learner]
    estimates_effect: bool = True
    takes_missing: bool | None = None
    offers_interval: bool | None = None

    def fitted(self, rows: Mapping[str, Any]) -> Learner:
        """Return a new learner, fitted with the one seed."""
        return self.build().fit(**rows, rng=np.random.default_rng(SEED))


def check_learner(
    build: Callable[[], Learner], *, leave_out: Sequence[str] = ()
) -> tuple[str, ...]:
    """Hold a learner against every rule.

    Parameters
    ----------
    build : callable
        Returns a new, unfitted learner; called many times.
    leave_out : sequence of str
        Rules of ``RULES`` that do not bind this learner.

    Returns
    -------
    tuple of str
        The rules that it keeps: all others.

    Raises
    ------
    LearnerError
        Listing every rule that it breaks, with what was found; or an unknown name to leave out.
    """
    unknown = [name for name in leave_out if name not in RULES]
    if unknown:
        raise LearnerError(f"`leave_out` must name rules; {unknown} are none of {list(RULES)}.")
    subject = Subject(build=build)
    asked = [name for name in RULES if name not in leave_out]
    broken = {}
    for name in asked:
        try:
            RULES[name](subject)
        except _BREAKS as error:
            broken[name] = f"{type(error).__name__}: {error}"
    if broken:
        found = "\n".join(f"- {name}: {what}" for name, what in broken.items())
        raise LearnerError(
            f"A learner must keep every rule; it breaks {len(broken)} of {len(asked)}:\n{found}\n"
            "`promo_uplift.learners.base.BaseLearner` checks inputs for the class that derives "
            "from it."
        )
    return tuple(asked)


def training_rows(*, n: int = N_ROWS, seed: int = 0) -> dict[str, Any]:
    """Rows of a world with a known effect, 5 or 10 USD by the sign of ``b``, and its nuisances.

    The treatment depends on ``a``; the covariates' index is no position.
    """
    rng = np.random.default_rng(seed)
    covariates = pd.DataFrame(rng.normal(size=(n, 4)), columns=["a", "b", "c", "d"])
    covariates.index = pd.Index(rng.permutation(n) + 1000)
    a, b = covariates["a"].to_numpy(), covariates["b"].to_numpy()
    propensity = 1 / (1 + np.exp(-a))
    treatment = (rng.random(n) < propensity).astype(np.int64)
    mu0 = 50 + 10 * a
    mu1 = mu0 + 5 + 5 * (b > 0)
    return {
        "covariates": covariates,
        "treatment": treatment,
        "outcome": np.where(treatment == 1, mu1, mu0) + rng.normal(0, 5, n),
        "nuisances": NuisanceValues(propensity, mu0, mu1),
        "groups": np.arange(n, dtype=np.int64) // 2,
    }


def _follows_the_protocol(subject: Subject) -> None:
    learner = subject.build()
    _require(isinstance(learner, Learner), f"{type(learner).__name__} lacks a method.")
    fitted = learner.fit(**training_rows(), rng=np.random.default_rng(SEED))
    _require(fitted is learner, "`fit` must return the learner itself.")


def _predicts_one_finite_number_per_row(subject: Subject) -> None:
    new = training_rows(n=37, seed=1)["covariates"]
    cate = subject.fitted(training_rows()).predict_cate(covariates=new)
    _require(isinstance(cate, np.ndarray), f"expected an array, found {type(cate).__name__}.")
    _require(cate.shape == (37,), f"expected shape (37,), found {cate.shape}.")
    _require(cate.dtype == np.float64, f"expected float64, found {cate.dtype}.")
    _require(bool(np.isfinite(cate).all()), "some predictions are not finite.")


def _equal_seeds_give_equal_bits(subject: Subject) -> None:
    rows = training_rows()
    first, second = (_cate(subject.fitted(rows), rows) for _ in range(2))
    _require_equal(first, second, "two fits with the same generator differ; take `rng` only")


def _a_row_keeps_its_prediction_wherever_it_stands(subject: Subject) -> None:
    rows = training_rows()
    learner = subject.fitted(rows)
    order = np.random.default_rng(2).permutation(N_ROWS)
    shuffled = learner.predict_cate(covariates=rows["covariates"].iloc[order])
    _require_equal(shuffled, _cate(learner, rows)[order], "shuffled rows get other predictions")


def _takes_columns_by_name(subject: Subject) -> None:
    rows = training_rows()
    learner = subject.fitted(rows)
    turned = learner.predict_cate(covariates=rows["covariates"][["d", "c", "b", "a"]])
    _require_equal(turned, _cate(learner, rows), "columns in another order change predictions")


def _exchanging_the_arms_negates_the_effect(subject: Subject) -> None:
    if not subject.estimates_effect:
        return
    rows = training_rows()
    given = rows["nuisances"]
    exchanged = {
        **rows,
        "treatment": 1 - rows["treatment"],
        "nuisances": NuisanceValues(1 - given.propensity, given.mu1, given.mu0),
    }
    cate = _cate(subject.fitted(rows), rows)
    off = float(np.abs(_cate(subject.fitted(exchanged), rows) + cate).max())
    _require(off <= _NEGATION_TOLERANCE, f"off by up to {off:.3g}; is it treated minus control?")


def _survives_pickling(subject: Subject) -> None:
    rows = training_rows()
    learner = subject.fitted(rows)
    copy = pickle.loads(pickle.dumps(learner))  # noqa: S301 - our own object
    _require_equal(_cate(copy, rows), _cate(learner, rows), "the copy predicts something else")


def _changes_nothing_that_it_is_given(subject: Subject) -> None:
    rows = training_rows()
    _cate(subject.fitted(rows), rows)
    for name, values in _flat(training_rows()).items():
        _require_equal(_flat(rows)[name], values, f"`{name}` was changed")


def _refuses_a_single_arm(subject: Subject) -> None:
    for arm in (0, 1):
        rows = training_rows() | {"treatment": np.full(N_ROWS, arm)}
        _require_refusal(partial(subject.fitted, rows), "treatment")


def _refuses_several_arms(subject: Subject) -> None:
    rows = training_rows()
    rows["treatment"] = rows["treatment"] + (np.arange(N_ROWS) % 5 == 0)
    _require_refusal(lambda: subject.fitted(rows), "arms")


def _takes_or_refuses_missing_covariates(subject: Subject) -> None:
    rows = training_rows()
    rows["covariates"] = rows["covariates"].mask(np.eye(N_ROWS, 4, dtype=bool)).assign(d=np.nan)
    try:
        finite = bool(np.isfinite(_cate(subject.fitted(rows), rows)).all())
    except LearnerError as error:
        _require(not subject.takes_missing, f"stated as supported, refused: {error}")
        _require("missing" in str(error), f"the refusal must say `missing`; it says: {error}")
    else:
        _require(subject.takes_missing is not False, "stated as refused, taken.")
        _require(finite, "predictions of rows with missing covariates are not finite.")


def _refuses_text_by_name(subject: Subject) -> None:
    rows = training_rows()
    rows["covariates"] = rows["covariates"].assign(shop="north", since="2017")
    _require_refusal(lambda: subject.fitted(rows), "shop", "since")


def _refuses_infinities_by_name(subject: Subject) -> None:
    rows = training_rows()
    rows["covariates"] = rows["covariates"].assign(ratio=np.inf)
    _require_refusal(lambda: subject.fitted(rows), "ratio")


def _refuses_outcomes_that_are_not_finite(subject: Subject) -> None:
    rows = training_rows()
    rows["outcome"] = np.where(np.arange(N_ROWS) == 3, np.nan, rows["outcome"])
    _require_refusal(lambda: subject.fitted(rows), "outcome")


def _refuses_a_table_without_a_column(subject: Subject) -> None:
    rows = training_rows()
    learner = subject.fitted(rows)
    fewer = rows["covariates"].drop(columns="b")
    _require_refusal(lambda: learner.predict_cate(covariates=fewer), "['b']")


def _refuses_to_predict_before_the_fit(subject: Subject) -> None:
    learner = subject.build()
    _require_refusal(
        lambda: learner.predict_cate(covariates=training_rows()["covariates"]), "fitted"
    )


def _has_an_interval_or_says_not(subject: Subject) -> None:
    rows = training_rows()
    learner = subject.fitted(rows)
    try:
        narrow, wide = (
            learner.predict_interval(covariates=rows["covariates"], level=level)
            for level in (0.9, 0.99)
        )
    except IntervalNotOffered:
        _require(not subject.offers_interval, "stated as offered, refused.")
        return
    _require(subject.offers_interval is not False, "stated as refused, offered.")
    cate = _cate(learner, rows)
    _require(narrow.shape == (N_ROWS, 2), f"expected shape (400, 2), found {narrow.shape}.")
    inside = (narrow[:, 0] <= cate) & (cate <= narrow[:, 1])
    _require(bool(inside.all()), "some effects lie outside their own interval.")
    wider = wide[:, 1] - wide[:, 0] >= narrow[:, 1] - narrow[:, 0]
    _require(bool(wider.all()), "an interval at a higher level is narrower.")


def _takes_an_interval_by_half_samples(subject: Subject) -> None:
    rows = training_rows(n=200)
    learner = with_half_sample_interval(build=subject.build, n_replicates=3).fit(
        **rows, rng=np.random.default_rng(0)
    )
    interval = learner.predict_interval(covariates=rows["covariates"], level=0.9)
    cate = learner.predict_cate(covariates=rows["covariates"])
    _require(interval.shape == (200, 2), f"expected shape (200, 2), found {interval.shape}.")
    centred = bool(np.allclose(interval.mean(axis=1), cate, rtol=0.0, atol=1e-9))
    _require(centred, "the interval is not centred on the effect.")
    _require(bool((interval[:, 0] <= interval[:, 1]).all()), "a lower end is above its upper end.")


#: Every rule by name.
RULES: Final[dict[str, Callable[[Subject], None]]] = {
    rule.__name__.removeprefix("_"): rule
    for rule in (
        _follows_the_protocol,
        _predicts_one_finite_number_per_row,
        _equal_seeds_give_equal_bits,
        _a_row_keeps_its_prediction_wherever_it_stands,
        _takes_columns_by_name,
        _exchanging_the_arms_negates_the_effect,
        _survives_pickling,
        _changes_nothing_that_it_is_given,
        _refuses_a_single_arm,
        _refuses_several_arms,
        _takes_or_refuses_missing_covariates,
        _refuses_text_by_name,
        _refuses_infinities_by_name,
        _refuses_outcomes_that_are_not_finite,
        _refuses_a_table_without_a_column,
        _refuses_to_predict_before_the_fit,
        _has_an_interval_or_says_not,
        _takes_an_interval_by_half_samples,
    )
}


def _cate(learner: Learner, rows: Mapping[str, Any]) -> FloatArray:
    return learner.predict_cate(covariates=rows["covariates"])


def _flat(rows: Mapping[str, Any]) -> dict[str, FloatArray]:
    given = rows["nuisances"]
    arrays = {name: np.asarray(values) for name, values in rows.items() if name != "nuisances"}
    return arrays | {name: getattr(given, name) for name in ("propensity", "mu0", "mu1")}


def _require(holds: bool, found: str) -> None:
    if not holds:
        raise LearnerError(found)


def _require_equal(one: FloatArray, other: FloatArray, found: str) -> None:
    _require(np.array_equal(one, other), f"{found}.")


def _require_refusal(call: Callable[[], object], *words: str) -> None:
    """Require a ``LearnerError`` that names every one of ``words``."""
    try:
        call()
    except LearnerError as error:
        absent = [word for word in words if word not in str(error)]
        _require(not absent, f"the refusal must name {absent}; it says: {error}")
        return
    raise LearnerError(f"must be refused with a LearnerError that names {list(words)}.")
