"""Product labels in one vocabulary, the category of a product, and the kind of a receipt line.

The package merged departments and blanked placeholders; the original did neither. The package's
vocabulary is the one that both can be brought to.
"""

from __future__ import annotations

from typing import Final

import ibis
import ibis.expr.types as ir

#: Department of the original -> department of the package.
MERGED_DEPARTMENTS: Final = {
    "COUP/STR & MFG": "COUPON",
    "DAIRY DELI": "DELI",
    "DELI/SNACK BAR": "DELI",
    "GRO BAKERY": "GROCERY",
    "HBC": "DRUG GM",
    "KIOSK-GAS": "FUEL",
    "MEAT-WHSE": "MEAT",
    "MISC SALES TRAN": "MISCELLANEOUS",
    "MISC. TRANS.": "MISCELLANEOUS",
    "PHARMACY SUPPLY": "DRUG GM",
    "PHOTO": "PHOTO & VIDEO",
    "PORK": "MEAT",
    "RX": "DRUG GM",
    "TRAVEL & LEISUR": "TRAVEL & LEISURE",
    "VIDEO": "PHOTO & VIDEO",
    "VIDEO RENTAL": "PHOTO & VIDEO",
}

#: Labels that say that there is no label.
PLACEHOLDERS: Final = ("", "UNKNOWN", "NO COMMODITY DESCRIPTION", "NO SUBCOMMODITY DESCRIPTION")

#: Two sub-commodities of the original lost their first letter to an asterisk.
_CUT_LABELS: Final = {
    "*ATH ACCES:TOWEL BARS/SOAP D": "BATH ACCES:TOWEL BARS/SOAP D",
    "*ATTERIES:CAMERA/FLASH/WATCH": "BATTERIES:CAMERA/FLASH/WATCH",
}

_FRESH: Final = (
    "CHEF SHOPPE",
    "DELI",
    "MEAT",
    "MEAT-PCKGD",
    "PRODUCE",
    "SALAD BAR",
    "SEAFOOD",
    "SEAFOOD-PCKGD",
)
_GROCERY: Final = ("FROZEN GROCERY", "GROCERY", "NUTRITION")
_ALCOHOL_COMMODITIES: Final = (
    "BEERS/ALES",
    "DOMESTIC WINE",
    "IMPORTED WINE",
    "LIQUOR",
    "MISC WINE",
)
_BAKERY_COMMODITIES: Final = ("BAKED BREAD/BUNS/ROLLS", "BAKED SWEET GOODS")
#: Food that stands in the drug and general merchandise department.
_DRUG_FOOD_COMMODITIES: Final = (
    "BABY FOODS",
    "CANDY - CHECKLANE",
    "CANDY - PACKAGED",
    "INFANT FORMULA",
)
_HEALTH_BEAUTY_COMMODITIES: Final = (
    "ADULT INCONTINENCE",
    "ANALGESICS",
    "ANTACIDS",
    "BABY HBC",
    "COLD AND FLU",
    "DEODORANTS",
    "DIAPERS & DISPOSABLES",
    "DIETARY AID PRODUCTS",
    "ETHNIC PERSONAL CARE",
    "EYE AND EAR CARE PRODUCTS",
    "FAMILY PLANNING",
    "FEMININE HYGIENE",
    "FIRST AID PRODUCTS",
    "FOOT CARE PRODUCTS",
    "GLASSES/VISION AIDS",
    "HAIR CARE ACCESSORIES",
    "HAIR CARE PRODUCTS",
    "HAND/BODY/FACIAL PRODUCTS",
    "HOME HEALTH CARE",
    "INFANT CARE PRODUCTS",
    "LAXATIVES",
    "MISCELLANEOUS HBC",
    "NATURAL HBC",
    "NATURAL VITAMINS",
    "ORAL HYGIENE PRODUCTS",
    "PERSONAL CARE APPLIANCES",
    "PHARMACY",
    "SHAVING CARE PRODUCTS",
    "SINUS AND ALLERGY",
    "SMOKING CESSATIONS",
    "SOAP - LIQUID & BAR",
    "SUNTAN",
    "VITAMINS",
)
_MISC_COMMODITIES: Final = ("COUPON", "COUPON/MISC ITEMS")
#: Rows of this commodity exist in the original's product file only.
_CORPORATE: Final = "CORP USE ONLY"


def clean_label(label: ir.Value) -> ir.StringValue:
    """Return a label without padding; placeholders become missing."""
    text = _trimmed(label)
    return ibis.ifelse(text.isin(PLACEHOLDERS), ibis.null("string"), text)


def clean_department(department: ir.Value) -> ir.StringValue:
    """Return the department in the vocabulary that both forms share."""
    text = _trimmed(department)
    merged = [(text == raw, name) for raw, name in MERGED_DEPARTMENTS.items()]
    return ibis.cases((text.isin(PLACEHOLDERS), ibis.null("string")), *merged, else_=text)


def clean_sub_commodity(sub_commodity: ir.Value) -> ir.StringValue:
    """Return the sub-commodity without the original's leading asterisk."""
    text = _trimmed(sub_commodity)
    cut = [(text == raw, name) for raw, name in _CUT_LABELS.items()]
    return ibis.cases(
        (text.isin(PLACEHOLDERS), ibis.null("string")),
        *cut,
        (text.startswith("*"), text.substr(1)),
        else_=text,
    )


def line_kind(products: ir.Table) -> ir.StringValue:
    """Return what a line of a product is, from its labels as the file has them.

    Fuel stands under several departments, so its sub-commodity decides. Products without a
    department carry coupons at the till: their lines have no quantity and no sales.

    The labels are compared as they are, in both vocabularies, and not after cleaning: engines
    copy expressions into the filters that use them, and nested cases then grow exponentially.
    """
    department = _trimmed(products.department)
    commodity = _trimmed(products.commodity)
    sub_commodity = _trimmed(products.sub_commodity)
    is_fuel = (
        department.isin(_with_merged("FUEL"))
        | (commodity == "FUEL")
        | sub_commodity.startswith("GASOLINE")
    )
    is_coupon = department.isin(_with_merged("", "COUPON")) | (commodity == "COUPONS/STORE & MFG")
    return ibis.cases(
        (is_fuel, "fuel"),
        (sub_commodity.contains("GIFT CARD"), "gift_card"),
        (is_coupon, "coupon"),
        (department.isin(_with_merged("MISCELLANEOUS")), "miscellaneous"),
        (commodity.isin(_MISC_COMMODITIES), "miscellaneous"),
        else_="merchandise",
    )


def category(products: ir.Table, *, is_merchandise: ir.BooleanValue) -> ir.StringValue:
    """Return the category of a product, from its labels as the file has them.

    The commodity goes before the department: wine and beer stand under grocery, and the drug
    department holds food and household goods. What is not merchandise is ``other``.
    """
    department = _trimmed(products.department)
    commodity = _trimmed(products.commodity)
    is_alcohol = commodity.isin(_ALCOHOL_COMMODITIES) | (department == "SPIRITS")
    is_bakery = commodity.isin(_BAKERY_COMMODITIES) | (department == "PASTRY")
    is_beauty = commodity.isin(_HEALTH_BEAUTY_COMMODITIES) | (department == "COSMETICS")
    return ibis.cases(
        (~is_merchandise | commodity.contains(_CORPORATE), "other"),
        (is_alcohol, "alcohol"),
        (is_bakery, "bakery"),
        (is_beauty, "health_beauty"),
        (commodity.isin(_DRUG_FOOD_COMMODITIES), "grocery"),
        (department.isin(_with_merged(*_FRESH)), "fresh"),
        (department.isin(_with_merged(*_GROCERY)), "grocery"),
        else_="other",
    )


def _trimmed(label: ir.Value) -> ir.StringValue:
    return label.cast("string").fill_null("").strip()


def _with_merged(*departments: str) -> tuple[str, ...]:
    """Departments of the shared vocabulary and those of the original that they absorbed."""
    absorbed = (raw for raw, name in MERGED_DEPARTMENTS.items() if name in departments)
    return (*departments, *absorbed)
