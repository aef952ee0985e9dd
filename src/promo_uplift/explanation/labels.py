"""Covariates in words: what a rule or an axis calls them."""

from __future__ import annotations

#: The retail covariates (docs/covariates.md); those of a user's table keep their own names.
LABELS: dict[str, str] = {
    "pre_recency_days": "days since the last purchase",
    "pre_active_last_4w": "a purchase in the last 28 days",
    "pre_active_last_12w": "a purchase in the last 84 days",
    "pre_days_between_visits_mean": "mean days between visits",
    "pre_days_between_visits_std": "spread of days between visits",
    "pre_tenure_days": "days since the first purchase",
    "pre_visits": "visits",
    "pre_visits_per_week": "visits per week",
    "pre_baskets": "baskets",
    "pre_active_weeks": "weeks with a visit",
    "pre_purchase_regularity": "regularity of visits",
    "pre_lines": "lines bought",
    "pre_spend_usd": "spend in USD",
    "pre_spend_per_week": "spend per week in USD",
    "pre_basket_spend_mean": "mean spend per basket in USD",
    "pre_basket_spend_std": "spread of spend per basket in USD",
    "pre_paid_usd": "paid in USD",
    "pre_basket_paid_mean": "paid per basket in USD",
    "pre_coupon_saving_share": "coupon share of spend",
    "pre_discount_rate": "discount rate",
    "pre_discounted_line_share": "share of discounted lines",
    "pre_private_label_share": "private label share",
    "pre_n_departments": "departments bought",
    "pre_n_products": "products bought",
    "pre_items_per_basket": "items per basket",
    "pre_products_per_basket": "products per basket",
    "pre_share_grocery": "grocery share",
    "pre_share_fresh": "fresh food share",
    "pre_share_bakery": "bakery share",
    "pre_share_health_beauty": "health and beauty share",
    "pre_share_alcohol": "alcohol share",
    "pre_share_other": "share of other categories",
    "pre_week_coverage": "share of weeks with a visit",
    "prior_campaigns_type_a": "earlier mailings of type A",
    "prior_campaigns_type_b": "earlier mailings of type B",
    "prior_campaigns_type_c": "earlier mailings of type C",
    "prior_days_since_last": "days since the last mailing",
    "prior_redemptions": "coupons redeemed before",
    "active_campaigns": "campaigns running",
    "demo_age": "age code",
    "demo_income": "income code",
    "demo_household_size": "household size code",
    "demo_home_owner": "home owner code",
    "demo_missing": "no demographics on file",
}


def label(name: str) -> str:
    """Return the covariate in words; a name that has none is its own.

    Examples
    --------
    >>> label("pre_visits")
    'visits'
    >>> label("income")
    'income'
    """
    return LABELS.get(name, name)
