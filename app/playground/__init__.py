"""Pages to vote and to play on, and stand-ins for the platforms: for trying out, never for production.

gamemonitoring  the platform's part: it has votes, signs deliveries, answers GET /votes/<id>
g123            G123's part: takes level_up, checks it, answers in the sample's form
sud             the part of a Sud-style app: takes game_start and game_settle, checks them
behaviour       how the last two behave on demand, and what they were sent
server          the game server's part: levels and rounds
courier         speaks to Guerdon over HTTP: delivers, tells, and reads /v1 as a game server would
claims          claims as the game server leases and acknowledges them
journal         what was delivered, and what became of it
reports         what the game server told, and what became of its reports
words           the same in plain sentences
actions         what the pages' buttons do
players         players to play with
choice          the player and the server chosen, from one request to the next
sites           the page for vote sites and a game's console
site_kinds      stand-ins for top.gg and a toplist, and which sites the config knows
votifier        that for Minecraft's lists: it connects to Guerdon's port
exchange        what one of these sent, and what it was answered
site_votes      what they sent, and what became of it
site_words      the page's sentences
console         the stand-in of a console that commands arrive at: it runs nothing
trigger         votes without a page, and signing, for the commands of these names
page            the page for votes, and the web around all pages
game            the page for levels and rounds
framed          the page that frames a game
programme       the page for streaks, parties and rankings, with a clock that one turns
stage           asks the process in which these are played
acting          that process: a Guerdon with a database of its own
performance     what is played there: votes, and the clock turned
scene           what there is to see of it
stage_clock     its clock
webhook         the URL of your own that [plugins.webhook] posts to
sections        what guerdon run works on: your config, with a database and destinations of its own
site_sections   the sections for vote sites and a console in it
own_database    the file it pays into
reloading       takes over what changes while it runs
processes       starts and ends the service and the playground together
commands        guerdon playground, guerdon run
"""
