"""The accounts and campaigns of scripts/history.py, and what happens to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

WINDOWS = {"meta": ["today", "last_7d", "last_28d", "this_month"], "cams": ["unspecified"]}


def as_usual(_: float) -> float:
    return 1.0


@dataclass(frozen=True)
class Campaign:
    name: str
    # Messages of a day.
    daily: int
    # Clicks of a message.
    ratio: float
    # How many times its usual a click costs, by the days that are left until the end.
    cost: Callable[[float], float] = as_usual
    # Days before the end.
    paused: float | None = None
    # An earlier name, and until how many days before the end.
    former: tuple[str, float] | None = None


@dataclass(frozen=True)
class Account:
    source: str
    credential: str
    id: str
    name: str
    currency: str
    zone: ZoneInfo
    # Of a message.
    price: float
    team: str
    campaigns: Sequence[Campaign]


ACCOUNTS = [
    Account(
        "meta",
        "main",
        "2398765432",
        "Acme Europe",
        "EUR",
        ZoneInfo("Europe/Berlin"),
        0.085,
        "growth",
        [
            Campaign("Spring sale 🌷", 9000, 0.16, lambda left: 1.7 if left < 3.4 else 1.0),
            Campaign("Back in stock", 5200, 0.19),
            Campaign('Newsletter "Insider"', 2600, 0.12, former=("Newsletter", 6.3)),
            Campaign("Flash Friday", 4100, 0.21, paused=4.6),
            Campaign("Members' preview", 900, 0.23),
            Campaign("Cart reminder", 350, 0.31),
        ],
    ),
    Account(
        "meta",
        "main",
        "2398765433",
        "Acme Brasil",
        "USD",
        ZoneInfo("America/Sao_Paulo"),
        0.062,
        "growth",
        [
            Campaign("VIP invitation", 3300, 0.18),
            Campaign("Loyalty points", 4800, 0.15, lambda left: 1.03 ** max(0.0, 14 - left)),
            Campaign("Store opening São Paulo", 1500, 0.2),
        ],
    ),
    Account(
        "meta",
        "growth",
        "2398765434",
        "Acme India",
        "INR",
        ZoneInfo("Asia/Kolkata"),
        0.78,
        "emerging",
        [
            Campaign("Diwali offers ✨", 12000, 0.11, lambda left: 0.8 if left < 5 else 1.0),
            Campaign("Win-back 90 days", 6100, 0.09),
            Campaign("Cart reminder", 800, 0.26),
        ],
    ),
    Account(
        "cams",
        "sg",
        "2399887766",
        "Acme Singapore",
        "SGD",
        ZoneInfo("Asia/Singapore"),
        0.09,
        "growth",
        [
            Campaign("Ramadan greetings 🌙", 2100, 0.17),
            Campaign("Back in stock", 1300, 0.19),
        ],
    ),
]
THROTTLED = "2398765433"
