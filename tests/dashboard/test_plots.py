"""Plots: lines that are drawn, what is said where there is none, and their numbers without a picture."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.dashboard.plot_words import PLOTS
from app.guerdon import Guerdon
from app.numbers.plots import PlotName
from tests.dashboard.conftest import Scene
from tests.dashboard.ledgers import write_hostile, write_small
from tests.dashboard.looking import LOOKS, Looking
from tests.dashboard.test_access import sign_in
from tests.world.running_dashboards import USERS

ON_SQLITE = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.guerdon(more=USERS),
]
ZONE = "Asia/Shanghai"
HOUR = 3600  # seconds
BEGIN = 1_795_910_400
TIMES = [BEGIN + hour * HOUR for hour in range(24)]
PAINTED = """
const [canvas, wanted] = [document.querySelector(arguments[0] + " canvas"), arguments[1]];
if (!canvas) return -1;
const name = getComputedStyle(document.documentElement).getPropertyValue(wanted).trim();
const colour = [1, 3, 5].map((place) => parseInt(name.slice(place, place + 2), 16));
const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
let count = 0;
for (let place = 0; place < data.length; place += 4)
  if (data[place + 3] > 200 && colour.every((one, at) => Math.abs(one - data[place + at]) < 24)) count += 1;
return count;
"""
ADD_PLOT = """
const [body, status, done] = arguments;
document.querySelectorAll("figure.plot").forEach((one) => one.remove());
const figure = document.createElement("figure");
figure.className = "plot";
figure.dataset.plot = "/static/none";
const words = {time: "Time", nothing: "NOTHING", slow: "SLOW", failed: "FAILED", ended: "ENDED"};
Object.assign(figure.dataset, words);
figure.innerHTML = "<div data-drawn hidden><div data-canvas></div></div><div class='sums'></div>"
  + "<p data-told hidden></p><details data-whole open><div data-table></div></details>";
document.querySelector("main").append(figure);
window.fetch = async () => new Response(body, {status});
window.onerror = (text) => { window.failed = text; };
const script = document.createElement("script");
script.src = "/static/plots.js?" + Math.random();
script.onload = () => {
  const wait = setInterval(() => {
    if (!figure.dataset.state) return;
    clearInterval(wait);
    requestAnimationFrame(() => requestAnimationFrame(() => done(figure.innerText)));
  }, 20);
};
document.head.append(script);
"""
READ_COLOURS = """
const style = getComputedStyle(document.documentElement);
return [1, 2, 3, 4, 5, 6, 7].map((one) => style.getPropertyValue(`--plot-${one}`).trim())
  .concat(style.getPropertyValue("--sheet").trim());
"""


@pytest.fixture(scope="module")
def scene(make_scene: Callable[[str, str], Scene]) -> Scene:
    return make_scene("sqlite", "small")


@pytest.fixture(scope="module")
def signed_in(scene: Scene, look_at: Callable[..., Looking]) -> Any:
    """Somebody in Shanghai."""
    looking = look_at(scene)
    looking.browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ZONE})
    yield looking
    looking.browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


@pytest.fixture
def looking(signed_in: Looking) -> Looking:
    signed_in.dress("light")
    signed_in.forget()
    return signed_in


def count_painted(looking: Looking, colour: str = "--plot-1", where: str = "figure.plot") -> int:
    return int(looking.browser.execute_script(PAINTED, where, colour))


def add_plot(looking: Looking, data: Any, status: int = 200) -> str:
    """What is read of a plot of these data, beside all that the page has loaded."""
    return str(looking.browser.execute_async_script(ADD_PLOT, json.dumps(data), status))


def test_it_works(looking: Looking) -> None:
    """A line in its colour, in light and dark and on a phone; its sums beside it, and every point."""
    looking.open("/plots")
    looking.wait_for("figure[data-state=done] canvas")
    for look in LOOKS:
        looking.check_access(look)
        assert count_painted(looking) > 150, look

    assert looking.read("figure.plot tbody tr").split() == ["gamemonitoring", "60", "60"]
    looking.dress("light")
    assert looking.read("figure.plot tbody tr").split() == ["gamemonitoring", "60", "60", "60"]
    looking.press("figure.plot details summary")
    rows = looking.read("figure.plot [data-table] tbody").splitlines()
    assert len(rows) == 25
    assert rows[-1].endswith("\t60")
    looking.check_quiet()


def test_pointing_at_a_line_tells_its_value_there(looking: Looking) -> None:
    looking.open("/plots")
    looking.wait_for("figure[data-state=done] canvas")
    move = "const box = document.querySelector('.u-over').getBoundingClientRect();"
    place = looking.browser.execute_script(f"{move} return [box.left + 60, box.top + 60]")
    event = {"type": "mouseMoved", "x": place[0], "y": place[1]}
    looking.browser.execute_cdp_cmd("Input.dispatchMouseEvent", event)

    looking.wait_for("figure.plot th[data-latest]", ":00:00")
    assert looking.read("figure.plot tbody tr").split()[-1] == "0"


@pytest.mark.parametrize(
    "data",
    [
        {"times": [], "series": []},
        {"times": TIMES, "series": []},
        {"times": [], "series": [{"name": "votes", "values": []}]},
        {"times": TIMES, "series": [{"name": "votes", "values": [None] * 24}] * 2},
    ],
    ids=["empty", "no series", "no times", "all null"],
)
def test_where_nothing_was_counted_nothing_is_drawn(looking: Looking, data: Any) -> None:
    looking.open("/plots?group=sends")
    looking.wait_for("figure[data-state=done]")

    assert add_plot(looking, data).strip() == "NOTHING"
    assert count_painted(looking) == -1
    looking.check_quiet()


@pytest.mark.parametrize(
    ("times", "values"),
    [
        (TIMES[:1], [5]),
        (TIMES[:1], [0]),
        (TIMES, [None] * 10 + [7] + [None] * 13),
        (TIMES, [-3] * 24),
        (TIMES, [0] * 24),
        (TIMES, [*range(12), None, *range(11)]),
    ],
    ids=["one point", "one zero", "one among gaps", "negative", "zeros", "with a gap"],
)
def test_whatever_was_counted_is_to_be_seen(
    looking: Looking, times: list[int], values: list[Any]
) -> None:
    looking.open("/plots?group=sends")
    looking.wait_for("figure[data-state=done]")
    series = [{"name": "<b>levels</b>", "values": values}]
    series.append({"name": "none", "values": [None] * len(times)})

    read = add_plot(looking, {"times": times, "series": series, "step": HOUR})

    assert count_painted(looking) >= 8
    assert "Infinity" not in read
    assert "NaN" not in read
    assert "<b>levels</b>" in read
    assert "2026-11-29 08:00:00" in read  # as somebody in Shanghai has it
    looking.check_quiet()


def test_days_are_those_of_utc(looking: Looking) -> None:
    looking.open("/plots?group=sends")
    looking.wait_for("figure[data-state=done]")
    days = [BEGIN - BEGIN % (24 * HOUR) + day * 24 * HOUR for day in range(3)]

    data = {"times": days, "series": [{"name": "votes", "values": [1, 2, 3]}], "step": 24 * HOUR}
    assert "2026-11-29\t1\n2026-11-30\t2\n2026-12-01\t3" in add_plot(looking, data)


def test_thirteen_series_are_told_apart(looking: Looking) -> None:
    """By seven colours, each in full and dashed."""
    looking.open("/plots?group=sends")
    looking.wait_for("figure[data-state=done]")
    series = [{"name": str(one), "values": [one * 10] * 24} for one in range(1, 14)]

    add_plot(looking, {"times": TIMES, "series": series, "step": HOUR})

    painted = [count_painted(looking, f"--plot-{one}") for one in range(1, 8)]
    assert min(painted) > 150
    assert all(painted[one] > 1.3 * painted[6] for one in range(6))  # the last has no dashed one


@pytest.mark.parametrize(("status", "told"), [(503, "SLOW"), (401, "ENDED"), (500, "FAILED")])
def test_numbers_that_cannot_be_had_are_spoken_of(looking: Looking, status: int, told: str) -> None:
    looking.open("/plots?group=sends")
    looking.wait_for("figure[data-state=done]")

    assert add_plot(looking, {}, status).strip() == told


@pytest.mark.parametrize("look", ["light", "dark"])
def test_each_colour_is_legible_on_its_ground(looking: Looking, look: str) -> None:
    looking.open("/plots")
    looking.dress(look)

    *colours, ground = map(measure_light, looking.browser.execute_script(READ_COLOURS))

    for colour in colours:
        light, dark = max(colour, ground), min(colour, ground)
        assert (light + 0.05) / (dark + 0.05) > 4.5


def measure_light(colour: str) -> float:
    """Relative luminance, as the guidelines of the web have it."""
    whole = colour if len(colour) == 7 else "#" + "".join(one * 2 for one in colour[1:])
    parts = [int(whole[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_without_javascript_there_are_the_sums(looking: Looking) -> None:
    with looking.without_javascript():
        looking.open("/plots?group=grants&window=month")

        assert "60" in looking.find("figure.plot .sums").text
        assert not looking.browser.find_elements("css selector", "canvas")


class TestNumbers:
    """What is answered, without a browser."""

    pytestmark = pytest.mark.guerdon(more=USERS)

    @pytest.mark.parametrize("ledger", [write_small, write_hostile])
    def test_every_plot_has_its_points(self, client: Any, guerdon: Guerdon, ledger: Any) -> None:
        ledger(guerdon)
        sign_in(client)

        for slug in PLOTS:
            for window, points in (("day", 25), ("month", 31), ("year", 366)):
                answer = client.get(f"/plots/{slug}.json?window={window}").get_json()
                assert len(answer["times"]) == points
                for one in answer["series"]:
                    assert len(one["values"]) == points
                    assert one["name"].isprintable()

    def test_there_is_no_other(self, client: Any) -> None:
        sign_in(client)
        for path in ("/plots/none.json", "/plots?group=none", "/plots?window=ever",
                     "/plots/latency.json?window=1"):  # fmt: skip
            assert client.get(path).status_code == 404

    def test_a_stranger_gets_none(self, client: Any) -> None:
        assert client.get("/plots/latency.json").status_code in (302, 303, 401)


def test_each_that_is_counted_is_shown() -> None:
    assert {one.name for one in PLOTS.values()} == set(PlotName)


def slow_down(guerdon: Guerdon) -> None:
    """The names of what is counted take hours to read; on SQLite."""
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("ALTER TABLE guerdon_series RENAME TO kept_series")
        guerdon.database.execute_sql(
            "CREATE VIEW guerdon_series AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
            " SELECT i + 1 FROM n WHERE i < 2000000000) SELECT kept_series.* FROM kept_series, n"
            " UNION ALL SELECT i, i, 'none', '', '', '', '', '', '', '' FROM n WHERE i < 0"
        )


class TestSlowDatabase:
    pytestmark = ON_SQLITE

    def test_what_took_too_long_is_admitted(self, client: Any, guerdon: Guerdon) -> None:
        sign_in(client)
        slow_down(guerdon)

        page = client.get("/plots")

        assert page.status_code == 200
        assert page.text.count("The database took too long for these numbers, and") == 3
        assert client.get("/plots/latency.json").status_code == 503
