"""The pieces of a plot, as SVG text."""

import html
import math

from bench.tool.table import show

CHARACTER = 6.6  # width of one in the plots' type, on average


def text(x, y, words, anchor="start", style=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{f" class={chr(34)}{style}{chr(34)}" if style else ""}>{html.escape(words)}</text>'


def line(x1, y1, x2, y2, style):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def rect(x, y, width, height, style, title=""):
    tip = f"<title>{html.escape(title)}</title>" if title else ""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}" rx="2" class="{style}">{tip}</rect>'


def circle(x, y, radius, style, title=""):
    tip = f"<title>{html.escape(title)}</title>" if title else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" class="{style}">{tip}</circle>'


def path(points, style):
    steps = " ".join(f"{'M' if index == 0 else 'L'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(points))
    return f'<path d="{steps}" class="{style}"/>'


def drawing(width, height, pieces, label):
    return f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{html.escape(label)}">{"".join(pieces)}</svg>'


class Scale:
    """From values to a range of the drawing."""

    def __init__(self, low, high, start, end, logarithmic=False):
        self.logarithmic = logarithmic
        if logarithmic:
            low, high = 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high))
            high = high if high > low else low * 10
        self.low, self.high, self.start, self.end = low, high if high > low else low + 1, start, end

    def __call__(self, value):
        if self.logarithmic:
            part = (math.log10(max(value, self.low)) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self):
        if self.logarithmic:
            first, last = round(math.log10(self.low)), round(math.log10(self.high))
            return [10.0 ** power for power in range(first, last + 1, max(1, math.ceil((last - first) / 7)))]
        step = 10 ** math.floor(math.log10((self.high - self.low) / 3))
        while (self.high - self.low) / step > 5:
            step *= 2 if (self.high - self.low) / step <= 10 else 2.5
        first = math.ceil(self.low / step)
        return [step * index for index in range(first, math.floor(self.high / step + 1e-9) + 1)]


def short(value):
    """For an axis: 10, 1k, 1M."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{letter}"
    return f"{value:g}" if value == 0 or abs(value) >= 0.01 else show(value)
