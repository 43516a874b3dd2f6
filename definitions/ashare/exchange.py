"""The exchange's rules that an order must keep: its sessions and whole lots.

T+1 is the ledger's, which knows what was bought when. Price limits need no rule here: an order
goes out at the price of the last trade, which is within the day's limits by having happened.
"""

from __future__ import annotations

LOT = 100
"""Shares."""
MORNING = ("09:30:00", "11:30:00")
AFTERNOON = ("13:00:00", "14:57:00")


def is_open(clock: str) -> bool:
    """Whether orders are matched continuously at this time of day, ``HH:MM:SS`` in Shanghai.

    The auctions, at 09:25 and from 14:57 to 15:00, take orders too, but fill them at a price
    that nobody knows yet; so none is sent then.
    """
    return any(begin <= clock[:8] < end for begin, end in (MORNING, AFTERNOON))


def trading_seconds(clock: str) -> int:
    """Seconds since 09:30 without the lunch break; negative before."""
    hours, minutes, seconds = (int(part) for part in clock[:8].split(":"))
    since = hours * 3600 + minutes * 60 + seconds - (9 * 3600 + 30 * 60)
    morning, lunch = 2 * 3600, 90 * 60
    return since if since <= morning else max(morning, since - lunch)


def whole_lots(shares: float) -> int:
    """As many of the shares as make whole lots; none of a negative number."""
    return max(0, int(shares // LOT) * LOT)
