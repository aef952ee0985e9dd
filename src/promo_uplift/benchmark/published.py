"""Figures that others published on the outside sets, to stand beside ours.

All of them are of one table: Intervention Targeting Engine ("itx"), README and ``results/`` of the
public repository Peter-A-P/intervention-targeting-engine, read on 2026-11-22. Its protocol: splits
60/20/20 stratified by arm and 0/1 outcome, seeds 11, 23, 37, 53, 71; LightGBM of 400 trees with a
learning rate of .05, leaves and leaf size from a grid of eight chosen by the validation Qini;
figures on the test part by arm differences; the interval is the mean of five bootstrap intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Who published the figures of this module.
ITX = "itx"
#: Split seeds of the protocol, in the order of ``by_seed``.
SEEDS = (11, 23, 37, 53, 71)
#: Tie-breaking seed of the protocol.
TIE_SEED = 20260907


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """One published figure.

    Attributes
    ----------
    set_name : str
        The set in our registry.
    learner : str
        The learner as its authors call it.
    figure : str
        The figure as we call it.
    value, ci_low, ci_high : float
        Mean over five seeds, and the mean bounds of the bootstrap intervals.
    by_seed : tuple of float
        The figure of each seed, in the order of :data:`SEEDS`; empty where only the mean was read.
    """

    set_name: str
    learner: str
    figure: str
    value: float
    ci_low: float
    ci_high: float
    by_seed: tuple[float, ...] = ()


#: What differs between the published rows and ours, by set.
CAVEATS: dict[str, str] = {
    "hillstrom_womens": "the same 42,693 rows, splits and definition",
    "lenta": (
        "50,000 rows and 3 covariates here, 687,029 rows and 191 covariates there: another, "
        "harder problem, not the same rows"
    ),
    "acic2016": (
        "setting 1 only; the same rows, splits and definition; arm differences are biased here, "
        "since nobody drew lots: read PEHE and the error of the average effect"
    ),
    "ihdp": (
        "replicate 1 only; the same units in another order, so other rows are held out; arm "
        "differences are biased here: read PEHE and the error of the average effect"
    ),
}

_QINI, _AUUC = "published_qini", "published_auuc_normalised"
_TOP_10, _TOP_30 = "published_uplift_at_10", "published_uplift_at_30"
_SLOPE = "published_calibration_slope"

#: Learner: figure: (mean, low, high), then the five seeds.
_HILLSTROM: dict[str, dict[str, tuple[tuple[float, float, float], tuple[float, ...]]]] = {
    "s-learner": {
        _QINI: ((0.0041, 0.0019, 0.0062), (0.0040979, 0.0043183, 0.0048684, 0.0034369, 0.0037410)),
        _AUUC: ((0.2609, 0.1984, 0.3210), (0.2603253, 0.2647116, 0.2733099, 0.2505216, 0.2556499)),
        _TOP_10: ((0.0893, 0.0404, 0.1358), (0.069553, 0.0826215, 0.0998269, 0.0950845, 0.099548)),
        _TOP_30: ((0.0793, 0.053, 0.1066), (0.0798929, 0.0748756, 0.0838346, 0.0745384, 0.0835746)),
        _SLOPE: ((0.6926, 0.3295, 1.0444), (0.6984314, 0.7343262, 0.8494176, 0.5043771, 0.6762475)),
    },
    "t-learner": {
        _QINI: ((0.0031, 0.0009, 0.0053), (0.0029358, 0.0034481, 0.0032024, 0.0031833, 0.0026473)),
        _AUUC: ((0.2442, 0.1803, 0.3047), (0.2418593, 0.2504604, 0.2457321, 0.2460288, 0.2368080)),
        _TOP_10: ((0.0970, 0.0465, 0.1479), (0.0704799, 0.1272871, 0.0854116, 0.0881199, 0.113903)),
        _TOP_30: (
            (0.0678, 0.0405, 0.0948),
            (0.0571685, 0.0706571, 0.0690232, 0.0684370, 0.0739631),
        ),
        _SLOPE: ((0.2987, 0.0901, 0.5153), (0.3110425, 0.3282553, 0.2713038, 0.3226047, 0.2605194)),
    },
    "x-learner": {
        _QINI: ((0.0031, 0.0010, 0.0053), (0.0030230, 0.0035077, 0.0037909, 0.0035440, 0.0018018)),
        _AUUC: ((0.2452, 0.1827, 0.3065), (0.2429681, 0.2517762, 0.2562732, 0.2523289, 0.2227655)),
        _TOP_10: (
            (0.0831, 0.0351, 0.1321),
            (0.0646641, 0.1196550, 0.0743427, 0.0866511, 0.0701733),
        ),
        _TOP_30: (
            (0.0743, 0.0478, 0.1026),
            (0.0620363, 0.0708565, 0.0901749, 0.0734749, 0.0751311),
        ),
        _SLOPE: ((0.3477, 0.1011, 0.5944), (0.3536618, 0.4312394, 0.3760131, 0.3921663, 0.1852555)),
    },
    "dr-learner": {
        _QINI: ((0.0028, 0.0007, 0.0051), (0.0031064, 0.0030592, 0.0035882, 0.0029987, 0.0014030)),
        _AUUC: ((0.2402, 0.1757, 0.3031), (0.2447919, 0.2449860, 0.2525417, 0.2430267, 0.2157373)),
        _TOP_10: (
            (0.0841, 0.0339, 0.1344),
            (0.0632319, 0.0946120, 0.1035672, 0.0675780, 0.0912791),
        ),
        _TOP_30: (
            (0.0736, 0.0463, 0.1014),
            (0.0669212, 0.0775973, 0.0854063, 0.0720715, 0.0659323),
        ),
        _SLOPE: ((0.2563, 0.0551, 0.4590), (0.2967455, 0.3148710, 0.3032084, 0.2383513, 0.1282713)),
    },
    "r-learner": {
        _QINI: ((0.0029, 0.0007, 0.0051), (0.0025484, 0.0027851, 0.0038795, 0.0031296, 0.0020759)),
        _AUUC: ((0.2413, 0.1795, 0.3017), (0.2368537, 0.2399657, 0.2578405, 0.2446740, 0.2272484)),
        _TOP_10: (
            (0.0920, 0.0417, 0.1434),
            (0.0602401, 0.0978165, 0.1099356, 0.0839378, 0.1078763),
        ),
        _TOP_30: (
            (0.0745, 0.0473, 0.1012),
            (0.0694061, 0.0783425, 0.0779314, 0.0679010, 0.0787042),
        ),
        _SLOPE: ((0.2381, 0.0501, 0.4221), (0.1775087, 0.2553483, 0.3182892, 0.2185890, 0.2209623)),
    },
    "dragonnet": {
        _QINI: ((0.0042, 0.0020, 0.0064), (0.0033765, 0.0033608, 0.0053326, 0.0052811, 0.0035093)),
        _AUUC: ((0.2629, 0.2020, 0.3225), (0.2498622, 0.2470868, 0.2829810, 0.2829289, 0.2518716)),
        _TOP_10: (
            (0.0687, 0.0226, 0.1168),
            (0.0488828, 0.0627143, 0.0717729, 0.1068335, 0.0532796),
        ),
        _TOP_30: (
            (0.0713, 0.0448, 0.0984),
            (0.0620733, 0.0543178, 0.0867975, 0.0870967, 0.0664363),
        ),
        _SLOPE: ((1.0648, 0.5185, 1.5984), (1.0232384, 0.7973218, 1.4795729, 1.3541475, 0.6698889)),
    },
    "outcome-ranking": {
        _QINI: ((0.0012, -0.0008, 0.0033), (0.0011165, 0.0018475, 0.0012428, 0.0001893, 0.0017286)),
        _AUUC: ((0.2129, 0.1431, 0.2796), (0.2088046, 0.2224912, 0.2128526, 0.1969957, 0.2234040)),
        _TOP_10: (
            (0.0462, -0.0070, 0.1011),
            (0.0215415, 0.0568645, 0.0625312, 0.0397958, 0.0500677),
        ),
        _TOP_30: (
            (0.0578, 0.0288, 0.0882),
            (0.0599347, 0.0621704, 0.0516120, 0.0486912, 0.0664775),
        ),
    },
    "random-200": {
        _QINI: (
            (0.0, -0.0019, 0.0020),
            (-0.0000358, 0.0000649, 0.0000835, -0.0001420, -0.0000624),
        ),
        _AUUC: ((0.1931, 0.1605, 0.2267), (0.1917043, 0.1945972, 0.1951561, 0.1914334, 0.1925667)),
        _TOP_10: (
            (0.0450, 0.0047, 0.0846),
            (0.0444148, 0.0456269, 0.0450375, 0.0461811, 0.0438769),
        ),
        _TOP_30: (
            (0.0451, 0.0243, 0.0656),
            (0.0445193, 0.0460916, 0.0459710, 0.0441785, 0.0449745),
        ),
    },
}

#: Set: learner: (mean, low, high) in the order of the figures below.
_MEANS_OF = {
    "lenta": (_QINI, _AUUC, _TOP_10, _TOP_30, _SLOPE),
    "acic2016": ("pehe", "ate_error", _QINI, _AUUC),
    "ihdp": ("pehe", "ate_error", _QINI, _AUUC),
}
_MEANS: dict[str, dict[str, tuple[tuple[float, float, float], ...]]] = {
    "lenta": {
        "s-learner": (
            (0.0006, -0.0003, 0.0016),
            (0.0495, 0.0230, 0.0760),
            (0.0184, 0.0008, 0.0357),
            (0.0118, 0.0031, 0.0207),
            (0.7697, -0.2513, 1.8054),
        ),
        "t-learner": (
            (0.0002, -0.0008, 0.0012),
            (0.0431, 0.0179, 0.0682),
            (0.0159, -0.0013, 0.0330),
            (0.0096, 0.0016, 0.0178),
            (0.0568, -0.1061, 0.2219),
        ),
        "x-learner": (
            (0.0002, -0.0009, 0.0012),
            (0.0430, 0.0185, 0.0676),
            (0.0113, -0.0053, 0.0284),
            (0.0101, 0.0019, 0.0182),
            (0.0789, -0.2035, 0.3460),
        ),
        "dr-learner": (
            (0.0004, -0.0006, 0.0014),
            (0.0460, 0.0207, 0.0704),
            (0.0163, -0.0003, 0.0337),
            (0.0113, 0.0032, 0.0196),
            (0.0964, -0.1011, 0.2946),
        ),
        "r-learner": (
            (0.0003, -0.0007, 0.0013),
            (0.0455, 0.0212, 0.0701),
            (0.0093, -0.0083, 0.0263),
            (0.0117, 0.0035, 0.0200),
            (0.0634, -0.1823, 0.3037),
        ),
        "dragonnet": (
            (-0.0002, -0.0011, 0.0008),
            (0.0381, 0.0159, 0.0607),
            (0.0100, -0.0054, 0.0244),
            (0.0079, 0.0009, 0.0150),
            (0.0299, -0.4319, 0.4804),
        ),
        "outcome-ranking": (
            (0.0005, -0.0005, 0.0014),
            (0.0469, 0.0175, 0.0763),
            (0.0075, -0.0118, 0.0267),
            (0.0095, -0.0003, 0.0191),
        ),
        "random-200": (
            (0.0, -0.0008, 0.0007),
            (0.0402, 0.0286, 0.0511),
            (0.0073, -0.0034, 0.0175),
            (0.0074, 0.0019, 0.0125),
        ),
    },
    "acic2016": {
        "s-learner": (
            (1.7178, 1.5633, 1.8647),
            (0.3182, 0.2163, 0.4252),
            (0.2170, 0.1582, 0.2785),
            (0.7506, 0.6915, 0.8137),
        ),
        "t-learner": (
            (1.2155, 1.1465, 1.2834),
            (0.3585, 0.2839, 0.4292),
            (0.2107, 0.1520, 0.2712),
            (0.7611, 0.6993, 0.8256),
        ),
        "x-learner": (
            (0.8252, 0.7652, 0.8817),
            (0.2023, 0.1513, 0.2534),
            (0.2273, 0.1681, 0.2895),
            (0.7479, 0.6896, 0.8106),
        ),
        "dr-learner": (
            (1.7920, 1.6956, 1.8894),
            (0.4873, 0.3842, 0.5909),
            (0.2401, 0.1765, 0.3085),
            (0.8059, 0.7402, 0.8749),
        ),
        "r-learner": (
            (1.2290, 1.1519, 1.3097),
            (0.1387, 0.0733, 0.2141),
            (0.2277, 0.1682, 0.2915),
            (0.7413, 0.6809, 0.8052),
        ),
        "dragonnet": (
            (1.2348, 1.1610, 1.3106),
            (0.1258, 0.0644, 0.2039),
            (0.2249, 0.1659, 0.2884),
            (0.7132, 0.6510, 0.7762),
        ),
    },
    "ihdp": {
        "s-learner": (
            (0.5661, 0.4344, 0.7022),
            (0.1385, 0.0697, 0.2215),
            (0.0176, -0.0699, 0.1079),
            (0.9064, 0.8315, 0.9670),
        ),
        "t-learner": (
            (0.8569, 0.7500, 0.9646),
            (0.1248, 0.0508, 0.2608),
            (0.0305, -0.0578, 0.1222),
            (0.9022, 0.8334, 0.9585),
        ),
        "x-learner": (
            (0.7870, 0.6081, 0.9695),
            (0.1032, 0.0219, 0.2284),
            (0.0468, -0.0462, 0.1433),
            (0.8962, 0.8303, 0.9548),
        ),
        "dr-learner": (
            (8.5415, 7.1699, 9.9460),
            (1.6629, 0.4919, 3.0153),
            (-0.0004, -0.0790, 0.0787),
            (0.8104, 0.7258, 0.8873),
        ),
        "r-learner": (
            (1.3381, 1.1803, 1.5026),
            (0.3380, 0.2001, 0.5365),
            (0.0021, -0.0804, 0.0807),
            (0.8878, 0.8067, 0.9464),
        ),
        "dragonnet": (
            (1.4047, 1.2060, 1.6127),
            (0.5807, 0.3904, 0.7820),
            (0.0613, -0.0106, 0.1380),
            (0.8150, 0.7399, 0.8840),
        ),
    },
}

#: Every published figure, one entry each.
PUBLISHED: tuple[PublishedFigure, ...] = tuple(
    PublishedFigure("hillstrom_womens", learner, figure, *mean, by_seed)
    for learner, figures in _HILLSTROM.items()
    for figure, (mean, by_seed) in figures.items()
) + tuple(
    PublishedFigure(name, learner, figure, *mean)
    for name, learners in _MEANS.items()
    for learner, means in learners.items()
    for figure, mean in zip(_MEANS_OF[name], means, strict=False)
)
