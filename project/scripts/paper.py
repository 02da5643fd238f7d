"""The figures of the paper: He and Tang (2023), tables 1 to 4 and 6, with those of the systems it compares.

Scores are F1 in percent. What a table leaves out, and what the paper does not say, is None.
"""

from typing import NamedTuple

PAPER = "He and Tang (2023)"
# how the sentences of BioRelEx in these figures begin, with single spaces
FIGURE_3 = "Moreover, the in vitro binding of NF"
FIGURE_4 = "The general transcription factors TFIIA and TFIIB bind"
GPU = "Tesla V100"
UNKNOWN = "not stated"

ENCODERS = {
    "ace05": "BERT-base", "biorelex": "BioBERT-base", "ade": "BioBERT-base",
    "text2dt": "Chinese-BERT-wwm-ext", "scierc": "SciBERT (as the released code has it)",
}  # fmt: skip
EPOCHS = {"ace05": 70, "biorelex": 75, "ade": 70, "text2dt": 80, "scierc": 70}  # table 5, BiSPN alone


class Statistics(NamedTuple):
    """A column of table 1. length: tokens a sentence. The last two are numbers a sentence."""

    sentences: int
    length: float
    entity_types: int
    relation_types: int
    entities: int
    relations: int
    entities_each: float
    relations_each: float


class Score(NamedTuple):
    """F1 of entities and of relations, and sentences a second at batch 8 (tables 3 and 6)."""

    entities: float | None = None
    relations: float | None = None
    speed: float | None = None


TABLE_1 = {
    "ace05": Statistics(14525, 14.6, 7, 6, 38287, 7691, 2.63, 0.53),
    "biorelex": Statistics(2010, 29.0, 33, 3, 9871, 3235, 4.91, 1.61),
    "ade": Statistics(4272, 20.3, 2, 1, 17808, 6821, 4.17, 1.60),
    "text2dt": Statistics(500, 66.5, 6, 6, 3280, 3196, 6.56, 6.39),
}

CONSISTENCY, LINKING, BOTH = "BiSPN without consistency", "BiSPN without linking", "BiSPN without both"
TABLE_2 = {
    "ace05": {
        "PL-Marker (2022)": Score(89.8, 66.5), "PFN (2021)": Score(88.4, 64.9),
        "UniRE (2021)": Score(88.8, 64.3), "BiSPN": Score(89.7, 65.5),
        CONSISTENCY: Score(89.2, 64.0), LINKING: Score(89.5, 65.1), BOTH: Score(88.9, 63.4),
    },
    "biorelex": {
        "KECI (2021)": Score(87.4, 66.1), "PL-Marker (2022)": Score(87.4, 66.3),
        "PFN (2021)": Score(87.1, 65.8), "UniRE (2021)": Score(87.3, 65.6), "BiSPN": Score(87.5, 67.0),
        CONSISTENCY: Score(86.1, 66.2), LINKING: Score(87.4, 66.7), BOTH: Score(85.7, 66.0),
    },
    "ade": {
        "KECI (2021)": Score(90.7, 81.7), "MADR (2023)": Score(91.8, 80.1),
        "PL-Marker (2022)": Score(92.2, 83.2), "PFN (2021)": Score(91.3, 83.2),
        "UniRE (2021)": Score(91.6, 82.9), "BiSPN": Score(92.1, 83.7),
        CONSISTENCY: Score(91.4, 83.5), LINKING: Score(91.8, 83.5), BOTH: Score(90.9, 83.0),
    },
    "text2dt": {
        "PL-Marker (2022)": Score(96.3, 93.3), "PFN (2021)": Score(95.1, 92.9),
        "UniRE (2021)": Score(95.4, 92.5), "TOP1 (2021; 2022)": Score(None, 94.4),
        "BiSPN": Score(97.1, 94.9), CONSISTENCY: Score(96.8, 94.4), LINKING: Score(97.1, 94.6),
        BOTH: Score(96.2, 94.1),
    },
}  # fmt: skip

TABLE_3 = {
    "ace05": {
        "UniRE (2021)": Score(None, 64.3, 134.6), "PL-Marker (2022)": Score(None, 66.5, 32.0),
        "BiSPN": Score(None, 65.5, 59.7),
    },
    "biorelex": {
        "KECI (2021)": Score(None, 66.1, 15.7), "UniRE (2021)": Score(None, 65.8, 107.2),
        "PL-Marker (2022)": Score(None, 66.4, 21.9), "BiSPN": Score(None, 67.0, 40.8),
    },
}  # fmt: skip

# ACE05 with the sentences of at least so many relations: training and test sentences, F1 of relations
TABLE_4 = {
    0: (10051, 2050, {"PL-Marker": 66.5, "BiSPN": 65.5}),
    1: (2643, 597, {"PL-Marker": 63.8, "BiSPN": 63.4}),
    2: (1203, 302, {"PL-Marker": 57.9, "BiSPN": 58.2}),
}

TABLE_6 = {
    "scierc": {
        "PFN (2021)": Score(66.8, 38.4, 55.1), "UniRE (2021)": Score(68.4, 36.9, 79.6),
        "PL-Marker (2022)": Score(69.9, 41.6, 18.5), "BiSPN": Score(68.9, 42.0, 37.2),
        CONSISTENCY: Score(67.7, 41.4), LINKING: Score(68.0, 41.3), BOTH: Score(67.1, 40.8),
    },
}  # fmt: skip
SYSTEMS = {2: TABLE_2, 6: TABLE_6}  # tables of scores, by their numbers
SPEEDS = {3: TABLE_3, 6: TABLE_6}


def begins_as(text: str, beginning: str) -> bool:
    """Whether a text begins with the words of a figure; corpora have other white space."""
    return " ".join(text.split()).startswith(beginning)
