"""A stand-in for the URL of your own that [plugins.webhook] posts to: it takes everything."""

from flask import Blueprint, Response, request

PATH = "/webhook"
SECRET = "whsec_cGxheWdyb3VuZA=="  # noqa: S105 - good for this machine only


def build_webhook() -> Blueprint:
    """POST /webhook"""
    webhook = Blueprint("webhook", __name__)

    @webhook.post(PATH)
    def take() -> Response:
        request.get_data()
        return Response(status=204)

    return webhook
