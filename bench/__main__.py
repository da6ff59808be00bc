"""`make bench`: Guerdon beside the PHP sample of GAMEMONITORING's document, on this machine.

BENCH_PHP is the document's path; the sample is cut out of it. Everything else runs here too: one
vote API for all, one MariaDB with durable commits, and wrk. The sides run in turn, round after
round; the figures are medians. What is not installed is named, and the rest is measured.
`make bench-growth` measures what years of votes in the tables cost.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.testing.database_servers import MariaDBServer
from bench import php
from bench.comparing import PLAYERS, SCENARIOS, Comparison, Scenario, Side, compare, run_vote_api
from bench.guerdon import Guerdon
from bench.machine import describe_run
from bench.table import draw_head, draw_scenario, draw_targets, judge, summarize

HERE = Path(__file__).parent
SIDES = ("php", "mariadb", "sqlite")
ROUNDS, SECONDS = 3, 5.0


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # its servers end with it
    args = read_arguments()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not installed: apt-get install wrk")
    names, missing = choose_sides(args.sides)
    print(*missing, *draw_head(), sep="\n", flush=True)
    results = run(names, args.scenarios, args.rounds, args.seconds)
    verdicts = judge(results)
    print("", *draw_targets(verdicts), "", sep="\n")
    path = args.json or (HERE / "latest.json" if is_whole(args, names) else None)
    if path:
        facts = describe_run("bench") | {"missing": missing, "targets": verdicts}
        path.write_text(json.dumps(facts | {"scenarios": results}, indent=1) + "\n")
    else:
        print("only a part of it was measured: --json FILE keeps its figures")
    print("how Guerdon fares with years of votes in its tables: make bench-growth")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", epilog="BENCH_PHP=FILE names the PHP's document")
    parser.add_argument("--scenarios", type=read_scenarios, default=SCENARIOS,
                        help=f"of {', '.join(one.name for one in SCENARIOS)}, or how they begin")  # fmt: skip
    parser.add_argument("--sides", type=lambda text: text.split(","), default=SIDES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a round of one side")
    parser.add_argument(
        "--json", type=Path, help="where the figures go; latest.json for a whole run"
    )
    args = parser.parse_args()
    if unknown := set(args.sides) - set(SIDES):
        parser.error(f"no such side: {', '.join(unknown)}")
    return args


def read_scenarios(text: str) -> list[Scenario]:
    """Those whose names begin so; at least one for each word."""
    chosen = []
    for word in text.split(","):
        found = [one for one in SCENARIOS if one.name.startswith(word)]
        if not found:
            raise argparse.ArgumentTypeError(f"no such scenario: {word}")
        chosen += found
    return chosen


def is_whole(args: argparse.Namespace, names: Sequence[str]) -> bool:
    chosen = args.scenarios, tuple(names), args.rounds >= ROUNDS, args.seconds >= SECONDS
    return chosen == (SCENARIOS, SIDES, True, True)


def choose_sides(wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those of the wanted sides that can be measured, and a sentence for each that cannot."""
    packages = {
        "php": php.find_missing(),
        "mariadb": [] if shutil.which("mariadbd") else ["mariadb-server"],
        "sqlite": [],
    }
    missing = {
        side: f"{side} is not measured, there is no {' '.join(lacking)}: apt-get install it"
        for side, lacking in packages.items()
        if lacking
    }
    if not Path(os.environ.get("BENCH_PHP") or "/").is_file():
        missing["php"] = "php is not measured: name its document, as make bench BENCH_PHP=FILE"
    return (
        [side for side in wanted if side not in missing],
        [missing[side] for side in wanted if side in missing],
    )


def run(
    names: Sequence[str], scenarios: Sequence[Scenario], rounds: int, seconds: float
) -> dict[str, Any]:
    """The summary of each scenario."""
    results: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guerdon-bench-")))
        vote_api = stack.enter_context(run_vote_api())
        mariadb = None
        if set(names) & {"php", "mariadb"}:
            (folder / "server").mkdir()
            mariadb = MariaDBServer(folder / "server")
            stack.callback(mariadb.stop)
        pid = int((folder / "server/pid").read_text()) if mariadb else None
        comparison = Comparison(folder, vote_api, pid, seconds)
        sides = []
        for name in names:
            (folder / name).mkdir()
            side = make_side(name, folder / name, mariadb, vote_api.url)
            stack.callback(side.stop)
            side.fill([f"player{n}" for n in range(PLAYERS)])
            side.start()
            comparison.warm_up(side)
            sides.append(side)
        for scenario, taken in compare(comparison, sides, scenarios, rounds):
            results[scenario] = summarize(taken)
            print(*draw_scenario(scenario, results[scenario]), sep="\n", flush=True)
    return results


def make_side(name: str, folder: Path, mariadb: MariaDBServer | None, api_url: str) -> Side:
    if name == "sqlite":
        return Guerdon(name, folder, f"sqlite:///{folder}/guerdon.db", api_url)
    assert mariadb is not None
    if name == "mariadb":
        return Guerdon(name, folder, mariadb.url(mariadb.create_database()), api_url)
    return php.Php(folder, Path(os.environ["BENCH_PHP"]).read_bytes(), mariadb, api_url)


if __name__ == "__main__":
    main()
