"""The hand-written grammar of the demo corpus: name pieces, noun phrases and sentence frames.

Three levels of templates, each filled by the level before it:

- NAMES, `"<syl><syl>ase"`: pieces from PIECES in angle brackets make an invented name.
- PHRASES, `"the kinase [PROTEIN {code}]"`: names in braces; square brackets mark entities, which may nest.
- frames, `"{a:agent+} inhibits|inhibit {b:target}"`: a slot is a key and a kind of phrase, `+` allows
  coordination, and `singular|plural` agrees with the slot before it. Frames are grouped by the relations
  that they state between their slots; a slot outside of those is a distractor.
"""

from __future__ import annotations

Frames = dict[str, tuple[str, ...]]

_SYLLABLES = (
    "bal bor cal cor dal del dor fen fir gal gor hem jun kel kor lam len lor mel mor "
    "nar nel pal pel ral rem ros sal sel sor tal tem tir val vel vor wen yar zan zel"
)
_LETTERS = "AB BX CK DN EG FT GR HK JL KV LM MZ NP PD QR RS SV TB VK XT"

PIECES: dict[str, tuple[str, ...]] = {
    "syl": tuple(_SYLLABLES.split()),
    "Syl": tuple(_SYLLABLES.title().split()),
    "LL": tuple(_LETTERS.split()),
    "9": tuple("123456789"),
    "99": tuple(str(number) for number in range(10, 100)),
    "greek": tuple("αβγ"),
}

# There are so many names that few recur in a split: a wordpiece vocabulary learns their pieces, not them.
# Codes and names in -in occur with several labels: the words around them decide.
NAMES: dict[str, tuple[str, ...]] = {
    "gene": ("<Syl><99>", "<Syl><syl><9>", "<Syl><syl><99>"),
    "isoform": ("<Syl><syl>-<greek>",),
    "enzyme": ("<syl><syl>ase",),
    "drug": ("<syl><syl>ine", "<syl><syl>ol", "<syl><syl>mab", "<syl><syl>tinib"),
    "in": ("<syl><syl>in",),
    "code": ("<LL>-<99>", "<LL>-<99><9>"),
    "illness": ("<syl><syl>itis", "<syl><syl>oma", "<syl><syl>osis"),
    "eponym": ("<Syl><syl>",),
    "cell": ("<syl><syl>cytes", "<syl><syl>blasts"),
}

PHRASES: dict[str, tuple[str, ...]] = {
    "protein": (
        "[PROTEIN {gene}]",
        "[PROTEIN {gene}]",
        "[PROTEIN {gene}]",
        "[PROTEIN {isoform}]",
        "[PROTEIN {enzyme}]",
        "the kinase [PROTEIN {code}]",
        "the receptor [PROTEIN {in}]",
    ),
    "complex": (
        "the [COMPLEX [PROTEIN {gene}]-[PROTEIN {gene}] complex]",
        "the [COMPLEX [PROTEIN {gene}]/[PROTEIN {gene}] heterodimer]",
    ),
    "chemical": (
        "[CHEMICAL {drug}]",
        "[CHEMICAL {drug}]",
        "[CHEMICAL {drug}]",
        "the compound [CHEMICAL {code}]",
        "the drug [CHEMICAL {in}]",
        "the [CHEMICAL anti-[PROTEIN {gene}] antibody]",
    ),
    "disease": (
        "[DISEASE {illness}]",
        "[DISEASE {illness}]",
        "[DISEASE {eponym} syndrome]",
        "[DISEASE {eponym} disease]",
        "[DISEASE [PROTEIN {gene}]-associated {illness}]",
    ),
    "cell": (
        "[CELL {cell}]",
        "[CELL {code} cells]",
        "[CELL [PROTEIN {gene}]-positive T cells]",
        "[CELL [PROTEIN {gene}]-deficient {cell}]",
    ),
}
PHRASES["target"] = PHRASES["protein"] + PHRASES["complex"]
PHRASES["agent"] = PHRASES["target"] + PHRASES["chemical"]

OPENERS = (
    *("",) * 6,
    "interestingly, ",
    "in this study, ",
    "under these conditions, ",
    "here we show that ",
    "our data suggest that ",
    "it was reported that ",
)
ADVERBIALS = (
    *("",) * 6,
    " in vitro",
    " in vivo",
    " at low doses",
    " after 24 hours",
    " under hypoxic conditions",
    " in a dose-dependent manner",
)
JOINERS = (", and ", ", whereas ", ", while ", "; however, ", "; in contrast, ", "; in addition, ")

SHARED: Frames = {
    "a BINDS b": (
        "{a:protein+} binds|bind {b:target}",
        "{a:chemical} binds to {b:protein+}",
        "{b:protein+} is|are bound by {a:agent}",
        "{a:protein} interacts with {b:target+}",
        "{a:protein} and {b:protein} interact with each other",
        "{a:protein+} forms|form a stable complex with {b:protein}",
        "binding of {a:agent} to {b:protein} was confirmed by mass spectrometry",
        "a stable interaction between {a:protein} and {b:protein} was observed in {c:cell}",
        "{a:target}, but not {c:protein}, was found to bind {b:protein}",
    ),
    "a ACTIVATES b": (
        "{a:agent+} activates|activate {b:target}",
        "{a:agent} strongly activates {b:target+} in {c:cell}",
        "{b:target+} is|are activated by {a:agent}",
        "{b:protein} was activated by {a:agent+} but not by {c:agent}",
        "activation of {b:target} by {a:agent+} was observed in {c:cell}",
        "{a:agent}, but not {c:agent}, activated {b:target+}",
        "{a:agent} activates {b:protein} independently of {c:protein}",
        "treatment with {a:chemical} led to activation of {b:protein+}",
        "{b:target} is stimulated by {a:agent+}",
    ),
    "a INHIBITS b": (
        "{a:agent+} inhibits|inhibit {b:target}",
        "{a:agent} blocks {b:target+} in {c:cell}",
        "{b:target+} is|are inhibited by {a:agent}",
        "{b:protein} was inhibited by {a:agent+} but not by {c:agent}",
        "inhibition of {b:target} by {a:agent+} was observed in patients with {c:disease}",
        "unlike {c:agent}, {a:agent} inhibits {b:target+}",
        "{a:chemical} is a potent inhibitor of {b:protein+}",
        "{b:target+} was|were blocked by {a:chemical} independently of {c:protein}",
    ),
    "a TREATS b": (
        "{a:chemical+} is|are effective against {b:disease}",
        "{a:chemical} was approved for the treatment of {b:disease+}",
        "patients with {b:disease} were treated with {a:chemical+}",
        "{b:disease+} responded well to {a:chemical}",
        "{a:chemical+} improved survival in patients with {b:disease}",
        "unlike {c:chemical}, {a:chemical} is an effective treatment of {b:disease}",
    ),
    "a CAUSES b": (
        "{a:agent+} causes|cause {b:disease}",
        "mutations in {a:protein+} cause {b:disease}",
        "{b:disease+} is|are caused by mutations in {a:protein}",
        "{b:disease} is induced by {a:chemical+}",
        "long-term exposure to {a:chemical} leads to {b:disease+}",
        "{b:disease} results from loss of {a:target+}",
    ),
    "a EXPRESSED_IN b": (
        "{a:target+} is|are highly expressed in {b:cell}",
        "expression of {a:protein+} was detected in {b:cell}",
        "{b:cell} express high levels of {a:protein+}",
        "{b:cell+} express {a:protein} but not {c:protein}",
        "{a:protein} is abundant in {b:cell+}",
        "{a:protein+} is|are expressed in {b:cell} but not in {c:cell}",
        "{b:cell} show abundant expression of {a:target}",
    ),
    "a BINDS b, a ACTIVATES b": ("{a:protein+} binds|bind and activates|activate {b:target}",),
    "a BINDS b, a INHIBITS c": ("{a:agent} binds {b:protein} and thereby inhibits {c:protein+}",),
    "a ACTIVATES c, b INHIBITS c": ("{a:agent} activates and {b:agent} inhibits {c:target}",),
    "a INHIBITS b, b EXPRESSED_IN c": (
        "{a:chemical} inhibits {b:protein}, which is highly expressed in {c:cell}",
    ),
    "a INHIBITS b, a TREATS c": ("{a:chemical} inhibits {b:protein} and is effective against {c:disease+}",),
    "a ACTIVATES b, b CAUSES c": ("{a:agent} activates {b:protein}, which causes {c:disease}",),
    "": (
        "{a:agent+} does|do not bind {b:protein}",
        "there is no evidence that {a:agent} activates {b:target+}",
        "there is no evidence that {a:chemical+} inhibits|inhibit {b:protein}",
        "{a:protein+} was|were measured alongside {b:target}",
        "{a:agent} failed to inhibit {b:target+}",
        "it is unknown whether {a:agent} activates {b:protein+}",
        "{a:chemical+} had no effect on {b:target}",
        "{a:protein+} was|were not expressed in {b:cell}",
        "patients with {a:disease+} were not treated with {b:chemical}",
        "levels of {a:target+} were measured in {b:cell}",
        "{a:chemical} was not effective against {b:disease+}",
        "samples from patients with {a:disease+} were collected for analysis",
        "{a:cell+} were cultured in the presence of {b:chemical}",
        "mutations in {a:protein} do not cause {b:disease+}",
        "no expression of {a:protein+} was detected in {b:cell}",
    ),
}

# The same words as in SHARED, in other constructions.
HELD_OUT: Frames = {
    "a BINDS b": (
        "{a:protein} and {b:protein} form a stable complex",
        "interaction of {a:protein} with {b:target+} was confirmed in {c:cell}",
        "{a:agent} was found to interact with {b:protein+}",
    ),
    "a ACTIVATES b": (
        "unlike {c:agent}, {a:agent} strongly activates {b:target+}",
        "activation of {b:target+} was induced by {a:agent}",
        "it is {a:protein} that activates {b:target+}",
    ),
    "a INHIBITS b": (
        "treatment with {a:chemical+} led to inhibition of {b:protein}",
        "a potent inhibitor of {b:protein+} is {a:chemical}",
        "{a:agent}, but not {c:agent}, blocks {b:target+}",
    ),
    "a TREATS b": (
        "treatment of {b:disease} with {a:chemical+} improved survival",
        "patients with {b:disease+} responded well to {a:chemical}",
        "{a:chemical} is an effective treatment for patients with {b:disease+}",
    ),
    "a CAUSES b": (
        "exposure to {a:chemical+} was found to cause {b:disease}",
        "loss of {a:target} leads to {b:disease+}",
        "{b:disease+} is|are induced by long-term exposure to {a:chemical}",
    ),
    "a EXPRESSED_IN b": (
        "{b:cell} were found to express {a:protein+}",
        "high levels of {a:target} were detected in {b:cell+}",
        "in {b:cell}, {a:protein+} is|are highly abundant",
    ),
    "a BINDS b, a INHIBITS b": ("{a:agent} binds and inhibits {b:target+}",),
    "b EXPRESSED_IN c, a INHIBITS b": (
        "{b:protein}, which is highly expressed in {c:cell}, is inhibited by {a:chemical+}",
    ),
    "": (
        "it is unknown whether {a:agent} binds {b:protein+}",
        "{a:agent+} failed to activate {b:target}",
        "{a:agent+} does|do not inhibit {b:target}",
        "there is no evidence that mutations in {a:protein+} cause {b:disease}",
        "samples of {a:cell+} were collected and {b:protein} was measured",
    ),
}
