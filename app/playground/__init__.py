"""A page to vote on, and a stand-in for GAMEMONITORING behind it: for trying out, never for production.

gamemonitoring  the platform's part: it has votes, signs deliveries, answers GET /votes/<id>
courier         speaks to Guerdon over HTTP: delivers, and reads /v1 as a game server would
journal         what was delivered, and what became of it
words           the same in plain sentences
actions         what the page's buttons do
players         players to play with
page            the page itself
processes       starts and ends the service and the playground together
commands        guerdon playground, guerdon run
"""
