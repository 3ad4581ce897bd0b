"""stats.py against values that every table of chi-square has, and against chance itself: python3 -m unittest bench/test_stats.py"""

import os
import random
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stats  # noqa: E402


class ChiSquare(unittest.TestCase):
    # Upper 1 %, 5 % and 50 % points as printed in tables.
    POINTS = [(1, 0.99, 6.635), (2, 0.99, 9.210), (10, 0.99, 23.209), (20, 0.99, 37.566), (40, 0.99, 63.691), (100, 0.99, 135.807),
              (1, 0.95, 3.841), (2, 0.95, 5.991), (30, 0.95, 43.773), (2, 0.5, 1.386), (10, 0.5, 9.342), (10, 0.01, 2.558)]

    def test_points(self):
        for freedom, share, value in self.POINTS:
            self.assertAlmostEqual(stats.chi_square_point(freedom, share), value, delta=0.0006, msg="%d, %g" % (freedom, share))

    def test_below_is_the_inverse(self):
        for freedom in (1, 2, 5, 40, 300):
            for share in (0.001, 0.2, 0.5, 0.95, 0.999):
                self.assertAlmostEqual(stats.chi_square_below(freedom, stats.chi_square_point(freedom, share)), share, places=7)

    def test_statistic(self):
        self.assertEqual(stats.chi_square([50, 30, 20], [5, 3, 2], 100), 0)
        # (60-50)^2/50 + (25-30)^2/30 + (15-20)^2/20
        self.assertAlmostEqual(stats.chi_square([60, 25, 15], [0.5, 0.3, 0.2], 100), 2 + 25 / 30 + 1.25)
        self.assertAlmostEqual(stats.chi_square([600, 250, 150], [0.5, 0.3, 0.2], 100), 2 + 25 / 30 + 1.25)
        self.assertEqual(stats.chi_square([0, 0, 0], [1, 1, 1], 0), float("inf"))

    def test_chance(self):
        """What is drawn from the truth passes the 99 % point about 99 times in a hundred, and a shift of 4 points does not."""
        source = random.Random(4)
        limit = stats.chi_square_point(2 * 20)

        def pooled(shares):
            total = 0
            for _ in range(20):
                drawn = source.choices(range(3), shares, k=300)
                total += stats.chi_square([drawn.count(i) for i in range(3)], [50, 30, 20], 300)
            return total

        self.assertLessEqual(sum(pooled([50, 30, 20]) > limit for _ in range(200)), 8)
        self.assertGreaterEqual(sum(pooled([52, 32, 16]) > limit for _ in range(50)), 45)


class Median(unittest.TestCase):
    def test_ranks(self):
        # The confidence of these ranks: 0.9375 (too little) for 5, 0.969, 0.961, 0.965, 0.959.
        self.assertIsNone(stats.median_ranks(5))
        for count, ranks in ((6, (0, 5)), (9, (1, 7)), (15, (3, 11)), (20, (5, 14))):
            self.assertEqual(stats.median_ranks(count), ranks)

    def test_interval(self):
        self.assertEqual(stats.median_interval([9, 1, 5, 2, 8, 3, 7, 4, 6]), (5, 2, 8))
        self.assertEqual(stats.median_interval([3, 1, 2]), (2, 1, 3))

    def test_chance(self):
        source = random.Random(7)
        covered = 0
        for _ in range(1000):
            _, low, high = stats.median_interval([source.expovariate(1) for _ in range(15)])
            covered += low <= 0.693147 <= high
        self.assertGreaterEqual(covered, 940)


if __name__ == "__main__":
    unittest.main()
