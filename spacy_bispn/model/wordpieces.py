"""Wordpiece tokenizers learnt from texts, tokenizers as they come from files, and characters of pieces."""

import unicodedata
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

JOINERS = "\u200c\u200d"  # the zero-width joiners
SPECIAL_PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def learn_wordpieces(texts: Iterable[str], size: int) -> Tokenizer:
    """A cased wordpiece tokenizer in BERT's manner; the same texts always give the same vocabulary."""
    texts = list(texts)
    # the trainer numbers `##` pieces of single characters in no fixed order, and breaks ties by number
    inner = sorted({f"##{character}" for text in texts for character in text if not character.isspace()})
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=[*SPECIAL_PIECES, *inner], show_progress=False
    )
    learnt = wordpiece({})
    learnt.train_from_iterator(texts, trainer)
    # a fresh tokenizer, in which those pieces are no special tokens
    tokenizer = wordpiece(learnt.get_vocab())
    tokenizer.add_special_tokens(list(SPECIAL_PIECES))
    return tokenizer


def wordpiece(vocabulary: dict[str, int]) -> Tokenizer:
    """A cased tokenizer over a vocabulary, with BERT's normalization and splitting."""
    model = models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def plain(serialized: str) -> Tokenizer:
    """A tokenizer that neither cuts nor pads, whatever its file says."""
    tokenizer = Tokenizer.from_str(serialized)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def fit(text: str, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Offsets without white space at either end, extended by marks and joiners that no other piece covers.

    Some tokenizers include the space before a word, and uncased ones drop accents.
    """
    fitted = []
    limits = [*(start for start, _ in offsets[1:]), len(text)]
    for (start, end), limit in zip(offsets, limits, strict=False):
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        while start < end < limit and _attached(text[end]):
            end += 1
        fitted.append((start, end))
    return fitted


def _attached(char: str) -> bool:
    """Whether a character belongs to the one before it."""
    return not char.isascii() and (char in JOINERS or unicodedata.category(char).startswith("M"))
