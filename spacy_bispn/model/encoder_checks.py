"""A loaded model is tried on a few pieces, before anybody trains it in vain."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from spacy_bispn.model.windowing import SpecialPieces
from spacy_bispn.nn.encoder import TokenEncoder

TOLERANCE = 1e-3  # of states, which padding may move by rounding alone
PIECES = 6


def trouble_with(encoder: TokenEncoder, special: SpecialPieces, vocabulary: int) -> str | None:
    """Why a model cannot be used, as the end of "a MODEL, which ..."; None if it can.

    It must return a state for each piece, which depends on the pieces behind it and not on padding.
    vocabulary: how many pieces the tokenizer has.
    """
    training = encoder.model.training
    try:
        return _trouble(encoder.eval(), *_texts(special, vocabulary), special.padding)
    except Exception as error:  # whatever is raised by a model that expects something else than pieces
        return f"which cannot read pieces ({type(error).__name__}: {str(error)[:200]})"
    finally:
        encoder.model.train(training)


def _texts(special: SpecialPieces, vocabulary: int) -> tuple[Tensor, Tensor]:
    """Two texts that differ in their last piece only. Shape: (P,) each."""
    around = {*special.opening, *special.closing, special.padding}
    usable = (number for number in range(vocabulary) if number not in around)
    *rest, last = itertools.islice(usable, PIECES)
    texts = ([*special.opening, *rest, end, *special.closing] for end in (last, rest[0]))
    one, other = (torch.tensor(text) for text in texts)
    return one, other


@torch.inference_mode()
def _trouble(encoder: TokenEncoder, text: Tensor, other: Tensor, padding: int) -> str | None:
    mask = torch.ones(1, len(text), dtype=torch.bool)
    states, changed = (encoder.read(ids[None], mask) for ids in (text, other))
    if states.shape != (1, len(text), encoder.width):
        return f"which has states of the shape {tuple(states.shape)} for {len(text)} pieces"
    if torch.equal(states[:, 0], changed[:, 0]):
        return "in which no piece sees those behind it"
    longer = torch.nn.functional.pad(text, (0, PIECES), value=padding)
    padded = encoder.read(longer[None], torch.nn.functional.pad(mask, (0, PIECES)))[:, : len(text)]
    if not torch.allclose(padded, states, atol=TOLERANCE, rtol=TOLERANCE):
        return (
            "in which padding changes the states of a text (register its family with masks_padding = False)"
        )
    return None
