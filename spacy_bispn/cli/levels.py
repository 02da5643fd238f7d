"""The comparison of levels on the terminal."""

from __future__ import annotations

from collections.abc import Callable

from spacy.language import Language
from wasabi import msg

from spacy_bispn.corpus import unlabelled
from spacy_bispn.diagnosis.levels import DISTANCE_HEADER, HEADER, LevelComparison
from spacy_bispn.doc_utils import sentence_starts
from spacy_bispn.records import AnnotatedText


def measure_with(nlp: Language, levels: LevelComparison) -> Callable[[AnnotatedText], None]:
    """What fills a comparison with the texts of a corpus, cut into tokens by a pipeline."""

    def measure(text: AnnotatedText) -> None:
        if not levels.is_full:
            doc = unlabelled(nlp, text)
            if doc.text == text.text:
                tokens = [token.idx for token in doc if not token.is_space]
                levels.add(text, text.sentences or sentence_starts(doc), tokens)

    return measure


def show_levels(levels: LevelComparison, chosen: str = "document") -> None:
    """Print how many relations cross sentences, and how long the window is that they need; for documents,
    what each level loses and costs.

    chosen: the level that the texts have.
    """
    if not levels.relations:
        return
    msg.info(levels.distance_in_words())
    if levels.crossing:
        msg.table(list(levels.distance_rows()), header=DISTANCE_HEADER, aligns=("l", *"rrrr"))
    if levels.has_documents:
        msg.table(list(levels.rows()), header=HEADER, aligns=("l", *"rrrrrrr"))
        best = levels.recommend()
        (msg.good if best.level == chosen else msg.warn)(f"recommended: {levels.reason()}")
