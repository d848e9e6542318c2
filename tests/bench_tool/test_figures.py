"""Median, spread, noise, and numbers as they are shown."""

import unittest

from suite import ROOT  # noqa: F401  so that bench.tool is found

from bench.tool.figures import advantage, figure_of, kept_figure
from bench.tool.svg import Scale
from bench.tool.table import show


class Figures(unittest.TestCase):
    def test_a_figure_is_the_median_and_its_spread_the_largest_deviation(self):
        figure = figure_of([130, 100, 95, 101, 99])
        self.assertEqual(figure.value, 100)
        self.assertAlmostEqual(figure.spread, 0.30)
        self.assertIsNone(figure_of([]))

    def test_ranges_that_share_a_value_may_be_the_same(self):
        self.assertTrue(figure_of([1, 2, 3]).overlaps(figure_of([3, 4, 5])))
        self.assertFalse(figure_of([1, 2, 3]).overlaps(figure_of([3.1, 4, 5])))

    def test_one_round_is_taken_with_an_assumed_noise(self):
        self.assertTrue(figure_of([100]).overlaps(figure_of([115])))
        self.assertFalse(figure_of([100]).overlaps(figure_of([130])))

    def test_a_cost_of_nothing_has_no_spread_and_is_infinitely_better(self):
        self.assertEqual(figure_of([0, 0]).spread, 0)
        self.assertEqual(advantage(0, 3, "lower"), float("inf"))
        self.assertEqual(advantage(0, 0, "lower"), 1)
        self.assertEqual(advantage(10, 5, "higher"), 2)

    def test_a_kept_figure_has_the_range_of_its_spread(self):
        kept = kept_figure(200, 0.1)
        self.assertEqual((round(kept.low), round(kept.high)), (180, 220))
        self.assertAlmostEqual(kept.spread, 0.1)
        self.assertIsNone(kept_figure(200, None).spread)

    def test_numbers_are_shown_with_three_digits(self):
        shown = [show(value) for value in (None, 0, 0.01234, 1.5, 99.96, 123.4, 1234567.0)]
        self.assertEqual(shown, ["-", "0", "0.0123", "1.50", "100", "123", "1,234,567"])


class Axes(unittest.TestCase):
    def test_ticks_are_round_and_inside(self):
        self.assertEqual(Scale(0, 2.3, 0, 100).ticks(), [0, 0.5, 1.0, 1.5, 2.0])
        self.assertEqual(Scale(3, 900, 0, 100, logarithmic=True).ticks(), [1, 10, 100, 1000])

    def test_a_value_is_placed_in_proportion(self):
        self.assertEqual(Scale(0, 10, 100, 200)(5), 150)
        self.assertAlmostEqual(Scale(1, 100, 0, 100, logarithmic=True)(10), 50)


if __name__ == "__main__":
    unittest.main()
