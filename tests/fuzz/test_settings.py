"""Every setting at, below and above its bounds: it works, or an error names it, its value and the way out."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import Any

import pytest
import spacy
from groups import default_block
from hypothesis import given
from hypothesis import strategies as st
from pipelines import CNN, ENCODER, demo_texts, initialize, listening, make_nlp, tiny
from spacy.util import registry
from tries import cases

from spacy_bispn.bench.invariants import check_doc
from spacy_bispn.model.decoding import Decoding

DEFAULTS = {key: value for key, value in default_block().items() if key != "factory"}
MODEL = {name: value for name, value in DEFAULTS["model"].items() if name != "encoder"}
OBJECTIVE, RANDOM = DEFAULTS["objective"], DEFAULTS["model"]["encoder"]
COMPONENT = {name: value for name, value in DEFAULTS.items() if not isinstance(value, dict)}
ADAMW = {
    "@optimizers": "spacy-bispn.AdamW.v1", "encoder_rate": 1e-4, "decoder_rate": 4e-4, "epochs": 5.0,
    "warmup": 0.1, "weight_decay": 0.01, "max_norm": 1.0, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8,
}  # fmt: skip
READER = {"@readers": "spacy-bispn.Corpus.v1", "path": "corpus.spacy", "max_length": 0, "limit": 0}
BLOCKS: dict[str, dict[str, Any]] = {
    "component": COMPONENT,
    "model": {**MODEL, "encoder": RANDOM},
    "listener": {**listening(CNN)["model"], "tok2vec": CNN},
    "objective": OBJECTIVE,
    "encoder": RANDOM,
    "optimizer": ADAMW,
    "reader": READER,
}
# blocks of their own, and what is no number and no choice; a name of the extension is for the whole process
KEPT = ("encoder", "tok2vec", "path", "extension", "given_spans")
SETTINGS = [
    (block, name)
    for block, values in BLOCKS.items()
    for name in values
    if name[0] != "@" and name not in KEPT
]

NUMBERS = [
    nan, inf, -inf, 0, -1, 1, 2, 8, 9, -1e-300, 1e-300, 5e-324, 1e300, 0.0, -0.0, 0.5, 1.0, 1 - 1e-16,
    1 + 1e-15, 2**31, 2**63, 2**64, 10**30, -(10**30), 4096, 4097, 65_536, 65_537, 1_000_000, 1_000_001,
]  # fmt: skip
CHOICES = [
    "proposed", "learned", "before", "after", "biaffine", "additive", "shared", "separate", "soft",
    "hard", "sum", "mean", "snap", "add", "drop", "all", "matched",
    "cross_entropy", "binary", "both", "balanced", "", "nan", "SNAP", "1", "0.5", "-1",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(NUMBERS), st.sampled_from(NUMBERS), st.sampled_from(CHOICES), st.booleans(),
    st.integers(), st.integers(-2, 70), st.floats(), st.floats(0, 1), st.just([]), st.none(),
)  # fmt: skip


def refusal(block: str, name: str, value: Any) -> str | None:
    """Build one block with one setting changed; the error's words, None where it was built."""
    given = {**BLOCKS[block], name: value}
    try:
        if block == "component":
            if name in Decoding.__dataclass_fields__:  # spaCy refuses NaN before it is here
                Decoding(**{name: value})
            spacy.blank("en").add_pipe("bispn", config=tiny(**given))
        else:
            registry.resolve({"block": given})
    except ValueError as error:  # a config that spaCy refuses is one too
        return str(error)
    return None


def built_or_refused(block: str, name: str, value: Any) -> None:
    words = refusal(block, name, value)
    if words is None:
        assert not (isinstance(value, float) and isnan(value)), f"{block}.{name} took NaN"
        return
    assert name in words
    if "Config validation error" not in words:  # spaCy's lists the type it wants, and the whole block
        assert str(value).lower() in words.lower()
        assert ": " in words or "; " in words  # what to do stands behind what is wrong


@cases("values")
@given(st.sampled_from(SETTINGS), VALUES)
def test_a_setting_is_built_or_refused(setting: tuple[str, str], value: Any) -> None:
    built_or_refused(*setting, value)


@pytest.mark.slow
@cases("many values")
@given(st.sampled_from(SETTINGS), VALUES)
def test_many_settings_are_built_or_refused(setting: tuple[str, str], value: Any) -> None:
    built_or_refused(*setting, value)


@pytest.mark.parametrize(("block", "name"), SETTINGS)
def test_no_setting_takes_nan_or_a_word_it_does_not_know(block: str, name: str) -> None:
    for value in (nan, "SNAP"):
        words = refusal(block, name, value)
        assert words is not None and name in words


# What was built works: it learns from a step and reads a text, or says which setting is in the way.

SMALL = {**ENCODER, "width": 16, "layers": 1, "heads": 2, "vocabulary": 60}
LIKELY = {
    bool: st.booleans(), int: st.integers(1, 12), str: st.sampled_from(CHOICES),
    float: st.one_of(st.floats(0, 1), st.floats(0, 1e-3), st.sampled_from([1e-300, 1.0, 1e300, 1_000_000])),
}  # fmt: skip


def change(setting: tuple[str, str]) -> st.SearchStrategy[tuple[tuple[str, str], Any]]:
    """A setting and a value of its own kind, which it may or may not take."""
    default = BLOCKS[setting[0]][setting[1]]
    return st.tuples(st.just(setting), LIKELY.get(type(default), VALUES) | st.sampled_from(BOUNDS))


BOUNDS = [0, 1, 64, 256, 4096, 65_536]
CHANGES = st.lists(st.sampled_from(SETTINGS).flatmap(change), min_size=1, max_size=3).map(dict)
HEAVY = {("encoder", "width"): 1000}  # up to its bound it would need gigabytes


def config_of(changes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A tiny component with some settings changed, over a CNN where a setting of the listener is."""
    component = {**changes["component"], "objective": {**OBJECTIVE, **changes["objective"]}}
    if changes["listener"]:
        config = listening(CNN, **component)
        config["model"] |= changes["listener"]
        return config
    own = {"heads": 2, "encoder": {**SMALL, **changes["encoder"]}, **changes["model"]}
    return tiny(own, **component)


def works_or_says_why(drawn: dict[tuple[str, str], Any]) -> None:
    changes = {block: {name: x for (at, name), x in drawn.items() if at == block} for block in BLOCKS}
    try:
        nlp = make_nlp(config_of(changes))
        sgd = registry.resolve({"optimizer": {**ADAMW, **changes["optimizer"]}})["optimizer"]
        losses = nlp.update(initialize(nlp, demo_texts(2)), sgd=sgd)
    except ValueError as error:
        assert any(name in str(error) for _, name in drawn), error
        return
    assert 0 <= losses["bispn"] < inf
    for text in ("Tem2 binds Dal92.", *(text.text for text in demo_texts(2))):
        check_doc(nlp(text), nlp.make_doc(text))


def affordable(drawn: dict[tuple[str, str], Any]) -> bool:
    return not any(
        isinstance(value, int | float) and HEAVY.get(setting, inf) < value < 10**6
        for setting, value in drawn.items()
    )


@pytest.mark.slow
@cases("built")
@given(CHANGES.filter(affordable))
def test_what_is_built_works(drawn: dict[tuple[str, str], Any]) -> None:
    works_or_says_why(drawn)
