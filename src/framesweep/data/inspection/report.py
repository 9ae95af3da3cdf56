"""Reports the statistics of a corpus to people, as text and as a picture."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from framesweep.data.inspection.findings import SplitSummary, format_share
from framesweep.data.store.prepared import PreparedCorpus
from framesweep.system.drawing.figures import save_png, to_label

COLORS = {"train": "tab:gray", "dev": "tab:blue", "test": "tab:red"}
SHOWN_SECONDS = 4.0
"""Seconds of an utterance in the picture."""
MOST_FREQUENT, RAREST = 10, 5
"""Number of phones that the text lists."""


def text_report(
    corpus: PreparedCorpus,
    summaries: Sequence[SplitSummary],
    problems: Sequence[str],
    shift_ms: float,
) -> str:
    """Return the report as lines of text.

    Args:
        corpus: the corpus.
        summaries: the statistics of its splits, train first.
        problems: one line each.
        shift_ms: the frame shift in milliseconds.
    """
    lines = [
        f"{corpus.name}: {corpus.feature_dim} features per frame, "
        f"{corpus.phones.size_in_words}",
        f"prepared in {corpus.folder}",
        "",
        f"{'split':6}{'utterances':>11}{'speakers':>10}{'hours':>8}{'frames':>12}"
        f"{'frames per utterance':>22}{'silence':>11}",
    ]
    lines += [_format_split(summary, corpus, shift_ms) for summary in summaries]
    lines += ["", *_format_phones(corpus, summaries[0]), "", *_format_features(summaries), ""]
    lines += (
        ["Possible problems:", *(f"  {line}" for line in problems)]
        if problems
        else ["No problems found."]
    )
    return "\n".join(lines)


def _format_split(summary: SplitSummary, corpus: PreparedCorpus, shift_ms: float) -> str:
    lengths = summary.lengths
    spread = f"{lengths.min()} / {int(np.median(lengths))} / {lengths.max()}"
    share = summary.silence_share(corpus.phones)
    unknown = "no labels" if summary.counts is None else "?"
    silence = unknown if share is None else format_share(share)
    speakers = "?" if summary.num_speakers is None else str(summary.num_speakers)
    return (
        f"{summary.name:6}{len(lengths):>11,}{speakers:>10}"
        f"{hours(summary, shift_ms):>8.2f}{summary.num_frames:>12,}{spread:>22}"
        f"{silence:>11}"
    )


def hours(summary: SplitSummary, shift_ms: float) -> float:
    """Return the duration of a split in hours."""
    return summary.num_frames * shift_ms / 3_600_000


def _format_phones(corpus: PreparedCorpus, train: SplitSummary) -> Iterator[str]:
    if train.counts is None:
        return
    order = np.argsort(-train.counts, kind="stable")
    shares = train.counts / train.num_frames
    named = [f"{corpus.phones.names[i]} {format_share(shares[i])}" for i in order]
    yield "most frequent phones in train, share of frames: " + ", ".join(named[:MOST_FREQUENT])
    rarest = [f"{corpus.phones.names[i]} {int(train.counts[i]):,}" for i in order[-RAREST:]]
    yield "rarest phones, number of frames: " + ", ".join(rarest)


def _format_features(summaries: Sequence[SplitSummary]) -> Iterator[str]:
    yield f"{'features':10}{'lowest':>10}{'mean':>10}{'highest':>10}{'deviation':>20}"
    for summary in summaries:
        spread = f"{summary.std.min():.2f} to {summary.std.max():.2f}"
        yield (
            f"{summary.name:10}{summary.lowest.min():>10.2f}{summary.mean.mean():>10.2f}"
            f"{summary.highest.max():>10.2f}{spread:>20}"
        )


def write_picture(
    path: Path, corpus: PreparedCorpus, summaries: Sequence[SplitSummary], shift_ms: float
) -> None:
    """Write a PNG with the frequencies of phones, lengths, features, and one utterance.

    Args:
        path: the PNG file, replaced atomically.
        corpus: the corpus.
        summaries: the statistics of its splits, train first.
        shift_ms: the frame shift in milliseconds.
    """
    # Not pyplot, which keeps global state and may look for a display.
    figure = Figure(figsize=(13, 8), layout="constrained")
    grid = figure.add_gridspec(3, 2, height_ratios=(1.1, 1, 1))
    _draw_phones(figure.add_subplot(grid[0, :]), corpus, summaries)
    _draw_lengths(figure.add_subplot(grid[1, 0]), summaries, shift_ms)
    _draw_features(figure.add_subplot(grid[1, 1]), summaries)
    _draw_utterance(figure.add_subplot(grid[2, :]), corpus, shift_ms)
    save_png(figure, path)


def _draw_phones(axes: Axes, corpus: PreparedCorpus, summaries: Sequence[SplitSummary]) -> None:
    labelled = [summary for summary in summaries if summary.counts is not None]
    order = np.argsort(-np.asarray(labelled[0].counts), kind="stable")
    positions = np.arange(len(order))
    width = 0.8 / len(labelled)
    for number, summary in enumerate(labelled):
        shares = np.asarray(summary.counts)[order] / summary.num_frames
        axes.bar(
            positions + number * width,
            shares,
            width,
            label=summary.name,
            color=COLORS[summary.name],
        )
    axes.set_xticks(
        positions + 0.4 - width / 2,
        [to_label(corpus.phones.names[i]) for i in order],
        fontsize=7,
        parse_math=False,
    )
    axes.tick_params(axis="x", rotation=90 if len(order) > 60 else 0)
    # Silence is a hundred times as frequent as the rarest phones.
    axes.set_yscale("log")
    axes.set_xlim(-0.6, len(order))
    axes.set_title("Share of frames of each phone")
    axes.legend()


def _draw_lengths(axes: Axes, summaries: Sequence[SplitSummary], shift_ms: float) -> None:
    seconds = [summary.lengths * shift_ms / 1000 for summary in summaries]
    axes.hist(
        seconds,
        bins=30,
        density=True,
        label=[summary.name for summary in summaries],
        color=[COLORS[summary.name] for summary in summaries],
    )
    axes.set_title("Durations of utterances")
    axes.set_xlabel("seconds")
    axes.set_yticks([])
    axes.legend()


def _draw_features(axes: Axes, summaries: Sequence[SplitSummary]) -> None:
    for summary in summaries:
        bins, color = np.arange(len(summary.mean)), COLORS[summary.name]
        axes.plot(bins, summary.mean, color=color, label=summary.name)
        axes.fill_between(
            bins,
            summary.mean - summary.std,
            summary.mean + summary.std,
            color=color,
            alpha=0.15,
        )
    axes.set_title("Mean and standard deviation of each feature")
    axes.set_xlabel("feature")
    axes.legend()


def _draw_utterance(axes: Axes, corpus: PreparedCorpus, shift_ms: float) -> None:
    """Draw the first seconds of the first utterance in train, with its phones."""
    split = corpus.splits["train"]
    shown = min(int(split.lengths[0]), round(SHOWN_SECONDS * 1000 / shift_ms))
    end = shown * shift_ms / 1000
    axes.imshow(
        split.features[:shown].T,
        origin="lower",
        aspect="auto",
        extent=(0, end, 0, corpus.feature_dim),
        cmap="magma",
        interpolation="nearest",
    )
    title = f"{to_label(split.ids[0])}: features and phones"
    axes.set_title(title, pad=16, parse_math=False)
    axes.set_xlabel("seconds")
    if split.labels is None:
        return
    labels = split.labels[:shown]
    bounds = [0, *(np.flatnonzero(np.diff(labels)) + 1), shown]
    for first, last in pairwise(bounds):
        axes.axvline(first * shift_ms / 1000, color="white", linewidth=0.4)
        middle = (first + last) / 2 * shift_ms / 1000
        name = to_label(corpus.phones.names[labels[first]])
        text = axes.text(middle, corpus.feature_dim, name, ha="center", parse_math=False)
        text.set(va="bottom", fontsize=7)
