"""What became of a delivery, a report and a claim, in a word and in a sentence."""

from flask_babel import lazy_gettext as _l

from app.playground.states import ClaimState, DeliveryState, ToldState

BADGES = {
    DeliveryState.PAID: _l("paid"),
    DeliveryState.AGAIN: _l("paid before"),
    DeliveryState.HEALED: _l("healed"),
    DeliveryState.WAITING: _l("waiting"),
    DeliveryState.DEAD: _l("given up"),
    DeliveryState.TEST: _l("test"),
    DeliveryState.REFUSED: _l("refused"),
    DeliveryState.LOST: _l("no answer"),
    DeliveryState.STRAYED: _l("lost on its way"),
    DeliveryState.FOUND: _l("found and paid"),
    DeliveryState.UNPAID: _l("earned nothing"),
    DeliveryState.UNSEEN: _l("done"),
}

VERDICTS = {
    DeliveryState.PAID: _l("Guerdon asked for the vote and paid it, in one commit."),
    DeliveryState.AGAIN: _l(
        "This vote is in the ledger already: answered as done, and nothing is paid twice."
    ),
    DeliveryState.HEALED: _l(
        "It could not be paid at first. It was kept, tried again, and is paid now."
    ),
    DeliveryState.WAITING: _l(
        "It cannot be paid now. It is kept, and tried again by itself until it can."
    ),
    DeliveryState.DEAD: _l(
        "Tried for too long, so it is kept as dead: `guerdon events retry` tries it once more."
    ),
    DeliveryState.TEST: _l(
        "A test: well signed, so answered as done. Nothing is asked for and nothing is paid."
    ),
    DeliveryState.REFUSED: _l("Not accepted. Nothing of it is kept, and nothing is paid."),
    DeliveryState.LOST: _l("Guerdon did not answer. Does it run?"),
    DeliveryState.STRAYED: _l(
        "It never arrived, and the platform sends nothing twice by itself: Guerdon knows"
        " nothing of this vote until it compares its ledger with the platform\u2019s list."
    ),
    DeliveryState.FOUND: _l(
        "Its delivery never arrived. The platform\u2019s list had the vote and the ledger"
        " had not, so Guerdon fetched it by its id and paid it, once."
    ),
    DeliveryState.UNSEEN: _l(
        "Answered as done, but /v1 tells the playground nothing of it: is"
        " GUERDON_API_KEY the same for both?"
    ),
}

REPORT_BADGES = {
    ToldState.FLYING: _l("under way"),
    ToldState.DELIVERED: _l("delivered"),
    ToldState.AGAIN: _l("told before"),
    ToldState.DEAD: _l("given up"),
    ToldState.PAID: _l("nothing to report"),
    ToldState.WAITING: _l("waiting"),
    ToldState.STUCK: _l("given up"),
    ToldState.REFUSED: _l("refused"),
    ToldState.LOST: _l("no answer"),
}

REPORT_VERDICTS = {
    ToldState.FLYING: _l(
        "Kept in the same commit as the event, and on its way. Guerdon sends it by itself until"
        " it is delivered or its schedule ends."
    ),
    ToldState.DELIVERED: _l(
        "Guerdon kept event and report in one commit, sent the report, and has the reply."
    ),
    ToldState.AGAIN: _l(
        "Guerdon knew this event: the same answer, nothing paid twice, nothing sent twice."
    ),
    ToldState.DEAD: _l(
        "Not delivered, and not sent again by itself. It is kept:"
        " `guerdon reports retry` sends it once more."
    ),
    ToldState.PAID: _l("Kept. No reporter is switched on that tells a platform about it."),
    ToldState.WAITING: _l(
        "The event cannot be paid now. It is kept, and tried again by itself until it can;"
        " its reports leave with it."
    ),
    ToldState.STUCK: _l(
        "The event was tried for too long: `guerdon events retry` tries it once more."
    ),
    ToldState.REFUSED: _l("Not accepted. Nothing of it is kept, and nothing is reported."),
    ToldState.LOST: _l("Guerdon did not answer. Does it run?"),
}

CLAIM_BADGES = {
    ClaimState.LEASED: _l("leased"),
    ClaimState.OVER: _l("lease over"),
    ClaimState.DONE: _l("given out"),
    ClaimState.REFUSED: _l("refused"),
}

CLAIM_VERDICTS = {
    ClaimState.LEASED: _l(
        "This game server's alone for now. Give it to the player, then acknowledge it."
    ),
    ClaimState.OVER: _l("Not acknowledged in time: Guerdon leases it to whoever asks next."),
    ClaimState.DONE: _l("Acknowledged: it is never leased again."),
    ClaimState.REFUSED: _l("Not acknowledged."),
}

# Words of Guerdon's that a newcomer cannot know, by the page that shows them.
