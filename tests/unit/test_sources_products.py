from __future__ import annotations

import ibis
import pandas as pd
import pytest

from promo_uplift.sources.product_labels import (
    category,
    clean_department,
    clean_label,
    clean_sub_commodity,
    line_kind,
)


def classified(department: str, commodity: str, sub_commodity: str) -> tuple[str, str]:
    frame = pd.DataFrame(
        {"department": [department], "commodity": [commodity], "sub_commodity": [sub_commodity]}
    ).astype("str")
    table = ibis.memtable(frame)
    kind = line_kind(table)
    row = table.select(kind=kind, category=category(table, is_merchandise=kind == "merchandise"))
    found = row.to_pyarrow().to_pylist()[0]
    return found["kind"], found["category"]


@pytest.mark.parametrize(
    ("department", "commodity", "sub_commodity", "kind"),
    [
        ("KIOSK-GAS", "COUPON/MISC ITEMS", "GASOLINE-REG UNLEADED", "fuel"),
        ("MISC SALES TRAN", "COUPON/MISC ITEMS", "GASOLINE-REG UNLEADED", "fuel"),
        ("MISCELLANEOUS", "COUPON/MISC ITEMS", "GASOLINE-REG UNLEADED", "fuel"),
        ("FUEL", "FUEL", "GASOLINE-REG UNLEADED", "fuel"),
        ("DRUG GM", "SPRING/SUMMER SEASONAL", "GAS GRILLS", "merchandise"),
        ("MISC SALES TRAN", "COUPON/MISC ITEMS", "MASTERCARD GIFT CARD", "gift_card"),
        ("DRUG GM", "GREETING CARDS/WRAP/PARTY SPLY", "GIFT-WRAP EVERYDAY", "merchandise"),
        (" ", " ", " ", "coupon"),
        ("COUP/STR & MFG", "COUPONS/STORE & MFG", "COUPONS/STORE & MFG", "coupon"),
        ("GROCERY", "COUPON/MISC ITEMS", "MISC SALES TRANS", "miscellaneous"),
        ("MISC. TRANS.", "NO COMMODITY DESCRIPTION", "STRAWBERRIES", "miscellaneous"),
        ("GROCERY", "SOUP", "CONDENSED SOUP", "merchandise"),
    ],
)
def test_line_kind(department: str, commodity: str, sub_commodity: str, kind: str) -> None:
    found, group = classified(department, commodity, sub_commodity)
    assert found == kind
    assert kind == "merchandise" or group == "other"


@pytest.mark.parametrize(
    ("department", "commodity", "group"),
    [
        ("GROCERY", "SOUP", "grocery"),
        ("GROCERY", "DOMESTIC WINE", "alcohol"),
        ("SPIRITS", "LIQUOR", "alcohol"),
        ("GROCERY", "BAKED BREAD/BUNS/ROLLS", "bakery"),
        ("PASTRY", "CAKES", "bakery"),
        ("PRODUCE", "APPLES", "fresh"),
        ("PORK", "PORK", "fresh"),  # merged into MEAT by the package
        ("MEAT", "(CORP USE ONLY)", "other"),  # has no row in the package
        ("COSMETICS", "MAKEUP AND TREATMENT", "health_beauty"),
        ("DRUG GM", "ORAL HYGIENE PRODUCTS", "health_beauty"),
        ("DRUG GM", "CANDY - CHECKLANE", "grocery"),
        ("DRUG GM", "CIGARETTES", "other"),
        ("FLORAL", "ROSES", "other"),
    ],
)
def test_category(department: str, commodity: str, group: str) -> None:
    assert classified(department, commodity, "")[1] == group


@pytest.mark.parametrize(
    ("clean", "label", "expected"),
    [
        (clean_label, " 22 LB ", "22 LB"),
        (clean_label, " ", None),
        (clean_label, "NO COMMODITY DESCRIPTION", None),
        (clean_department, "TRAVEL & LEISUR", "TRAVEL & LEISURE"),
        (clean_department, " ", None),
        (clean_department, "GROCERY", "GROCERY"),
        (clean_sub_commodity, "*SCRAPBOOK", "SCRAPBOOK"),
        (clean_sub_commodity, "*ATTERIES:CAMERA/FLASH/WATCH", "BATTERIES:CAMERA/FLASH/WATCH"),
        (clean_sub_commodity, "NO-NONSENSE", "NO-NONSENSE"),
    ],
)
def test_labels(clean, label: str, expected: str | None) -> None:
    assert clean(ibis.literal(label)).to_pyarrow().as_py() == expected
