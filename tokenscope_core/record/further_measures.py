"""What figures mean that are no column of a trace: in words, for the metrics page and the docs.

Each is a name and its definition with the source, in Markdown.
"""

from __future__ import annotations

FIGURES: tuple[tuple[str, str], ...] = (
    (
        "Perplexity",
        "of a span is exp(mean surprisal in nats) over the tokens of the span that have one.",
    ),
    (
        "Influence",
        "is no column of a trace: it is measured on request, for generated tokens. The runner-up "
        "is the most probable recorded token other than y, and the rest is what was written after "
        "y.",
    ),
    (
        "Hindsight",
        "is no column of a trace either: it is measured on request, for prompt, generated and "
        "scored tokens. Of an alternative a its choice is ln p(a) − ln p(y), with nothing but what "
        "stands to the left known, its rest ln p(rest | a) − ln p(rest | y) over the tokens that "
        "follow up to the horizon, and its log-odds their sum, which by Bayes’ rule is "
        "ln p(a | rest) − ln p(y | rest). The alternatives are recorded candidates, by their raw "
        "probability.",
    ),
    (
        "Divergence",
        "of two branches before an aligned token, with p and q the model’s distributions in the "
        "one and in the other: KL(p‖q) = Σ p ln(p / q) (Kullback and Leibler 1951), and the "
        "Jensen-Shannon divergence ½ KL(p‖m) + ½ KL(q‖m) with m = (p + q) / 2, at most ln 2 nats, "
        "1 bit (Lin 1991). Both over the whole vocabulary.",
    ),
    (
        "Bits per byte",
        "of a text is its summed surprisal in bits over the bytes of its tokens in UTF-8. Unlike "
        "perplexity it can be compared between models with different tokenizers (Gao et al. 2020, "
        "arXiv:2101.00027).",
    ),
    (
        "A − B and B − A",
        "are differences of two figures, the one named first less the other. Two models are told "
        "apart by A − B: above 0 the second expected the text more. A branch is told apart from "
        "what it came from by B − A: above 0 the figure has grown.",
    ),
    (
        "Span",
        "is a stretch of text between two places at which both tokenizers begin a token: the "
        "shortest pieces of a text that two models can be compared on. Its surprisal is the sum "
        "over its tokens.",
    ),
    (
        "Fractional tokens",
        "arise where a token lies in several parts of a program, or lines: it counts in each with "
        "its share of bytes. So 3.5 tokens can be in a part, and the parts add up to the text.",
    ),
    (
        "Interval",
        "of a mean over parts of a program, 95 %: how far it would move were the statements of "
        "this text drawn anew from what they are like (a studentised mean over whole statements, "
        "corrected for skewness, Hall 1992). Other texts differ by more. None is given where there "
        "are too few statements for it to hold.",
    ),
    (
        "Can still become valid",
        "is code with no syntax error up to here that some continuation would complete; *valid as "
        "it is* needs none, and *cannot become valid* is beyond any. Told by the grammar of the "
        "language, so nothing is said of names or types.",
    ),
)

ATTENTION: tuple[tuple[str, str], ...] = (
    (
        "Sink",
        "is a position to which heads attend whatever the query (Xiao et al. 2023, "
        "arXiv:2309.17453): the first token, and each to which a tenth of the heads give more than "
        "30 % of the attention of all later rows (Gu et al. 2024, arXiv:2410.10781).",
    ),
    (
        "Weighted by value norms",
        "means ‖a(i, j) f(x(j))‖ as a share of the row, f being what the head makes of the token "
        "(Kobayashi et al. 2020, arXiv:2004.10102).",
    ),
    (
        "Rollout",
        "takes per layer the mean over heads, half of it the position’s own for the residual, each "
        "row brought to a sum of 1; multiplied from the first layer up (Abnar and Zuidema 2020, "
        "arXiv:2005.00928).",
    ),
    (
        "Flow",
        "between parts of a program is, of the attention of a token in the one, the share that "
        "goes to tokens in the other, mean over its rows; beside it what attention spread evenly "
        "over all a row can see would give. Their ratio says something of the head.",
    ),
    (
        "Received",
        "by a token is Σ a(i, j) over the later rows i > j, in units of a row’s whole attention; "
        "what a token gives itself is not in it. Early tokens receive more because more rows "
        "follow: beside it stands what attention spread evenly would give. The mean of heads and "
        "layers counts each the same. Sinks are set apart: their values are no part of the scale.",
    ),
    (
        "Leaned on",
        "is how sure the model had been of the tokens that a row attends to: Σ a(i, j) m(j) / "
        "Σ a(i, j) over the tokens j that are no sink and have the metric m (probability, margin, "
        "entropy or surprisal, each raw), beside the same for even attention. The shares on the "
        "prompt and on the output are of what is not on the sinks; the sinks’ own is of the row.",
    ),
    (
        "Several tokens",
        "attend together as the mean of their rows does; of what attends to them, a row’s weights "
        "on any of them are added up.",
    ),
    (
        "Distance",
        "of two rows is the root of their Jensen-Shannon divergence in bits, 0 the same, 1 nothing "
        "in common (Endres and Schindelin 2003).",
    ),
)


def paragraphs(measures: tuple[tuple[str, str], ...]) -> str:
    """Markdown, a paragraph for each."""
    return "\n\n".join(f"**{name}** {definition}" for name, definition in measures)
