"""Whether [alerts] names reporters that can tell of alarms."""

from collections.abc import Iterator

from app.config.watching import Alerts
from app.host.loading import Plugins


def list_alert_faults(alerts: Alerts, plugins: Plugins) -> Iterator[str]:
    """A sentence for each that cannot."""
    able = [one for one in plugins.list_answerers("build_alert") if sends(plugins, one)]
    for setting, name in (("reporter", alerts.reporter), ("second", alerts.second)):
        if name and name not in able:
            known = ", ".join(able) or "none of the plugins that are switched on"
            yield f"[alerts] {setting}: {name} cannot tell of alerts; these can: {known}"


def sends(plugins: Plugins, name: str) -> bool:
    return name in plugins.list_answerers("send_report")


def list_alert_warnings(alerts: Alerts, plugins: Plugins) -> Iterator[str]:
    """What nobody would be told of."""
    if alerts.reporter and not alerts.second and len(plugins.list_answerers("build_alert")) > 1:
        yield (
            f"[alerts] second: what is wrong with {alerts.reporter} itself is in the log alone: name"
            " another reporter"
        )
