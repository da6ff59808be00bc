"""The beginning of a plugin whose hooks look something up, in whatever thread they are called."""

LOOKS_UP = """
import threading
from peewee import AutoField, Model
import app
from app import hookimpl

class Seen(Model):
    id = AutoField()

both = threading.Barrier(2)

def look():
    Seen.select().count()  # opens a connection, in whatever thread this is

@hookimpl
def plugin_models():
    return [Seen]
"""
