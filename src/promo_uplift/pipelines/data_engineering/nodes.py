"""From raw tables to canonical tables, trials and covariates."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from promo_uplift.contracts.columns import COVARIATES
from promo_uplift.contracts.parameters import (
    EstimationParameters,
    PolicyParameters,
    SourceParameters,
    TrialParameters,
)
from promo_uplift.contracts.results import TrialData
from promo_uplift.contracts.tables import CanonicalTables, empty_promotions
from promo_uplift.contracts.validation import validate_tables
from promo_uplift.features import usable_covariates
from promo_uplift.features import window_audit as audit
from promo_uplift.sources import (
    RAW_TABLES,
    RawTables,
    canonical_tables,
    cleaning_report,
    source_files,
    source_report,
)
from promo_uplift.trials import (
    LEADING,
    build_trials,
    select_trials,
    to_trial_data,
    without_rows,
)


def _raw_tables(*tables: ibis.Table | None) -> RawTables:
    """Name the raw tables, given in the order of ``RAW_TABLES``."""
    return dict(zip(RAW_TABLES, tables, strict=True))


def report_sources(
    transactions: ibis.Table,
    products: ibis.Table,
    demographics: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    promotions: ibis.Table | None,
    source: SourceParameters,
) -> tuple[pd.DataFrame, str]:
    """Compare the raw files with the publisher's counts and digests; name the data's version."""
    folder = None if source.folder is None else Path(source.folder)
    report = source_report(
        form=source.form,
        raw=_raw_tables(
            transactions,
            products,
            demographics,
            campaigns,
            campaign_targets,
            coupons,
            redemptions,
            promotions,
        ),
        files=source_files(form=source.form, folder=folder),
    )
    sampled = "" if source.household_sample is None else f"|{source.household_sample}"
    digests = "|".join(report["sha256"].fillna("absent")) + sampled
    return report, f"{source.form}-{hashlib.sha256(digests.encode()).hexdigest()[:12]}"


def canonicalise(
    transactions: ibis.Table,
    products: ibis.Table,
    demographics: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    promotions: ibis.Table | None,
    source: SourceParameters,
    seed: int,
) -> tuple[Any, ...]:
    """Bring any source to the canonical tables; nothing is written unless every contract holds."""
    raw = _raw_tables(
        transactions,
        products,
        demographics,
        campaigns,
        campaign_targets,
        coupons,
        redemptions,
        promotions if source.promotions else None,
    )
    tables = canonical_tables(
        form=source.form, raw=raw, household_sample=source.household_sample, seed=seed
    )
    contract_report = validate_tables(tables)
    cleaning = cleaning_report(
        form=source.form, raw=raw, household_sample=source.household_sample, seed=seed
    )
    return (
        tables.transactions,
        tables.products,
        tables.households,
        tables.campaigns,
        tables.campaign_targets,
        tables.coupons,
        tables.redemptions,
        empty_promotions() if tables.promotions is None else tables.promotions,
        contract_report,
        cleaning,
    )


def assemble_trials(
    transactions: ibis.Table,
    products: ibis.Table,
    households: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    trials: TrialParameters,
    policy: PolicyParameters,
) -> tuple[pd.DataFrame, pd.DataFrame, list[str], pd.DataFrame, dict[str, Any]]:
    """Select campaigns, build their rows and covariates, and audit the covariates' windows."""
    tables = CanonicalTables(
        transactions, products, households, campaigns, campaign_targets, coupons, redemptions
    )
    selection = select_trials(tables=tables, parameters=trials)
    frame = (
        build_trials(
            tables=tables,
            selection=selection,
            parameters=trials,
            margin_rate=policy.expected.margin_rate,
        )
        .to_pyarrow()
        .to_pandas(date_as_object=False)
    )
    names, covariate_report = usable_covariates(trials=frame)
    window_audit = audit(
        tables=tables,
        time_zeros=selection.time_zeros,
        pre_days=trials.pre_days,
        history_days=trials.history_days,
    )
    return frame, selection.report, list(names), covariate_report, asdict(window_audit)


def assemble_placebo(
    transactions: ibis.Table,
    products: ibis.Table,
    households: ibis.Table,
    campaigns: ibis.Table,
    campaign_targets: ibis.Table,
    coupons: ibis.Table,
    redemptions: ibis.Table,
    trials: TrialParameters,
    policy: PolicyParameters,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Build the same trials moved before the mailing, for the placebo outcome."""
    tables = CanonicalTables(
        transactions, products, households, campaigns, campaign_targets, coupons, redemptions
    )
    select_trials(tables=tables, parameters=trials)  # refuses before a placebo is written
    selection = select_trials(
        tables=tables, parameters=trials, shift_days=trials.placebo_shift_days
    )
    if not selection.campaigns:
        return pd.DataFrame(columns=[*LEADING, *COVARIATES]), selection.report
    frame = (
        build_trials(
            tables=tables,
            selection=selection,
            parameters=trials,
            margin_rate=policy.expected.margin_rate,
        )
        .to_pyarrow()
        .to_pandas(date_as_object=False)
    )
    return frame, selection.report


def prepare_trial_data(
    trials: pd.DataFrame,
    placebo_trials: pd.DataFrame,
    covariate_names: list[str],
    estimation: EstimationParameters,
) -> tuple[TrialData, TrialData]:
    """Turn both trial tables into arrays; refuse what is wrong before anything is fitted."""
    data = to_trial_data(trials=trials, covariates=covariate_names, outcome=estimation.outcome)
    if placebo_trials.empty:
        return data, without_rows(data)
    return data, to_trial_data(
        trials=placebo_trials, covariates=covariate_names, outcome=estimation.outcome
    )
