"""`kedro run --pipelines panel_effects` on the real data: what it prints, writes and tracks."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from command_line import Finished, newest_run
from matplotlib.image import imread
from mlflow.tracking import MlflowClient

from promo_uplift.checks import CHECKS
from promo_uplift.policy.ledger import LEDGER_COLUMNS

pytestmark = pytest.mark.e2e

SEVERITY = ("publish", "bounds_only", "experiment_needed", "refuse")
#: What speaks for the pooled effect whatever the data.
LOOKED_AT = {
    "PU-COVERAGE",
    "PU-TIMING",
    "PU-OVERLAP",
    "PU-MATCHED",
    "PU-BALANCE",
    "PU-PRETREND",
    "PU-PLACEBO-DATE",
    "PU-RANK",
    "PU-CLUSTERS",
    "PU-AGREE",
    "PU-BACON",
    "PU-INTERVAL",
}


def table(campaigns: Finished, name: str) -> pd.DataFrame:
    return pd.read_csv(campaigns.folder / "data/08_reporting" / f"{name}.csv")


def test_it_ends_with_the_verdict_and_a_line_for_each_campaign(campaigns):
    assert campaigns.code == 0, campaigns.err
    printed = campaigns.out
    assert "VERDICT " in printed
    found = table(campaigns, "campaigns/decisions")["campaign"].astype(str)
    single = [campaign for campaign in found if campaign.isdigit()]
    assert "pooled" in set(found) - set(single)
    lines = printed[printed.index("CAMPAIGNS") :].splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(single)]] == single


def test_all_27_campaigns_are_accounted_for(campaigns):
    coverage = table(campaigns, "panel_coverage")
    assert len(coverage) == 27
    assert coverage.loc[~coverage["used"], "reason"].str.len().min() > 20
    measured = set(coverage.loc[coverage["used"], "campaign_id"].astype(str))
    effects = table(campaigns, "campaigns/panel_effects")
    own = effects[effects["estimator"] == "two_by_two"]
    assert set(own["campaign"].astype(str)) == measured | {"pooled"}
    nothing = own["estimate"].isna()
    assert (own.loc[nothing, "reason"].str.len() > 0).all()


def test_no_week_outside_the_data_has_an_outcome(campaigns):
    panel = pd.read_parquet(campaigns.folder / "data/05_model_input/campaign_panel.parquet")
    assert panel.loc[~panel["is_covered"], "spend_usd"].isna().all()
    assert panel.loc[panel["is_covered"], "spend_usd"].notna().all()
    assert (~panel["is_covered"]).any()


def test_every_check_has_its_verdict_and_the_worst_of_the_pooled_ones_is_that_of_the_run(campaigns):
    checks = table(campaigns, "campaign_checks")
    record = json.loads((campaigns.folder / "data/08_reporting/campaign_verdict.json").read_text())
    pooled = checks[checks["subject"] == "all campaigns"]
    assert LOOKED_AT <= set(pooled["code"]) <= set(CHECKS)
    assert record["verdict"] == max(pooled["allows"], key=SEVERITY.index)
    assert checks["sentence"].str.len().min() > 20
    run = newest_run(campaigns.folder)
    assert run.data.tags["campaign_verdict"] == record["verdict"]
    client = MlflowClient(tracking_uri=f"sqlite:///{campaigns.folder}/mlflow.db")
    artifacts = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert {"campaigns", "campaign_figures", "campaign_verdict.json"} <= artifacts


def test_the_ledger_adds_up(campaigns):
    ledger = table(campaigns, "campaigns/ledger")
    assert list(ledger.columns) == list(LEDGER_COLUMNS)
    wide = ledger.pivot_table(index="campaign", columns="entry", values="value")
    wide = wide.dropna(subset=["incremental_revenue"])
    parts = wide[["target", "category", "elsewhere"]].sum(axis=1)
    np.testing.assert_allclose(parts, wide["incremental_revenue"], rtol=1e-6, atol=1e-6)
    assert set(table(campaigns, "campaigns/decisions")["decision"]) <= {
        "works",
        "rejected",
        "undecided",
    }


def test_the_lenses_look_at_the_same_campaigns(campaigns):
    lenses = table(campaigns, "campaigns/lenses")
    assert set(lenses["lens"]) == {"panel", "cross_section", "matching"}
    assert len(set(lenses.groupby("campaign")["estimator"].nunique())) == 1
    pairs = table(campaigns, "campaigns/reconciliation")
    tested = pairs[pairs["reason"].isna()]
    assert tested["points_to"].str.len().min() > 0
    assert tested.loc[~tested["agrees"].astype(bool), "assumption"].str.len().min() > 0


def test_participation_is_told_from_effects(campaigns):
    found = table(campaigns, "treatment_definitions")
    late = found.set_index("treatment_definition")["is_decided_after_time_zero"]
    assert late.groupby(level=0).all().to_dict() == {
        "campaign_participation": True,
        "campaign_targeted": False,
        "coupon_exposure": False,
    }
    doses = table(campaigns, "dose_effects")
    assert set(doses["treatment_definition"]) == {"discount_depth"}
    refused = table(campaigns, "dose_report").set_index("quantity")["meaning"]
    assert "promotions" in refused["refused"]  # the test size leaves them out, and says so


def test_every_figure_is_there_and_not_blank(campaigns):
    folder = campaigns.folder / "data/08_reporting/campaign_figures"
    names = {path.stem for path in folder.iterdir()}
    assert {"lenses", "love", "trimming", "bacon", "ledger", "ledger_waterfall"} <= names
    for path in folder.iterdir():
        assert imread(path).std() > 0.01, path.name
