"""Figures of lenses, panel diagnostics and ledger: units, reasons, every row drawn, no overlaps."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from promo_uplift.contracts.results import Interval
from promo_uplift.reporting.effect_figures import (
    event_study_figure,
    lenses_figure,
    love_figure,
    trimming_figure,
)
from promo_uplift.reporting.ledger_figures import (
    STEPS,
    ledger_table_figure,
    ledger_waterfall_figure,
)
from promo_uplift.reporting.panel_figures import (
    bacon_figure,
    honest_figure,
    leave_one_out_figure,
    standard_errors_figure,
)
from tests.unit import effect_worlds as world

W = world.WORDING
UNSTATED = world.MONEY.model_copy(
    update={
        "margin_rate": 1.0,
        "contact_cost_usd": 0.0,
        "redemption_cost_usd": 0.0,
        "are_stated": False,
    }
)


def lenses():
    return lenses_figure(estimates=world.lens_table(), unadjusted=("naive",), level=0.95, wording=W)


def event_study(p=0.31):
    return event_study_figure(
        study=world.event_study(), pre_trend_p=p, pre_trend_power=0.42, level=0.95, wording=W
    )


def love():
    return love_figure(
        balance=world.balance(),
        before="unweighted",
        after=("ipw_att", "matched"),
        limit=0.1,
        shown=16,
        wording=W,
    )


def trimming():
    return trimming_figure(path=world.trimming(), level=0.95, wording=W)


def bacon():
    return bacon_figure(comparisons=world.bacon(), overall=1.1, wording=W)


def honest(breakdown=0.5):
    return honest_figure(
        bounds=world.honest(),
        original=Interval(5.5, 1.6, 9.4),
        breakdown=breakdown,
        is_at_least=False,
        axis_label="Largest step of the trends' difference",
        level=0.95,
        wording=W,
    )


def leave_one_out():
    estimates = np.r_[np.linspace(3.9, 4.3, 200), -0.1, np.nan]
    return leave_one_out_figure(
        estimates=estimates, full=Interval(4.1, -5, 13), bins=40, left_out="household", wording=W
    )


def standard_errors():
    return standard_errors_figure(
        errors=world.standard_errors(),
        reference="household",
        estimate=9.3,
        level=0.95,
        critical=1.96,
        wording=W,
    )


def waterfall(campaign="8"):
    ledger, _ = world.ledger_and_decisions()
    return ledger_waterfall_figure(table=ledger.table(), campaign=campaign, level=0.95)


def ledger_table(money=world.MONEY):
    ledger, decisions = world.ledger_and_decisions(money=money)
    return ledger_table_figure(table=ledger.table(), decisions=decisions, money=money, level=0.95)


FIGURES = (
    lenses,
    event_study,
    love,
    trimming,
    bacon,
    honest,
    leave_one_out,
    standard_errors,
    waterfall,
    ledger_table,
)


def tick_labels(axis):
    """Labels of the ticks that lie within the view: the others are never drawn."""
    for one in (axis.xaxis, axis.yaxis) if axis.axison else ():
        low, high = sorted(one.get_view_interval())
        for tick in one.get_major_ticks():
            if low <= tick.get_loc() <= high:
                yield tick.label1


def drawn_texts(figure):
    """Texts and the places where they stand, after the figure was laid out."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    inside = {
        id(label)
        for axis in figure.axes
        for one in (axis.xaxis, axis.yaxis)
        for tick in (*one.get_major_ticks(), *one.get_minor_ticks())
        for label in (tick.label1, tick.label2)
    }
    shown = [text for text in figure.findobj(Text) if id(text) not in inside]
    for axis in figure.axes:
        shown += tick_labels(axis)
    return [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for text in shown
        if text.get_visible() and text.get_text().strip()
    ]


def collisions(figure):
    return [
        (a, b)
        for (a, box), (b, other) in combinations(drawn_texts(figure), 2)
        if box.padded(-1.0).overlaps(other.padded(-1.0))
    ]


def all_text(figure):
    return " | ".join(" ".join(text.split()) for text, _ in drawn_texts(figure))


@pytest.mark.parametrize("make", FIGURES)
def test_no_text_stands_on_another_and_none_leaves_the_figure(make):
    figure = make()
    assert collisions(figure) == []
    width, height = figure.canvas.get_width_height()
    for text, box in drawn_texts(figure):
        assert box.x0 > -1.0, text
        assert box.x1 < width + 1.0, text
        assert -1.0 < box.y0 < box.y1 < height + 1.0, text


def test_two_texts_at_one_place_are_found():
    figure = event_study()
    axis = figure.axes[0]
    axis.text(0.0, 1.0, "one")
    axis.text(0.05, 1.05, "another")
    assert ("one", "another") in collisions(figure)


@pytest.mark.parametrize("make", FIGURES)
def test_every_figure_names_its_unit(make):
    assert "USD" in all_text(make()) or make is love
    assert "standard deviations" in all_text(love())


def test_every_lens_has_a_row_and_an_invalid_one_its_reason():
    figure = lenses()
    axis = figure.axes[0]
    assert len(axis.get_yticks()) == len(world.lens_table()) == 40
    bars = len(axis.containers)
    arrows = sum(line.get_marker() == ">" for line in axis.lines)
    assert (bars, arrows) == (40 - 5 - 1, 5)  # the naive ones leave the scale, one has no figure
    text = all_text(figure)
    assert "no figure: 41 of 344 mailed households" in text
    assert "+128.00 (" in text
    assert axis.get_xlabel() == "Effect on the mailed, USD per household in 4 weeks"
    assert axis.get_xlim()[1] < 60.0
    names = [one.get_text() for one in axis.texts]
    assert names.index("all campaigns") > names.index("campaign 18")


def test_the_event_study_says_the_pre_trend_and_its_power():
    text = all_text(event_study())
    assert "p = 0.31" in text
    assert "42% power" in text
    assert len(event_study().axes[0].containers) == 4  # before and after, two widths each
    assert "too few weeks" in all_text(event_study(p=np.nan))


def test_the_love_plot_counts_what_is_not_balanced_and_what_it_hides():
    frame = world.balance()
    before = frame[frame["method"] == "unweighted"]["smd"].abs()
    text = all_text(love())
    assert f"unweighted {int((before > 0.1).sum())}" in text
    assert "of 18" in text
    assert "2 smallest differences are not shown" in text


def test_weights_breakdowns_and_signs_are_read_off_the_results():
    share = world.bacon().groupby("comparison")["weight"].sum()["later_vs_earlier"]
    assert f"later vs earlier: weight {share:.0%}" in all_text(bacon())
    assert "breaks down at 0.5" in all_text(honest())
    assert "nothing to break down" in all_text(honest(breakdown=np.nan))
    text = all_text(leave_one_out())
    assert "201 estimates from -0.10 to +4.30 USD; 1 of another sign" in text
    assert "1 could not be made" in text


def test_errors_are_shown_against_the_reported_one():
    text = all_text(standard_errors())
    assert "4.20 (0.82 x)" in text
    assert "no figure: 4 clusters are too few" in text
    assert "Dashed: 4.74 USD" in text


def test_the_waterfall_ends_where_the_sum_is():
    ledger, _ = world.ledger_and_decisions()
    axis = waterfall().axes[0]
    bars = [one for one in axis.patches if one.get_width() == pytest.approx(0.6)]
    ends = [one.get_y() + one.get_height() for one in bars]
    assert len(bars) == len(STEPS)
    assert ends[2] == pytest.approx(ends[3])
    assert ends[3] == pytest.approx(ledger.entries["8", "incremental_revenue"].value)
    assert ends[4] == pytest.approx(ends[5])
    uncovered = waterfall("18")
    assert all_text(uncovered).count("no figure") == 2
    assert "after it, net: no post_spend_usd: 7 of 28 days are covered" in all_text(uncovered)
    assert "{" not in all_text(uncovered)


def test_the_ledger_states_its_money_or_shows_no_return():
    text = all_text(ledger_table())
    assert "ASSUMED, not in the data" in text
    assert "ROI" in text
    assert "undecided false discovery" in text
    bare = all_text(ledger_table(UNSTATED))
    assert "ROI" not in bare
    assert "No money was stated" in bare
