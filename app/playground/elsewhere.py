"""A stand-in for each address that only your own plugins know: it takes everything."""

from flask import Blueprint, Response, jsonify, request

PATH = "/elsewhere"


def build_elsewhere() -> Blueprint:
    """POST /elsewhere/PLUGIN/..."""
    elsewhere = Blueprint("elsewhere", __name__)

    @elsewhere.post(f"{PATH}/<path:rest>")
    def take(rest: str) -> Response:
        request.get_data()
        return jsonify({})

    return elsewhere
