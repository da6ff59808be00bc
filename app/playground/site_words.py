"""The sentences of the page for vote sites: the sites, what was sent, and what became of claims."""

from flask_babel import lazy_gettext as _l

from app.playground.console import Way
from app.playground.site_kinds import SiteName
from app.playground.site_votes import Deed
from app.playground.states import DeliveryState
from app.porch.claims import ClaimState

SITES = {
    SiteName.TOPGG: _l("top.gg"),
    SiteName.VOTIFIER_2: _l("Votifier v2"),
    SiteName.VOTIFIER_1: _l("Votifier v1"),
    SiteName.PINGBACK: _l("a toplist\u2019s pingback"),
}

HOW = {
    SiteName.TOPGG: _l("posts JSON, signed by a secret; each vote has an id."),
    SiteName.VOTIFIER_2: _l("connects to a port, signs with a token, and is answered."),
    SiteName.VOTIFIER_1: _l(
        "connects to the same port; a block that a public key encrypts, and no answer."
    ),
    SiteName.PINGBACK: _l(
        "posts a form with a key, as gtop100 does. It gives votes no id: a second one within a"
        " minute earns nothing (usually within eleven hours)."
    ),
}

WITHOUT = {
    SiteName.VOTIFIER_1: _l("not here: it needs pip install 'guerdon[votifier]', then start anew."),
}
ABSENT = _l("not here: its section is not in the config; `guerdon run` adds it.")

DEEDS = {
    Deed.VOTE: _l("A vote by %(site)s"),
    Deed.AGAIN: _l("The same vote again, by %(site)s"),
    Deed.FORGED: _l("A forged vote, as if by %(site)s"),
}

VERDICTS = {  # where those of the page for votes would say something else
    DeliveryState.PAID: _l("Guerdon knew who sent it, and paid it, in one commit."),
    DeliveryState.UNPAID: _l(
        "It is in the ledger, and earned nothing: no rule is for it, or it came too soon after another."
    ),
}

WAYS = {
    Way.WELL: _l("answers as it should"),
    Way.CUT_AFTER: _l("runs it, and hangs up before its answer"),
    Way.CUT_BEFORE: _l("hangs up, and never runs it"),
}

CLAIM_STATES = {
    ClaimState.READY: _l("ready"),
    ClaimState.LEASED: _l("leased"),
    ClaimState.SENDING: _l("sending"),
    ClaimState.WAITS: _l("waits"),
    ClaimState.DONE: _l("given out"),
    ClaimState.REFUSED: _l("refused"),
    ClaimState.UNKNOWN: _l("unknown"),
    ClaimState.DEAD: _l("given up"),
}

CLAIM_SENTENCES = {
    ClaimState.READY: _l(
        "It waits for its turn; where nobody is at the console, it is tried again."
    ),
    ClaimState.LEASED: _l("Its turn has come; nothing has left yet."),
    ClaimState.SENDING: _l("This is committed before the first byte leaves."),
    ClaimState.WAITS: _l("Its player is not online: it is kept, and sent once he is."),
    ClaimState.DONE: _l("The console\u2019s answer said so. It is never sent again."),
    ClaimState.REFUSED: _l("The game said no. A person mends it, and decides."),
    ClaimState.UNKNOWN: _l(
        "The command left and no answer came: nobody knows whether it ran, so it is never sent"
        " again by itself. Look into the game, here at the console, and decide."
    ),
    ClaimState.DEAD: _l("It is not delivered any more."),
}

GLOSSARY = {
    _l("source"): _l("What tells Guerdon of votes; each site\u2019s protocol is one plugin."),
    _l("pingback"): _l(
        "A toplist\u2019s call at an address of yours, once somebody has voted there."
    ),
    _l("claim"): _l("A reward that only a game can give, here as a command to its console."),
    _l("console"): _l("Where a game takes commands, here by RCON, as Minecraft\u2019s does."),
    _l("unknown"): _l(
        "Of a claim: bytes have left, and nobody knows whether the command ran. A person decides."
    ),
    _l("ledger"): _l("What was given, to whom, by which rule, and when: a line for each reward."),
}
