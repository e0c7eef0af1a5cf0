"""A fleet of simulated campaigns in one account after another, and the configuration that polls all of them."""

from collections.abc import Sequence
from pathlib import Path

from lib.process import Process
from lib.world import World

PER_ACCOUNT = 1000  # campaigns

CONFIGURATION = """\
poll: {{interval: {interval}}}
exposition: {{max_series: 100000000}}
meta:
  main:
    token: token-main
    base_url: {api}
    budget: 1.0
    windows: [{windows}]
    labels: {{team: growth}}
    accounts: [{accounts}]
"""


class Fleet(World):
    """So many campaigns, and what is asked of them."""

    def __init__(self, binary: Path | str, name: str, campaigns: int, windows: Sequence[str]) -> None:
        super().__init__(binary, name)
        self.accounts = -(-campaigns // PER_ACCOUNT)
        self.per_account = min(campaigns, PER_ACCOUNT)
        self.windows = windows

    def serve(self, *flags: object) -> Process:
        """The simulated API of the fleet."""
        return self.simulate("--accounts", self.accounts, "--campaigns", self.per_account, *flags)

    def configure(self, interval: str, totals: bool) -> Path:
        """The configuration file that polls the whole fleet, with or without the figures of whole accounts."""
        account = "{{id: {}}}" if totals else "{{id: {}, totals: false}}"
        accounts = ", ".join(account.format(1001 + index) for index in range(self.accounts))
        windows = ", ".join(self.windows)
        text = CONFIGURATION.format(interval=interval, api=self.api, windows=windows, accounts=accounts)
        return self.write("config.yaml", text)
