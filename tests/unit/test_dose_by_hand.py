"""Doses by household, category and week, on receipts counted by hand."""

import datetime as dt
from dataclasses import replace

import ibis
import pyarrow as pa
import pytest
from tiny_retail import line, tiny_tables

from promo_uplift.contracts.errors import TrialError
from promo_uplift.trials.dose_panel import DoseDesign, continuous_dose_panel


def promotions(rows):
    """Promotions of (product, store, week, display, mailer)."""
    names = ("product_id", "store_id", "week_no", "display", "mailer")
    columns = zip(*rows, strict=True) if rows else [[] for _ in names]
    kinds = (pa.int64(), pa.int64(), pa.int64(), pa.string(), pa.string())
    return ibis.memtable(
        pa.table(
            {
                name: pa.array(list(values), kind)
                for name, kind, values in zip(names, kinds, columns, strict=True)
            }
        )
    )


def receipt(household, date, product, usd, *, store=1, retail=0.0, match=0.0):
    """One line of its own basket, with the publisher's week of its date."""
    day = dt.date(2017, *date)
    week = ((day - dt.date(2017, 1, 1)).days + 285 + 8) // 7
    basket = day.toordinal() * 10_000 + household * 100 + product * 10 + store
    row = list(line(household, basket, date, product, 1, usd, retail=retail, match=match))
    row[3], row[4] = week, store
    return tuple(row)


#: Weeks 42 (from Monday 2 January) to 45 (to Sunday 29 January).
SHOPPING = [
    receipt(1, (1, 2), 1, 3.0, retail=1.0),
    receipt(1, (1, 9), 1, 2.0, retail=1.5, match=0.5),
    receipt(1, (1, 9), 2, 2.0),
    receipt(1, (1, 17), 1, 4.0),
    receipt(1, (1, 10), 3, 1.0, store=2),
    receipt(2, (1, 3), 1, 1.0, store=2),
    receipt(2, (1, 11), 1, 1.0, store=2),
    receipt(3, (1, 11), 1, 0.0),
    receipt(2, (1, 29), 4, 1.0),
    receipt(2, (1, 30), 1, 9.0),
]


def dose_of(definition, promoted=None, **changed):
    tables = replace(tiny_tables(transactions=SHOPPING), promotions=promoted)
    values = {"categories": None, "baseline_weeks": 2, "usual_weeks": 2}
    result = continuous_dose_panel(
        tables=tables, design=DoseDesign(definition=definition, **(values | changed))
    )
    return (
        result.panel.set_index(["household_id", "category", "week"]),
        result.report.set_index("quantity")["value"],
    )


def test_discount_depth_is_the_share_off_the_list_price_where_something_was_bought():
    panel, report = dose_of("discount_depth")
    soup = panel.xs((1, "SOUP"))
    assert soup["dose"].to_dict() == {42: 0.25, 43: 0.5, 44: 0.0}
    assert soup["spend_usd"].to_dict() == {42: 3.0, 43: 2.0, 44: 4.0}
    # household 3's soup was free of any price; the 30th fills no week; product 4 has no commodity
    assert (report["n_without_list_price"], report["last_week"]) == (1, 45)
    assert len(panel) == report["n_rows"] == 7
    only, _ = dose_of("discount_depth", categories=("SOAP",))
    assert only.index.tolist() == [(1, "SOAP", 43)]


def test_exposure_is_the_share_of_usual_products_promoted_at_the_usual_store():
    promoted = promotions(
        [
            (1, 1, 44, "0", "A"),
            (1, 1, 44, "0", "A"),  # twice in the file
            (2, 1, 44, "9", "0"),  # not usual: bought in one week only
            (2, 1, 45, "9", "0"),  # the store is covered in week 45, its soup is not shown
            (1, 2, 45, "5", "A"),  # store 2 has nothing of week 44
            (1, 2, 43, "5", "A"),  # the baseline
        ]
    )
    panel, report = dose_of("display_mailer_exposure", promoted)
    assert panel["dose"].to_dict() == {
        (1, "SOUP", 44): 1.0,
        (1, "SOUP", 45): 0.0,
        (2, "SOUP", 45): 1.0,
    }
    # no purchase in a covered week is a real 0
    assert panel["spend_usd"].tolist() == [4.0, 0.0, 0.0]
    assert (report["n_pairs"], report["n_weeks_without_promotions"]) == (2, 1)
    once, _ = dose_of("display_mailer_exposure", promoted, usual_weeks=1)
    assert once.loc[(1, "APPLES", 45), "dose"] == 1.0
    assert once.loc[(1, "SOAP", 45), "dose"] == 0.0  # usual store, not the one that sold it


def test_a_store_without_promotions_is_left_out_and_not_unexposed():
    panel, report = dose_of("display_mailer_exposure", promotions([(1, 1, 44, "0", "A")]))
    assert panel.index.tolist() == [(1, "SOUP", 44)]
    assert report["n_store_without_promotions"] == 1


@pytest.mark.parametrize("promoted", [None, promotions([])])
def test_exposure_without_promotions_is_refused_by_name(promoted):
    with pytest.raises(TrialError, match="must have the table `promotions`"):
        dose_of("display_mailer_exposure", promoted)


@pytest.mark.parametrize(
    ("definition", "changed", "match"),
    [
        ("campaign_targeted", {}, r"`definition` must be a dose, one of \['discount_depth'"),
        ("discount_depth", {"categories": ("SOUPS",)}, r"`categories` .*'SOUPS'.*\['SOUP'"),
        ("display_mailer_exposure", {"baseline_weeks": 4}, "holds 4 whole weeks, got 4"),
        ("display_mailer_exposure", {"usual_weeks": 0}, "`usual_weeks` must be at least 1"),
        ("display_mailer_exposure", {"usual_weeks": 3}, "must leave rows, found none"),
    ],
)
def test_a_dose_that_cannot_be_is_refused(definition, changed, match):
    with pytest.raises(TrialError, match=match):
        dose_of(definition, promotions([(1, 1, 44, "0", "A")]), **changed)
