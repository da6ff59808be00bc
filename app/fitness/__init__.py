"""May we pay with this database now?"""
