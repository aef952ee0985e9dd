"""The page on policies: its example runs, and it names every policy and setting there is."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import yaml
from policy_worlds import policies, training, view

from promo_uplift.policy.rules import POLICIES
from promo_uplift.policy.rules.base import Constraint


@pytest.fixture(scope="module")
def page():
    with open("docs/policies.md", encoding="utf-8") as file:
        return file.read()


def block(page, language):
    """The page's only block of code in that language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return found


def test_the_example_of_the_page_runs(page, tmp_path, monkeypatch):
    package = tmp_path / "my_policies"
    package.mkdir()
    (package / "lapsed.py").write_text(block(page, "python"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    made = policies(**yaml.safe_load(block(page, "yaml")))["lapsed"]
    away = np.array([3.0, 8.0, 15.0, 20.0, 30.0, 40.0])
    seen = view(covariates=pd.DataFrame({"pre_recency_days": away}))
    fitted = made.fit(training=training(seen, np.where(away >= 14, 1.0, -1.0)), seed=1)
    assert fitted.contact(view=seen).tolist() == [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    assert fitted.describe() == "Contact who has not bought for 14 days."


def test_the_page_names_every_policy_with_its_settings(page):
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name, cls in POLICIES.items():
        (row,) = [line for line in rows if f"`{name}`" in line.split("|")[1]]
        settings = set(cls.Settings.model_fields)
        if name == "policy_forest":  # those of the tree are named there
            settings -= set(POLICIES["policy_tree"].Settings.model_fields)
        assert settings <= set(re.findall(r"`(\w+)`", row.split("|")[1])), name
        assert not issubclass(cls, Constraint) or "`of`" in row


def test_the_configuration_holds_every_policy():
    with open("conf/base/parameters/policies.yml", encoding="utf-8") as file:
        assert set(yaml.safe_load(file)["policies"]["rules"]) == set(POLICIES)
