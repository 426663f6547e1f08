"""Conversions whose factor has a name, so that no bare 1e9 stands in the code."""

from __future__ import annotations

NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
NS_PER_MIN = 60 * NS_PER_S
NS_PER_DAY = 86_400 * NS_PER_S
#: ACT/365 to the nanosecond: the year fraction of every option.
NS_PER_YEAR = 365 * NS_PER_DAY
#: Trading days a year, for daily volatilities.
TRADING_DAYS_PER_YEAR = 252.0
CENTS_PER_USD = 100
VOL_POINT = 0.01
#: Marks an absent side of a quote, in ticks.
NO_PRICE = -(2**31)
