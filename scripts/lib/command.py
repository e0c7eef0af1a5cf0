"""The command line of a script."""

import argparse


def command_line(text: str | None, binary: bool = True) -> argparse.ArgumentParser:
    """A parser that says what the first line of a script's documentation says."""
    parser = argparse.ArgumentParser(description=(text or "").partition("\n")[0])
    if binary:
        parser.add_argument("--binary", required=True, help="the exporter: target/release/... or target/debug/...")
    return parser
