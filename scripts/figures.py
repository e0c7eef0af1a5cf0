#!/usr/bin/env python3
"""Prints what polling one account of 5,000 campaigns in one window costs, and the scrape after it.

The daemon and the simulated APIs run as processes of their own on loopback. CPU and memory are the
daemon's, read from /proc; a scrape is timed from connecting to the last byte, median of 20.
"""
import argparse, json, os, signal, statistics, subprocess, sys, tempfile, time, urllib.request

CONFIGURATION = """
poll: {interval: 15m}
meta:
  main:
    token: token-main
    base_url: %s
    accounts: [{id: 1001, windows: [last_7d]}]
"""


def read(url, headers=None):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=30) as answer:
        return answer.read()


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.02)
    sys.exit(f"never came true: {what}")


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid):
    line = next(line for line in open(f"/proc/{pid}/status") if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def scrape_ms(url, headers):
    times = []
    for _ in range(20):
        start = time.perf_counter()
        size = len(read(url, headers))
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times), size


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--campaigns", type=int, default=5000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        simulate = subprocess.Popen(
            [options.binary, "simulate", "--listen-address", "127.0.0.1:0", "--accounts", "1", "--campaigns", str(options.campaigns)],
            stdout=subprocess.PIPE, text=True)
        api = simulate.stdout.readline().split()[-1]
        config, port = f"{folder}/config.yaml", f"{folder}/port"
        with open(config, "w") as file:
            file.write(CONFIGURATION % api)
        started = time.monotonic()
        daemon = subprocess.Popen([options.binary, "--config.file", config, "--web.listen-address", "127.0.0.1:0", "--web.port-file", port, "--log.level", "warn"])
        try:
            wait_for("the port is known", lambda: open(port).read().endswith("\n"))
            address = "http://" + open(port).read().strip()
            wait_for("ready", lambda: read(address + "/-/ready"))
            ready = time.monotonic() - started
            cpu = cpu_seconds(daemon.pid)
            plain = scrape_ms(address + "/metrics", {})
            packed = scrape_ms(address + "/metrics", {"Accept-Encoding": "gzip"})
            statistics_ = json.loads(read(api + "/_control/statistics"))
            insights = sum(statistics_["endpoints"].get(name, 0) for name in ("insights", "totals", "campaign_insights"))
            print(f"campaigns             {options.campaigns}")
            print(f"insights requests     {insights}")
            print(f"requests              {statistics_['total']}")
            print(f"start to ready        {ready:.2f} s")
            print(f"CPU of the poll       {cpu:.2f} s")
            print(f"peak memory           {peak_mib(daemon.pid):.1f} MiB")
            print(f"plain scrape          {plain[0]:.1f} ms, {plain[1]} bytes")
            print(f"gzip scrape           {packed[0]:.1f} ms, {packed[1]} bytes")
        finally:
            for process in (daemon, simulate):
                process.send_signal(signal.SIGTERM)
            for process in (daemon, simulate):
                process.wait(timeout=10)


if __name__ == "__main__":
    main()
