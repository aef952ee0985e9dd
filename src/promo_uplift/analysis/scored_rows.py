"""What became of the rows that were scored: counts, warnings, text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import ibis.expr.types as ir
import pandas as pd

from promo_uplift.analysis.scoring import ROW
from promo_uplift.contracts.parameters import WordingParameters
from promo_uplift.policy.support import category_reason

#: Before the colon of a reason stands what it is, after it the covariate.
SEPARATOR: Final = ":"
#: Columns of a reason that the printed text names at most, and levels of a category.
NAMED: Final = 3
SHOWN: Final = 8


def scoring_report(*, scores: ir.Table, subject: Mapping[str, Any]) -> dict[str, Any]:
    """Count what became of the households, from the scores as they were written."""
    counts, outside = _counts(scores, str(subject["identifier"])), _reasons(scores)
    warnings = [
        *subject["warnings"],
        *_on_rows(counts=counts, identifier=str(subject["identifier"])),
        *_on_categories(outside=outside, levels=subject["levels"]),
    ]
    found = {**subject, "warnings": warnings, "counts": counts, "outside_support": outside}
    if "reason" in scores.columns:
        found["reasons"] = _codes(scores, "reason")
        found["recommended_cost_usd"] = _cost_of_recommended(scores, subject["money"])
    return found


def _cost_of_recommended(scores: ir.Table, money: Mapping[str, float]) -> float:
    """Sum the expected cost of the recommended contacts: margin on the effect, less the profit."""
    effect = next(name for name in scores.columns if name.startswith("cate"))
    worth = money["margin_rate"] * money["outcome_value_usd"]
    spent = scores.filter(scores.recommend).mutate(
        cost=scores[effect] * worth - scores.expected_profit_usd
    )
    return float(spent["cost"].sum().to_pyarrow().as_py() or 0.0)


def _on_rows(*, counts: Mapping[str, int], identifier: str) -> list[str]:
    if not counts["rows"]:
        return ["There is no row to score: the scores have none either."]
    repeated, unnamed = counts.get("repeated_identifiers", 0), counts.get("without_identifier", 0)
    if not repeated and not unnamed:
        return []
    return [
        f"`{identifier}` must name each row for the scores to be joined by it; {repeated:,} rows "
        f"repeat the value of another, {unnamed:,} have none. Every row is scored, in the table's "
        "order."
    ]


def _on_categories(*, outside: Mapping[str, int], levels: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        f"`{name}` must hold categories that training saw, {', '.join(map(repr, known[:SHOWN]))}"
        f"{f' and {len(known) - SHOWN} more' if len(known) > SHOWN else ''}; {n:,} rows hold "
        "another and have no figures. Code it as the training table has it, or leave them out."
        for name, known in levels.items()
        if (n := outside.get(category_reason(name), 0))
    ]


def _counts(scores: ir.Table, identifier: str) -> dict[str, int]:
    effect = next(name for name in scores.columns if name.startswith("cate"))
    figures = {
        "rows": scores.count(),
        "with_an_effect": scores[effect].count(),
        "in_support": scores.in_support.sum(),
        "with_missing_covariates": (scores.n_missing > 0).sum(),
        "missing_values": scores.n_missing.sum(),
    }
    if "recommend" in scores.columns:
        figures["recommended"] = scores.recommend.sum()
    row = scores.aggregate(**figures).to_pyarrow().to_pylist()[0]
    counts = {name: int(value or 0) for name, value in row.items()}
    return (
        counts if identifier == ROW else counts | _identifiers(scores[identifier], counts["rows"])
    )


def _identifiers(values: ir.Column, n_rows: int) -> dict[str, int]:
    """Rows that repeat the identifier of another, and rows without one."""
    known = values.as_table().drop_null()
    n_known, n_distinct = (
        int(one.count().to_pyarrow().as_py()) for one in (known, known.distinct())
    )
    return {"repeated_identifiers": n_known - n_distinct, "without_identifier": n_rows - n_known}


def _codes(scores: ir.Table, column: str) -> dict[str, int]:
    counted = scores.group_by(column).agg(n=scores.count()).order_by(column)
    return {str(row[column]): int(row["n"]) for row in counted.to_pyarrow().to_pylist()}


def _reasons(scores: ir.Table) -> dict[str, int]:
    return _codes(scores.filter(scores.support_reason != ""), "support_reason")


def report_table(*, report: Mapping[str, Any]) -> pd.DataFrame:
    """Return the report as rows of ``figure``, ``value``."""
    rows: list[tuple[str, Any]] = []
    for name in (
        "model",
        "alias",
        "version",
        "run_id",
        "passed_gate",
        "gate",
        "verdict",
        "decides",
    ):
        rows.append((name, report[name]))
    for group in ("input", "money", "counts", "outside_support", "reasons"):
        rows += [(f"{group}.{name}", value) for name, value in report.get(group, {}).items()]
    if "recommended_cost_usd" in report:
        rows.append(("recommended_cost_usd", report["recommended_cost_usd"]))
    rows += [("warning", text) for text in report["warnings"]]
    return pd.DataFrame(rows, columns=["figure", "value"]).astype({"value": "str"})


def scoring_text(*, report: Mapping[str, Any], wording: WordingParameters) -> str:
    """Return the report in sentences: who scored, how many, and what to mind."""
    counts = report["counts"]
    n = counts["rows"]
    lines = [
        f"SCORES of {n:,} {wording.subjects}",
        report["standing"],
        *((f"Policy `{report['decides']}`: {report['rule']}",) if report["rule"] else ()),
        f"In support: {counts['in_support']:,}; outside: {n - counts['in_support']:,}"
        + _outside_text(report["outside_support"]),
    ]
    if "recommended" in counts:
        withheld = f" Verdict {report['verdict']}: nobody is recommended without publish."
        if report["verdict"] == "publish":
            withheld = ""
        cost = report["recommended_cost_usd"]
        spends = f", at an expected cost of {cost:,.0f} USD" if counts["recommended"] else ""
        lines.append(f"Recommended: {counts['recommended']:,}{spends}.{withheld}")
    return "\n".join([*lines, *(f"WARNING {text}" for text in report["warnings"])])


def _outside_text(outside: Mapping[str, int]) -> str:
    """Rows outside support by what it is, the commonest columns named."""
    kinds: dict[str, dict[str, int]] = {}
    for reason, found in outside.items():
        kind, _, column = reason.partition(SEPARATOR)
        kinds.setdefault(kind, {})[column] = found
    said = []
    for kind, columns in kinds.items():
        often = sorted((name for name in columns if name), key=columns.__getitem__, reverse=True)
        named = ", ".join(f"`{name}`" for name in often[:NAMED])
        more = f" and {len(often) - NAMED} more" if len(often) > NAMED else ""
        said.append(f"{kind} {sum(columns.values()):,}" + (f" of {named}{more}" if named else ""))
    return f" ({', '.join(said)})." if said else "."
