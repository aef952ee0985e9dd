"""Names of columns that more than one room uses."""

HOUSEHOLD_ID = "household_id"
CAMPAIGN_ID = "campaign_id"
CAMPAIGN_TYPE = "campaign_type"
START_DATE = "start_date"
END_DATE = "end_date"
TREATMENT = "treatment"
REDEEMED = "redeemed"

#: The 33 household features of the causal specification, all over the covariate window
#: ``[t0 - pre_days, t0)`` and over merchandise lines. In ``trials`` each carries the prefix
#: ``pre_``, since outcomes share some of the names (``spend_usd``, ``visits``).
RECENCY = (
    "pre_recency_days",
    "pre_active_last_4w",
    "pre_active_last_12w",
    "pre_days_between_visits_mean",
    "pre_days_between_visits_std",
    "pre_tenure_days",
)
FREQUENCY = (
    "pre_visits",
    "pre_visits_per_week",
    "pre_baskets",
    "pre_active_weeks",
    "pre_purchase_regularity",
    "pre_lines",
)
MONETARY = (
    "pre_spend_usd",
    "pre_spend_per_week",
    "pre_basket_spend_mean",
    "pre_basket_spend_std",
    "pre_paid_usd",
    "pre_basket_paid_mean",
    "pre_coupon_saving_share",
)
BEHAVIOUR = (
    "pre_discount_rate",
    "pre_discounted_line_share",
    "pre_private_label_share",
    "pre_n_departments",
    "pre_n_products",
    "pre_items_per_basket",
    "pre_products_per_basket",
)
CATEGORY_SHARES = (
    "pre_share_grocery",
    "pre_share_fresh",
    "pre_share_bakery",
    "pre_share_health_beauty",
    "pre_share_alcohol",
    "pre_share_other",
)
COVERAGE = ("pre_week_coverage",)
BASE_FEATURES = RECENCY + FREQUENCY + MONETARY + BEHAVIOUR + CATEGORY_SHARES + COVERAGE

#: Exposure before time zero, over ``[t0 - history_days, t0)``; ``active_campaigns`` counts the
#: household's campaigns of any type that are running at t0 and started before it.
PRIOR_CAMPAIGNS = (
    "prior_campaigns_type_a",
    "prior_campaigns_type_b",
    "prior_campaigns_type_c",
    "prior_days_since_last",
    "prior_redemptions",
    "active_campaigns",
)

#: Ordered codes with one flag: having demographics predicts being mailed.
DEMOGRAPHICS = (
    "demo_age",
    "demo_income",
    "demo_household_size",
    "demo_home_owner",
    "demo_missing",
)

COVARIATES = BASE_FEATURES + PRIOR_CAMPAIGNS + DEMOGRAPHICS
