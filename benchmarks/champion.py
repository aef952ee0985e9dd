"""The champion, chosen without the truth, against every peer learner at its library's defaults.

``python -m benchmarks.champion --replications 3`` draws training rows of worlds with a known truth
and new rows of the same worlds. Ours runs on the training rows as a run would, untuned (the numbers
of ``conf/base``, in ``nie_wager`` worlds those of ``conf/table``): nuisances, learners, champion,
deployed. The learners of econml and causalml are fitted on the same rows at their defaults. All are
judged on the new rows by the truth: error of the effect (PEHE), ranking (Qini over the oracle's),
and regret in USD per household of contacting whoever is predicted to pay. ``champion_list`` is what
a run would do: of those, the top share that earns most on held-out rows. Printed: tables by world,
and what the project promises of its champion, with intervals over worlds and replications.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from kedro.config import OmegaConfigLoader

from promo_uplift.analysis import (
    AnalysisParameters,
    choose_champion,
    cross_fit_learners,
    estimate_nuisances,
    held_out_scores,
    value_policies,
)
from promo_uplift.benchmark.peers import PEERS
from promo_uplift.benchmark.piece import sized_parameters, with_nuisance_of, world_trials
from promo_uplift.benchmark.sets.parameters import OutsideParameters
from promo_uplift.benchmark.sets.run import (
    CHAMPION,
    OURS,
    SplitSet,
    deployed_predictions,
    peer_predictions,
)
from promo_uplift.benchmark.sets.scoring import truth_figures
from promo_uplift.benchmark.truth import true_policies, true_profit
from promo_uplift.benchmark.worlds import BenchmarkParameters, NieWagerWorld, SpendWorld
from promo_uplift.contracts.parameters import PolicyParameters
from promo_uplift.contracts.results import FloatArray, Interval, TrialTruth
from promo_uplift.effects import clustered_mean
from promo_uplift.metrics import percentile_interval
from promo_uplift.nuisance.seeding import derived_seed
from promo_uplift.policy import expected_profit, share_threshold
from promo_uplift.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).resolve().parents[1]
SEED, LEVEL, REPLICATES, FEWEST = 20261125, 0.95, 2000, 50
#: In the order of the tables; at the end those whose effect is the same for everybody.
WORLDS = (
    "lottery_linear",
    "targeted_linear",
    "targeted_strong",
    "targeted_sparse",
    "targeted_sign_changing",
    "heavy_tail_linear",
    "poor_overlap_linear",
    "repeated_linear",
    "nie_wager_a",
    "nie_wager_b",
    "nie_wager_d",
    "lottery_zero",
    "targeted_zero",
    "nie_wager_c",
)
CONSTANT, S_LEARNER = f"{OURS}.constant", f"{OURS}.s_learner"
PEER_NAMES = tuple(f"{library}.{learner}" for library, learner in PEERS)
#: The candidate that is truly best on the new rows: what a choice with the truth would find.
BEST = f"{OURS}.best_by_truth"
#: The champion's own decision, by rank as well as by predicted profit.
LIST = "champion_list"
AnyWorld = NieWagerWorld | SpendWorld


def configured(env: str) -> tuple[AnalysisParameters, BenchmarkParameters, dict[str, Any]]:
    """Parameters of a run with the benchmark's sizes, the benchmark's own, and all."""
    values = OmegaConfigLoader(str(ROOT / "conf"), env=env, **CONFIG_LOADER_ARGS)["parameters"]
    benchmark = BenchmarkParameters.model_validate(values["benchmark"])
    own = {name: values[name] for name in AnalysisParameters.model_fields if name in values}
    parameters = AnalysisParameters.model_validate(own)
    # no bootstrap interval is read here
    sizes = benchmark.analysis.model_copy(update={"bootstrap_replicates": FEWEST})
    return sized_parameters(parameters=parameters, sizes=sizes), benchmark, values


def figures(
    *,
    cate: FloatArray,
    truth: TrialTruth,
    policy: PolicyParameters,
    threshold: float = -np.inf,
) -> dict[str, float]:
    """PEHE, Qini over the oracle's, and regret of contacting whoever is predicted to pay.

    Nobody is contacted whose predicted effect is below ``threshold``.

    The regret is in USD per household, against contacting exactly those who pay; it is left out
    where nobody stated the money, and Qini where the effect is the same for everybody.
    """
    by_truth = truth_figures(cate=cate, is_effect=True, truth=truth)
    found = {
        name: by_truth[name].estimate for name in ("pehe", "qini_normalised") & by_truth.keys()
    }
    if policy.are_stated:
        free = np.zeros_like(cate)  # the truth holds no redemptions
        pays = expected_profit(cate_usd=cate, redemption=free, parameters=policy) > 0.0
        pays &= cate >= threshold
        profit = true_profit(truth=truth, parameters=policy)
        found["regret_usd"] = true_policies(profit=profit).oracle - float((profit * pays).mean())
    return found


def replication(
    *,
    name: str,
    world: AnyWorld,
    number: int,
    n_households: int,
    parameters: AnalysisParameters,
    outside: OutsideParameters,
    left_out: Sequence[str] = (),
) -> pd.DataFrame:
    """One draw of a world: a row per learner of ours, champion, best candidate and peer.

    Peers named in ``left_out`` are not fitted.
    """
    parameters = with_nuisance_of(world=world, parameters=parameters)
    estimation = parameters.estimation
    own = derived_seed(seed=SEED, purpose=f"champion/{name}", index=(n_households, number))
    (train, _), (test, truth) = (
        world_trials(
            world=world,
            n_households=n_households,
            seed=derived_seed(seed=own, purpose=part),
            simulator=None,
        )
        for part in ("world", "new rows")
    )
    nuisances = estimate_nuisances(
        data=train, nuisance=parameters.nuisance, n_workers=1, tuning=parameters.tuning, seed=own
    )
    cross_fitted = cross_fit_learners(
        data=train,
        nuisances=nuisances,
        nuisance=parameters.nuisance,
        estimation=estimation,
        tuning=parameters.tuning,
        seed=own,
    )
    selection = choose_champion(
        data=train, nuisances=nuisances, cross_fitted=cross_fitted, estimation=estimation
    )
    split = SplitSet(train=train, test=test, truth=truth, notes=())
    predictions = deployed_predictions(
        train=train,
        covariates=pd.concat([train.covariates, test.covariates], ignore_index=True),
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        analysis=parameters,
        seed=own,
        interval_replicates=0,
    )
    wanted = {"peers": True, "large_rows": 0, "left_out_of_large": list(left_out)}
    peers = peer_predictions(split=split, parameters=outside.model_copy(update=wanted), seed=own)
    n_train = len(train.outcome)
    cates = {f"{OURS}.{one.learner}": one.cate[n_train:] for one in predictions if one.is_effect}
    cates |= {f"{one.source}.{one.learner}": one.cate for one in peers}
    judged = {
        learner: figures(cate=cate, truth=truth, policy=parameters.policy)
        for learner, cate in cates.items()
    }
    names = [f"{OURS}.{learner}" for learner in selection.table["learner"]]
    best = min(names, key=lambda learner: judged[learner]["pehe"])
    chosen = f"{OURS}.{selection.champion}"
    mean = clustered_mean(
        values=held_out_scores(data=train, nuisances=nuisances), groups=train.groups
    )
    policies = value_policies(
        data=train,
        nuisances=nuisances,
        cross_fitted=cross_fitted,
        selection=selection,
        estimation=estimation,
        policy=parameters.policy,
        metrics=parameters.metrics,
        seed=own,
    )
    own_decision = figures(
        cate=cates[chosen],
        truth=truth,
        policy=parameters.policy,
        threshold=share_threshold(
            cate=next(one.cate for one in predictions if one.learner == selection.champion)[
                :n_train
            ],
            share=policies.evaluation.roi_optimal_share.estimate,
        ),
    )
    table = pd.DataFrame(
        [
            {"learner": CHAMPION, "note": selection.champion, **judged[chosen]},
            {"learner": LIST, "note": "", "regret_usd": own_decision.get("regret_usd", np.nan)},
            {"learner": BEST, "note": best.removeprefix(f"{OURS}."), **judged[best]},
            *({"learner": learner, "note": "", **found} for learner, found in judged.items()),
        ]
    )
    return table.assign(
        world=name,
        replication=number,
        is_confounded_spend=isinstance(world, SpendWorld) and world.log_odds_sd > 0.0,
        pehe_over_constant=table["pehe"] / judged[CONSTANT]["pehe"],
        mean_se=mean.se,
    )


def over_replications(
    values: pd.DataFrame, statistic: Callable[[FloatArray], FloatArray]
) -> Interval:
    """Resample a statistic of the worlds' means by world, and by replication within each.

    ``values`` has a row per world and a column per replication; ``statistic`` goes from the means
    ``(worlds, B)`` to ``(B,)``.
    """
    array = values.to_numpy()
    n_worlds, n_each = array.shape
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(n_worlds, size=(n_worlds, REPLICATES))
    within = rng.integers(n_each, size=(n_worlds, REPLICATES, n_each))
    means = array[drawn[:, :, np.newaxis], within].mean(axis=2)
    both = [statistic(array.mean(axis=1)[:, np.newaxis]), statistic(means)]
    return percentile_interval(values=np.concatenate(both).astype(np.float64), level=LEVEL)


def shown(found: Interval, digits: int) -> str:
    """Estimate and interval."""
    return f"{found.estimate:.{digits}f} [{found.ci_low:.{digits}f}, {found.ci_high:.{digits}f}]"


def wide(table: pd.DataFrame, figure: str) -> pd.DataFrame:
    """Rows by world, columns by learner and replication; worlds without the figure left out."""
    return table.pivot_table(
        index="world", columns=["learner", "replication"], values=figure, sort=False
    ).dropna(how="all")


def against(table: pd.DataFrame, others: Iterable[str]) -> str:
    """Champion minus each other learner: in how many worlds lower, and the mean difference."""
    varies = table[table["qini_normalised"].notna().groupby(table["world"]).transform("any")]
    rows = []
    for learner in others:
        row = {"champion minus": learner}
        for title, figure, part, ours in (
            ("regret USD", "regret_usd", table, CHAMPION),
            ("of its list", "regret_usd", table, LIST),
            ("PEHE/constant", "pehe_over_constant", varies, CHAMPION),
            ("Qini", "qini_normalised", varies, CHAMPION),
        ):
            values = wide(part, figure)
            gap = values[ours] - values[learner]
            lower = over_replications(gap, lambda means: (means < 0.0).sum(axis=0))
            row[f"{title}: lower in"] = f"{shown(lower, 0)} of {len(gap)}"
            mean = over_replications(gap, lambda means: means.mean(axis=0))
            row[f"{title}: mean"] = shown(mean, 2)
        rows.append(row)
    return pd.DataFrame(rows).to_string(index=False)


def promises(table: pd.DataFrame) -> list[str]:
    """Lines on what the project promises of its champion, with intervals and exceptions."""
    every = [CHAMPION, LIST, BEST, CONSTANT, S_LEARNER, *PEER_NAMES]
    learners = [name for name in every if name in set(table["learner"])]
    peers = [name for name in learners if name in PEER_NAMES]
    lines = [f"differences, {LEVEL:.0%} by world and replication", against(table, peers)]
    regret = wide(table, "regret_usd").T.groupby("learner").mean().T
    for ours in (CHAMPION, LIST):
        beaten = regret[ours] < regret[peers].min(axis=1)
        lines.append(
            f"{ours}: regret lower than every peer's in {beaten.sum()} of {len(beaten)} worlds; "
            f"not in: {', '.join(beaten.index[~beaten]) or 'none'}"
        )
    by_draw = table.set_index(["world", "replication"])
    champion, constant = (by_draw[by_draw["learner"] == name] for name in (CHAMPION, CONSTANT))
    ratio = champion["pehe_over_constant"]
    largest = over_replications(
        wide(table, "pehe_over_constant")[CHAMPION], lambda means: means.max(axis=0)
    )
    allowed = np.hypot(constant["pehe"], constant["mean_se"])
    above, beyond = ratio[ratio > 1.0], ratio[champion["pehe"] > allowed]
    lines += [
        f"largest mean PEHE over constant of a world {shown(largest, 3)}",
        f"above 1 in {len(above)} of {len(ratio)} replications, by more than the standard error of "
        f"the mean itself in {len(beyond)}:",
        *(
            f"  {world} {number}: {value:.3f} with {champion.loc[(world, number), 'note']}"
            + (", beyond the mean's error" if (world, number) in beyond.index else "")
            for (world, number), value in above.items()
        ),
    ]
    confounded = table[table["is_confounded_spend"]]
    if len(confounded):
        s_learners = [name for name in learners if name.endswith(".s_learner")]
        lines += ["S-learners in confounded worlds of spend:", against(confounded, s_learners)]
    return lines


def report(table: pd.DataFrame) -> str:
    """Tables by world and the summary, as aligned text."""
    every = [CHAMPION, LIST, BEST, CONSTANT, S_LEARNER, *PEER_NAMES]
    parts = []
    for figure, title in (
        ("pehe", "PEHE, in the outcome's unit"),
        ("pehe_over_constant", "PEHE over that of `constant`, our doubly robust mean"),
        ("regret_usd", "regret, USD per household, against contacting exactly those who pay"),
        ("qini_normalised", "Qini of the ranking over the oracle's"),
    ):
        means = wide(table, figure).T.groupby("learner").mean().T
        means = means[[name for name in every if name in means]].rename_axis(
            index=None, columns=None
        )
        means.columns = [
            name.removesuffix("_learner").replace("econml", "e").replace("causalml", "c")
            for name in means
        ]
        parts.append(f"{title}\n{means.to_string(float_format='{:.2f}'.format)}")
    chosen = table[table["learner"].isin([CHAMPION, BEST])]
    names = chosen.pivot_table(
        index="world", columns="learner", values="note", aggfunc=", ".join, sort=False
    )
    parts.append(f"who they are\n{names.to_string()}")
    return "\n\n".join([*parts, "\n".join(promises(table))])


def main() -> None:
    """Run the comparison, or read it, and print it."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--replications", type=int, default=3)
    words.add_argument("--first", type=int, default=0, help="number of the first replication")
    words.add_argument("--households", type=int, default=2500)
    words.add_argument("--worlds", nargs="+", default=WORLDS)
    words.add_argument("--workers", type=int, default=2)
    words.add_argument("--csv", type=Path, help="every replication")
    words.add_argument("--read", type=Path, nargs="+", help="CSVs to print instead of running")
    given = words.parse_args()
    if given.read:
        print(report(pd.concat([pd.read_csv(file) for file in given.read])))
        return
    (retail, benchmark, _), (any_table, _, values) = configured("base"), configured("table")
    outside = OutsideParameters.model_validate(values["outside_sets"])
    jobs = (
        delayed(replication)(
            name=name,
            world=benchmark.worlds[name],
            number=number,
            n_households=given.households,
            parameters=any_table if benchmark.worlds[name].kind == "nie_wager" else retail,
            outside=outside,
        )
        for number in range(given.first, given.first + given.replications)
        for name in given.worlds
    )
    table = pd.concat(Parallel(n_jobs=given.workers)(jobs), ignore_index=True)
    if given.csv:
        table.to_csv(given.csv, index=False)
    print(report(table))


if __name__ == "__main__":
    main()
