"""Small files shaped as the outside sets are, with invented rows."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd

from promo_uplift.benchmark.sets.acic2016 import COVARIATES as ACIC_COVARIATES
from promo_uplift.benchmark.sets.acic2016 import TEXT
from promo_uplift.benchmark.sets.gerber_green_larimer import FILE as GGL_FILE

ROWS = 240


def write_ihdp(root, *, n=ROWS, change=None):
    rng = np.random.default_rng(1)
    folder = root / "ihdp"
    folder.mkdir(parents=True, exist_ok=True)
    for replicate in range(1, 6):
        x = rng.normal(size=(n, 25))
        treatment = (rng.random(n) < 0.3).astype(int)
        mu0 = x[:, 0]
        mu1 = mu0 + 4 + 2 * x[:, 1]
        noise = rng.normal(size=(2, n)) / 2
        factual = np.where(treatment == 1, mu1 + noise[1], mu0 + noise[0])
        other = np.where(treatment == 1, mu0 + noise[0], mu1 + noise[1])
        table = pd.DataFrame(np.column_stack([treatment, factual, other, mu0, mu1, x]))
        table[0] = table[0].astype(int)
        if change is not None:
            table = change(table)
        table.to_csv(folder / f"ihdp_npci_{replicate}.csv", header=False, index=False)


def write_acic(root, *, change=None):
    rng = np.random.default_rng(2)
    folder = root / "acic2016"
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame({name: rng.integers(0, 5, ROWS) for name in ACIC_COVARIATES})
    for name in TEXT:
        table[name] = rng.choice(["A", "B", "C"], ROWS)
    table.to_csv(folder / "x.csv", index=False)
    for replicate in range(1, 6):
        mu0 = table["x_1"].to_numpy(dtype=float)
        outcomes = pd.DataFrame(
            {"z": rng.integers(0, 2, ROWS), "mu0": mu0, "mu1": mu0 + 2.0 * (table["x_2"] == "A")}
        )
        for arm in (0, 1):
            outcomes[f"y{arm}"] = outcomes[f"mu{arm}"] + rng.normal(size=ROWS)
        if change is not None:
            outcomes = change(outcomes)
        outcomes.to_csv(folder / f"zymu_{replicate}.csv", index=False)


def write_hillstrom(root, *, change=None):
    rng = np.random.default_rng(3)
    folder = root / "hillstrom"
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(
        {
            "recency": rng.integers(1, 13, ROWS),
            "history_segment": rng.choice(["1) $0 - $100", "2) $100 - $200"], ROWS),
            "history": rng.random(ROWS) * 500,
            "mens": rng.integers(0, 2, ROWS),
            "womens": rng.integers(0, 2, ROWS),
            "zip_code": rng.choice(["Rural", "Surburban", "Urban"], ROWS),
            "newbie": rng.integers(0, 2, ROWS),
            "channel": rng.choice(["Web", "Phone"], ROWS),
            "segment": np.array(["No E-Mail", "Womens E-Mail", "Mens E-Mail"])[np.arange(ROWS) % 3],
            "visit": rng.integers(0, 2, ROWS),
            "conversion": rng.integers(0, 2, ROWS),
            "spend": rng.random(ROWS),
        }
    )
    if change is not None:
        table = change(table)
    table.to_csv(folder / "hillstrom.csv", index=False)


def write_lenta(root, *, change=None):
    rng = np.random.default_rng(4)
    folder = root / "lenta_sample"
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(
        {
            "is_treatment": (rng.random(ROWS) < 0.75).astype(int),
            "response_att": rng.integers(0, 2, ROWS),
            "food_share_15d": rng.random(ROWS),
            "age": np.where(rng.random(ROWS) < 0.1, np.nan, 40.0),
            "is_women": rng.integers(0, 2, ROWS),
        }
    )
    if change is not None:
        table = change(table)
    table.to_csv(folder / "lenta_dataset.csv", index=False)
    barred = (table["food_share_15d"] >= 0.5) & (table["is_treatment"] == 1)
    table[~barred].to_csv(folder / "ch2_logdata_biased.csv", index=False)


def write_gerber_green_larimer(root, *, change=None):
    rng = np.random.default_rng(5)
    folder = root / "gerber_green_larimer"
    folder.mkdir(parents=True, exist_ok=True)
    households = np.repeat(np.arange(ROWS // 2), 2)
    labels = np.array([" Control", " Civic Duty", " Hawthorne", " Self", " Neighbors"])
    answers = {
        name: rng.choice(["yes", "no"], ROWS) for name in ("g2000", "g2002", "p2000", "p2002")
    }
    table = pd.DataFrame(
        {
            "sex": rng.choice(["male", "female"], ROWS),
            "yob": rng.integers(1920, 1986, ROWS),
            **answers,
            "g2004": "yes",
            "p2004": rng.choice(["Yes", "No"], ROWS),
            "treatment": labels[households % 5],
            "cluster": 1,
            "voted": rng.choice(["Yes", "No"], ROWS),
            "hh_id": households,
            "hh_size": 2,
            "numberofnames": 21,
            "p2004_mean": rng.random(ROWS),
            "g2004_mean": rng.random(ROWS),
        }
    )
    if change is not None:
        table = change(table)
    with gzip.open(folder / GGL_FILE, "wt") as file:
        table.to_csv(file, index=False)


WRITERS = {
    "ihdp": write_ihdp,
    "acic2016": write_acic,
    "hillstrom_womens": write_hillstrom,
    "lenta": write_lenta,
    "ggl_neighbors": write_gerber_green_larimer,
}
